// SPDX-License-Identifier: Apache-2.0
//
// Typed events: two modules share a struct and its codec; what travels is JSON that anybody can read,
// filter and store. A body that is no such event never reaches the handler, and the dead-letter queue
// says why.
#include <rapidjson/document.h>
#include <rapidjson/stringbuffer.h>
#include <rapidjson/writer.h>

#include <cstdio>
#include <latch>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "banyan/banyan.h"

// --- What the modules share: this would be a header of its own.

struct OrderPlaced {
  std::string id;
  std::string tenant;
  double total = 0;
};

template <>
struct banyan::EventCodec<OrderPlaced> {
  static constexpr std::string_view kName = "OrderPlaced";

  static std::string Encode(const OrderPlaced& order) {
    rapidjson::StringBuffer text;
    rapidjson::Writer<rapidjson::StringBuffer> json(text);
    json.StartObject();
    json.Key("id");
    json.String(order.id.c_str());
    json.Key("total");
    json.Double(order.total);
    json.Key("tenant");
    json.String(order.tenant.c_str());
    json.EndObject();
    return text.GetString();
  }

  static absl::StatusOr<OrderPlaced> Decode(std::string_view text) {
    rapidjson::Document json;
    json.Parse(text.data(), text.size());
    if (!json.IsObject()) return absl::InvalidArgumentError("it is no JSON object");
    for (const char* name : {"id", "tenant"}) {
      if (!json.HasMember(name) || !json[name].IsString()) {
        return absl::InvalidArgumentError(std::string(name) + " is missing");
      }
    }
    if (!json.HasMember("total") || !json["total"].IsNumber()) {
      return absl::InvalidArgumentError("total is missing");
    }
    return OrderPlaced{json["id"].GetString(), json["tenant"].GetString(),
                       json["total"].GetDouble()};
  }

  // What filter policies on attributes look at.
  static Attributes MakeAttributes(const OrderPlaced& order) { return {{"tenant", order.tenant}}; }
};

int main() {
  using namespace banyan;

  std::unique_ptr<Runtime> runtime = NewThreadedRuntime();
  Broker broker = Broker::Create(*runtime, {}).value();
  Topic orders = broker.CreateTopic("orders").value();
  Queue dead = broker.CreateQueue("billing-dead").value();
  Queue inbox = broker
                    .CreateQueue("billing", {.redrive = RedrivePolicy{.dead_letter = dead.arn(),
                                                                      .max_receive_count = 1}})
                    .value();
  orders.Subscribe(inbox, {.filter_policy = R"({"tenant": ["acme"]})", .raw = true}).value();

  // Billing handles orders, not texts.
  std::latch billed(2);
  const auto bill = [&billed](const OrderPlaced& order) {
    std::printf("billing: %s for %s, %.2f\n", order.id.c_str(), order.tenant.c_str(), order.total);
    billed.count_down();
    return absl::OkStatus();
  };
  Consumer billing = Consumer::Start(inbox, {.retry = Retry{.first = absl::ZeroDuration()}},
                                     Decoded<OrderPlaced>(bill))
                         .value();

  // And so does who places them.
  const Typed<Topic, OrderPlaced> placed(orders);
  placed.Publish({.id = "o-1", .tenant = "acme", .total = 120}).value();
  placed.Publish({.id = "o-2", .tenant = "globex", .total = 80}).value();  // filtered out
  placed.Publish({.id = "o-3", .tenant = "acme", .total = 7.5}).value();
  billed.wait();

  // Somebody else writes to the topic, by hand and with a mistake.
  orders.Publish({.body = R"({"id": "o-4", "tenant": "acme"})", .attributes = {{"tenant", "acme"}}})
      .value();
  const std::vector<Received> lost = dead.Receive({.wait = absl::Seconds(20)}).value();
  if (lost.empty()) return 1;
  std::printf("%s", dead.Explain(lost[0].id()).value().c_str());
}
