// SPDX-License-Identifier: Apache-2.0
//
// Router: a bus with the rules of a file, and the queues and streams they name. Queues are consumed
// as fast as events come, streams keep their newest records: memory stays bounded on any input.
#ifndef BANYAN_EXAMPLES_REPLAY_ROUTER_H_
#define BANYAN_EXAMPLES_REPLAY_ROUTER_H_

#include <cstdint>
#include <map>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/types/span.h"
#include "banyan/broker.h"
#include "banyan/consumer.h"
#include "banyan/runtime.h"
#include "rules.h"

namespace replay {

class Router {
 public:
  // `runtime` has no threads of its own: Router's caller is the one who runs it.
  //
  // Errors  what the library says of a name or a pattern, with the rule's name in front.
  static absl::StatusOr<std::unique_ptr<Router>> Create(banyan::ThreadedRuntime& runtime,
                                                        absl::Span<const RuleSpec> rules);

  // Routes one event in its envelope, and says whether any rule wanted it. Now and then it first
  // lets the consumers empty their queues.
  absl::StatusOr<bool> Put(std::string_view event);

  // Lets the consumers run until all queues are empty.
  void Drain();

  absl::StatusOr<std::vector<banyan::RuleExplanation>> Explain(std::string_view event) const {
    return bus_.Explain(event);
  }

  // Prints what went where. False if it does not add up.
  bool PrintReport() const;

 private:
  struct Inbox {
    banyan::Queue queue;
    int64_t settled = 0;        // by the consumer's own count
    banyan::Consumer consumer;  // last, so it stops before what it refers to goes
  };

  Router(banyan::ThreadedRuntime& runtime, banyan::Broker broker)
      : runtime_(runtime), broker_(std::move(broker)) {}

  absl::Status AddRule(const RuleSpec& spec);
  absl::StatusOr<banyan::Target> FindOrCreate(const TargetSpec& spec);
  bool AllEmpty() const;

  banyan::ThreadedRuntime& runtime_;
  banyan::Broker broker_;
  banyan::EventBus bus_;
  std::vector<banyan::Rule> rules_;
  std::map<std::string, banyan::Stream> streams_;
  std::map<std::string, Inbox> inboxes_;  // nodes do not move: consumers refer to them
  int64_t events_since_drain_ = 0;
  size_t bytes_since_drain_ = 0;
};

}  // namespace replay

#endif  // BANYAN_EXAMPLES_REPLAY_ROUTER_H_
