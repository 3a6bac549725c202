// SPDX-License-Identifier: Apache-2.0
#include "order.h"

#include <iterator>

#include "rapidjson/document.h"
#include "rapidjson/stringbuffer.h"
#include "rapidjson/writer.h"

namespace shop {
namespace {

absl::StatusOr<Order> FromJson(const rapidjson::Value& json) {
  Order order;
  for (auto [name, number] : {std::pair("order", &order.number), std::pair("cents", &order.cents),
                              std::pair("parcels", &order.parcels)}) {
    const auto member = json.FindMember(name);
    if (member == json.MemberEnd() || !member->value.IsInt64()) {
      return absl::InvalidArgumentError(std::string(name) + " is no whole number");
    }
    *number = member->value.GetInt64();
  }
  for (auto [name, text] :
       {std::pair("customer", &order.customer), std::pair("currency", &order.currency),
        std::pair("card", &order.card), std::pair("channel", &order.channel)}) {
    const auto member = json.FindMember(name);
    if (member == json.MemberEnd() || !member->value.IsString()) {
      return absl::InvalidArgumentError(std::string(name) + " is no text");
    }
    text->assign(member->value.GetString(), member->value.GetStringLength());
  }
  return order;
}

}  // namespace

uint64_t Draw(uint64_t seed, std::string_view what, int64_t order, int64_t attempt) {
  // FNV-1a over the text, then one round of splitmix64, so that neighbouring orders differ.
  uint64_t z = 0xcbf29ce484222325u ^ seed;
  for (char c : what) z = (z ^ static_cast<unsigned char>(c)) * 0x100000001b3u;
  z += static_cast<uint64_t>(order) * 0x9e3779b97f4a7c15u + static_cast<uint64_t>(attempt);
  z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9u;
  z = (z ^ (z >> 27)) * 0x94d049bb133111ebu;
  return z ^ (z >> 31);
}

Order MakeOrder(uint64_t seed, int64_t number) {
  static constexpr const char* kChannels[] = {"email", "email", "sms", "push"};
  Order order;
  order.number = number;
  order.customer = "c-" + std::to_string(Draw(seed, "customer", number) % 5'000);
  order.channel = kChannels[Draw(seed, "channel", number) % std::size(kChannels)];
  const bool is_free = Draw(seed, "free", number) % 20 == 0;
  order.cents = is_free ? 0 : 100 + static_cast<int64_t>(Draw(seed, "price", number) % 60'000);
  const bool is_gift_card = !is_free && Draw(seed, "gift", number) % 10 == 0;
  order.parcels = is_gift_card ? 0 : 1 + static_cast<int64_t>(Draw(seed, "size", number) % 3);
  // Two kinds of trouble for the payment module: a currency it has not learnt yet, and a card
  // number that nobody can read.
  order.currency = Draw(seed, "currency", number) % 300 == 0 ? "ISK" : "EUR";
  order.card = Draw(seed, "card", number) % 3'000 == 0 ? "4000 00?? ????" : "4000 1234 5678";
  return order;
}

std::string ToJson(const Order& order) {
  rapidjson::StringBuffer buffer;
  rapidjson::Writer<rapidjson::StringBuffer> json(buffer);
  json.StartObject();
  json.Key("order");
  json.Int64(order.number);
  json.Key("cents");
  json.Int64(order.cents);
  json.Key("parcels");
  json.Int64(order.parcels);
  json.Key("customer");
  json.String(order.customer.c_str());
  json.Key("currency");
  json.String(order.currency.c_str());
  json.Key("card");
  json.String(order.card.c_str());
  json.Key("channel");
  json.String(order.channel.c_str());
  json.EndObject();
  return {buffer.GetString(), buffer.GetSize()};
}

absl::StatusOr<Order> ParseOrder(std::string_view json) {
  rapidjson::Document document;
  document.Parse(json.data(), json.size());
  if (document.HasParseError() || !document.IsObject()) {
    return absl::InvalidArgumentError("the order is no JSON object");
  }
  return FromJson(document);
}

absl::StatusOr<OrderEvent> ParseEvent(std::string_view envelope) {
  rapidjson::Document document;
  document.Parse(envelope.data(), envelope.size());
  if (document.HasParseError() || !document.IsObject()) {
    return absl::InvalidArgumentError("the event is no JSON object");
  }
  const rapidjson::Value& event = document;
  const auto type = event.FindMember("detail-type");
  const auto detail = event.FindMember("detail");
  if (type == event.MemberEnd() || !type->value.IsString() || detail == event.MemberEnd() ||
      !detail->value.IsObject()) {
    return absl::InvalidArgumentError("the event has no detail-type or no detail");
  }
  absl::StatusOr<Order> order = FromJson(detail->value);
  if (!order.ok()) return order.status();
  return OrderEvent{.type = type->value.GetString(), .order = *std::move(order)};
}

absl::Status Tell(const banyan::EventBus& bus, std::string_view source, std::string_view type,
                  const Order& order) {
  return bus
      .Put({.source = std::string(source),
            .detail_type = std::string(type),
            .detail = ToJson(order)})
      .status();
}

}  // namespace shop
