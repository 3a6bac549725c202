// SPDX-License-Identifier: Apache-2.0
//
// Typed: a topic, bus or queue that speaks in a struct of yours. What travels is the text your codec
// makes of it, so that filters, rules, logs and readers in other languages see plain JSON.
//
//   struct OrderPlaced {
//     std::string id;
//     double total = 0;
//   };
//
//   template <>
//   struct banyan::EventCodec<OrderPlaced> {
//     static constexpr std::string_view kName = "OrderPlaced";    // on a bus: the detail type
//     static constexpr std::string_view kSource = "shop.orders";  // for buses only
//     static std::string Encode(const OrderPlaced& order);        // or absl::StatusOr<std::string>
//     static absl::StatusOr<OrderPlaced> Decode(std::string_view text);
//     // Optional: what filter policies on attributes look at.
//     static banyan::Attributes MakeAttributes(const OrderPlaced& order);
//   };
//
//   Typed<EventBus, OrderPlaced> placed(shop);
//   placed.Put({.id = "o-1", .total = 120}).value();
//
//   Consumer billing = Consumer::Start(inbox, {}, Decoded<OrderPlaced>(Wrapping::kEvent,
//       [&](const OrderPlaced& order) { return ledger.Charge(order); })).value();
//
// The codec is a trait, so a struct that several modules share needs nothing of this library and
// may be anybody's. Banyan brings no JSON library for it. Who only publishes needs Encode only, who
// only receives Decode only. On a bus the text has to be a JSON object; elsewhere any text will do.
//
// Errors    What the codec says, with its code, and the event's name in front. An event that does
//           not encode reaches nobody. A body that does not decode never reaches the handler: the
//           attempt fails with that error, so after the last one the dead-letter queue tells why
//           (Queue::Explain). A codec that throws: publishing throws, an attempt fails.
// Threads   As the handle inside. The codec's functions are called on the caller's or handler's
//           thread, from several at once, under no lock.
// Lifetime  A Typed is a handle, as what it holds.
#ifndef BANYAN_TYPED_H_
#define BANYAN_TYPED_H_

#include <concepts>
#include <string>
#include <string_view>
#include <type_traits>
#include <utility>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "banyan/attributes.h"
#include "banyan/envelope.h"
#include "banyan/event_bus.h"
#include "banyan/function.h"
#include "banyan/queue.h"
#include "banyan/received.h"
#include "banyan/topic.h"

namespace banyan::inline v0_1 {

// Specialise it for your struct, as above.
template <typename T>
struct EventCodec;

// --- What of a codec is there ---------------------------------------------------------------------

template <typename T>
concept NamedEvent = requires {
  { EventCodec<T>::kName } -> std::convertible_to<std::string_view>;
};

template <typename T>
concept EncodableEvent = NamedEvent<T> && requires(const T& event) {
  { EventCodec<T>::Encode(event) } -> std::convertible_to<absl::StatusOr<std::string>>;
};

template <typename T>
concept DecodableEvent = NamedEvent<T> && requires(std::string_view text) {
  { EventCodec<T>::Decode(text) } -> std::convertible_to<absl::StatusOr<T>>;
};

template <typename T>
concept BusEvent = EncodableEvent<T> && requires {
  { EventCodec<T>::kSource } -> std::convertible_to<std::string_view>;
};

template <typename T>
concept AttributedEvent = requires(const T& event) {
  { EventCodec<T>::MakeAttributes(event) } -> std::convertible_to<Attributes>;
};

// --- From an event to a text and back -------------------------------------------------------------

// What lies around the event in a message's body.
enum class Wrapping {
  kNone,          // sent to a queue, through a raw subscription, or by a topic to a function; or
                  // by a rule whose target has InputPath("$.detail")
  kNotification,  // by a topic to a queue, not raw
  kEvent,         // by a rule of a bus; its detail type must be the event's name
};

template <typename T>
absl::StatusOr<std::string> EncodeEvent(const T& event) {
  static_assert(EncodableEvent<T>,
                "EventCodec<T> needs kName and Encode(const T&) -> std::string or "
                "absl::StatusOr<std::string>; see banyan/typed.h");
  absl::StatusOr<std::string> text = EventCodec<T>::Encode(event);
  if (text.ok()) return text;
  const std::string why(text.status().message().data(), text.status().message().size());
  return absl::Status(text.status().code(), std::string(std::string_view(EventCodec<T>::kName)) +
                                                " does not encode: " + why);
}

template <typename T>
absl::StatusOr<T> DecodeEvent(std::string_view body, Wrapping wrapping = Wrapping::kNone) {
  static_assert(DecodableEvent<T>,
                "EventCodec<T> needs kName and Decode(std::string_view) -> absl::StatusOr<T>; see "
                "banyan/typed.h");
  const auto refuse = [](const absl::Status& status) {
    const std::string why(status.message().data(), status.message().size());
    return absl::Status(status.code(), std::string(std::string_view(EventCodec<T>::kName)) +
                                           " does not decode: " + why);
  };
  std::string message;  // what the view looks at, of a notification
  std::string_view text = body;
  if (wrapping == Wrapping::kNotification) {
    absl::StatusOr<std::string> unwrapped = UnwrapNotification(body);
    if (!unwrapped.ok()) return refuse(unwrapped.status());
    message = *std::move(unwrapped);
    text = message;
  } else if (wrapping == Wrapping::kEvent) {
    absl::StatusOr<UnwrappedEvent> unwrapped = UnwrapEvent(body);
    if (!unwrapped.ok()) return refuse(unwrapped.status());
    if (unwrapped->detail_type != std::string_view(EventCodec<T>::kName)) {
      return refuse(
          absl::InvalidArgumentError("the event's detail type is " + unwrapped->detail_type));
    }
    text = unwrapped->detail;
  }
  absl::StatusOr<T> event = EventCodec<T>::Decode(text);
  if (!event.ok()) return refuse(event.status());
  return event;
}

namespace internal {

// The codec's attributes under those that the caller gave.
template <typename T>
Attributes AttributesOf(const T& event, const Attributes& given) {
  if constexpr (AttributedEvent<T>) {
    Attributes all = EventCodec<T>::MakeAttributes(event);
    for (const auto& [name, value] : given) all.Set(name, value);
    return all;
  } else {
    return given;
  }
}

}  // namespace internal

// --- Handles --------------------------------------------------------------------------------------

// Each has a verb that sends, and one that only makes the request, for an Outbox or an Explain.
// `rest` is the request without what the codec says: subject, group, trace header and the like. Its
// attributes are added to the codec's; where both have a name, its value counts.
//
// Errors  of the codec, and those of the verb.
template <typename Resource, typename T>
class Typed;

template <typename T>
class Typed<Topic, T> {
  static_assert(EncodableEvent<T>,
                "Typed<Topic, T>: EventCodec<T> needs kName and Encode(const T&); see "
                "banyan/typed.h");

 public:
  explicit Typed(Topic topic) : topic_(std::move(topic)) {}

  absl::StatusOr<PublishRequest> MakeRequest(const T& event, PublishRequest rest = {}) const {
    absl::StatusOr<std::string> body = EncodeEvent(event);
    if (!body.ok()) return body.status();
    rest.body = *body;
    rest.attributes = internal::AttributesOf(event, rest.attributes);
    return rest;
  }

  absl::StatusOr<PublishResult> Publish(const T& event, PublishRequest rest = {}) const {
    absl::StatusOr<PublishRequest> request = MakeRequest(event, std::move(rest));
    if (!request.ok()) return request.status();
    return topic_.Publish(*std::move(request));
  }

  const Topic& topic() const { return topic_; }

 private:
  Topic topic_;
};

template <typename T>
class Typed<EventBus, T> {
  static_assert(BusEvent<T>,
                "Typed<EventBus, T>: EventCodec<T> needs kName, kSource and Encode(const T&); see "
                "banyan/typed.h");

 public:
  explicit Typed(EventBus bus) : bus_(std::move(bus)) {}

  // A source that `rest` has stays.
  absl::StatusOr<EventEntry> MakeEntry(const T& event, EventEntry rest = {}) const {
    absl::StatusOr<std::string> detail = EncodeEvent(event);
    if (!detail.ok()) return detail.status();
    rest.detail = *std::move(detail);
    rest.detail_type = std::string_view(EventCodec<T>::kName);
    if (rest.source.empty()) rest.source = std::string_view(EventCodec<T>::kSource);
    return rest;
  }

  absl::StatusOr<Id> Put(const T& event, EventEntry rest = {}) const {
    absl::StatusOr<EventEntry> entry = MakeEntry(event, std::move(rest));
    if (!entry.ok()) return entry.status();
    return bus_.Put(*std::move(entry));
  }

  const EventBus& bus() const { return bus_; }

 private:
  EventBus bus_;
};

// A message and what it says. The message is there also if it does not decode: somebody has to
// settle it.
template <typename T>
struct ReceivedEvent {
  Received message;
  absl::StatusOr<T> event;
};

template <typename T>
class Typed<Queue, T> {
  static_assert(EncodableEvent<T> || DecodableEvent<T>,
                "Typed<Queue, T>: EventCodec<T> needs kName, and Encode(const T&) or "
                "Decode(std::string_view); see banyan/typed.h");

 public:
  // `wrapping` is for receiving.
  explicit Typed(Queue queue, Wrapping wrapping = Wrapping::kNone)
      : queue_(std::move(queue)), wrapping_(wrapping) {}

  absl::StatusOr<SendRequest> MakeRequest(const T& event, SendRequest rest = {}) const {
    absl::StatusOr<std::string> body = EncodeEvent(event);
    if (!body.ok()) return body.status();
    rest.body = *body;
    rest.attributes = internal::AttributesOf(event, rest.attributes);
    return rest;
  }

  absl::StatusOr<SendResult> Send(const T& event, SendRequest rest = {}) const {
    absl::StatusOr<SendRequest> request = MakeRequest(event, std::move(rest));
    if (!request.ok()) return request.status();
    return queue_.Send(*std::move(request));
  }

  // As Queue::Receive. One body that does not decode does not keep the others out.
  absl::StatusOr<std::vector<ReceivedEvent<T>>> Receive(ReceiveOptions options = {}) const {
    absl::StatusOr<std::vector<Received>> received = queue_.Receive(std::move(options));
    if (!received.ok()) return received.status();
    std::vector<ReceivedEvent<T>> events;
    events.reserve(received->size());
    for (Received& message : *received) {
      absl::StatusOr<T> event = DecodeEvent<T>(message.body(), wrapping_);
      events.push_back({std::move(message), std::move(event)});
    }
    return events;
  }

  const Queue& queue() const { return queue_; }

 private:
  Queue queue_;
  Wrapping wrapping_;
};

// --- Handlers -------------------------------------------------------------------------------------

// A handler of T made into one of messages: of a queue's consumer, or of a function. `Handler` is
// called as (const T&), or as (const T&, const Received&) and (const T&, const FunctionEvent&) if it
// wants to see the rest, and answers absl::Status.
template <typename T, typename Handler>
class DecodedHandler {
 public:
  DecodedHandler(Wrapping wrapping, Handler handler)
      : wrapping_(wrapping), handler_(std::move(handler)) {}

  absl::Status operator()(const Received& message) const { return Handle(message.body(), message); }
  absl::Status operator()(const FunctionEvent& event) const { return Handle(event.body, event); }

 private:
  template <typename Message>
  absl::Status Handle(std::string_view body, const Message& message) const {
    constexpr bool kWantsMessage =
        std::is_invocable_r_v<absl::Status, const Handler&, const T&, const Message&>;
    static_assert(
        kWantsMessage || std::is_invocable_r_v<absl::Status, const Handler&, const T&>,
        "the handler is called as (const T&) or (const T&, const Received&), for a function (const "
        "T&, const FunctionEvent&), is const and answers absl::Status");
    const absl::StatusOr<T> event = DecodeEvent<T>(body, wrapping_);
    if (!event.ok()) return event.status();
    if constexpr (kWantsMessage) {
      return handler_(*event, message);
    } else {
      return handler_(*event);
    }
  }

  Wrapping wrapping_;
  Handler handler_;
};

//   Consumer::Start(inbox, {}, Decoded<OrderPlaced>([](const OrderPlaced& order) { ... }));
//   broker.CreateFunction("audit", {}, Decoded<OrderPlaced>(Wrapping::kEvent, ...));
template <typename T, typename Handler>
DecodedHandler<T, Handler> Decoded(Wrapping wrapping, Handler handler) {
  return {wrapping, std::move(handler)};
}
template <typename T, typename Handler>
DecodedHandler<T, Handler> Decoded(Handler handler) {
  return {Wrapping::kNone, std::move(handler)};
}

}  // namespace banyan::inline v0_1

#endif  // BANYAN_TYPED_H_
