// SPDX-License-Identifier: Apache-2.0
//
// Function: a C++ callable that topics and buses deliver to, as they would to a Lambda function.
//
//   Function audit = broker.CreateFunction("audit", {}, [&](const FunctionEvent& event) {
//     return log.Append(event.body);  // an error of any code, or a throw: a failed attempt
//   }).value();
//   topic.Subscribe(audit).value();
//
// A failed attempt is its rule's or subscription's to repeat, and to give to the dead-letter queue.
// (On AWS an event is delivered once Lambda has it, and Lambda calls a function that fails twice
// more, by rules of its own. Here nobody stands between.)
//
// A function runs on the broker's Runtime, never inside the publisher's call (unless its
// subscription asks for that: SubscriptionOptions::call_inline), and never under a lock of the
// library: it may publish, send, delete its own topic, or stop the broker.
//
// Threads   The handler is const and may run on several threads at once, at most `concurrency`
//           (and beside that on the threads of those who publish to it inline).
//           With concurrency 1, deliveries run in the order in which they were accepted.
// Lifetime  A Function is a handle, as Queue is. What the handler refers to must outlive
//           Broker::DeleteFunction() or Broker::Stop(), whichever comes first.
// Source    docs.aws.amazon.com/lambda/latest/dg/with-sns.html
#ifndef BANYAN_FUNCTION_H_
#define BANYAN_FUNCTION_H_

#include <cstdint>
#include <memory>
#include <string>
#include <string_view>

#include "absl/functional/any_invocable.h"
#include "absl/status/status.h"
#include "absl/time/time.h"
#include "banyan/arn.h"
#include "banyan/attributes.h"
#include "banyan/export.h"
#include "banyan/id.h"

namespace banyan::inline v0_1 {

namespace internal {
class FunctionCore;
struct Delivery;
}  // namespace internal

// What a handler is called with. The views live as long as the call.
struct BANYAN_EXPORT FunctionEvent {
  std::string_view body;                   // of a topic: the message; of a bus: the event's JSON
  const Attributes* attributes = nullptr;  // never null
  std::string_view subject;                // of a topic's message; may be empty
  std::string_view source_arn;             // the subscription or rule it comes through
  Id event_id;                             // given at first acceptance, kept over every hop
  std::string_view trace_header;           // as the publisher gave it; may be empty
  absl::Time accepted_time;
  int64_t attempt = 1;  // 1 at the first attempt

  // The JSON that Lambda would hand to a function: of a topic SNS's event with one record, rendered
  // now; of a bus the event itself, which is `body`. Within the call only.
  // Source  docs.aws.amazon.com/lambda/latest/dg/with-sns.html
  std::string LambdaEvent() const;

  // For the library's own rooms.
  const internal::Delivery* delivery = nullptr;
};

using FunctionHandler = absl::AnyInvocable<absl::Status(const FunctionEvent&) const>;

struct FunctionOptions {
  // Calls at once. 1 to 1,000. 1 keeps the order of deliveries.
  int64_t concurrency = 1;

  // Deliveries that wait for a call, at most. A delivery beyond it is refused with
  // kResourceExhausted (TooManyRequestsException) and tried again by the rule or subscription it
  // came through. 1 to 10,000,000.
  int64_t pending_max = 100'000;

  friend bool operator==(const FunctionOptions&, const FunctionOptions&) = default;
};

struct FunctionStats {
  int64_t calls = 0;     // finished
  int64_t failures = 0;  // of these, with an error or a throw
  int64_t running = 0;
  int64_t pending = 0;
  int64_t throttled = 0;  // deliveries refused at pending_max
};

class BANYAN_EXPORT Function {
 public:
  Function() = default;  // names no function

  FunctionStats Stats() const;  // zero of everything when the function is gone
  const Arn& arn() const;
  std::string_view name() const;

  friend bool operator==(const Function&, const Function&) = default;

  // For the library's own rooms.
  explicit Function(std::shared_ptr<internal::FunctionCore> core);
  const std::shared_ptr<internal::FunctionCore>& core() const { return core_; }

 private:
  std::shared_ptr<internal::FunctionCore> core_;
};

}  // namespace banyan::inline v0_1

#endif  // BANYAN_FUNCTION_H_
