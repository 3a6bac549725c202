// SPDX-License-Identifier: Apache-2.0
//
// Topology: what a broker holds and who delivers to whom, as a value; what in it looks wrong; and a
// picture.
//
//   Topology wiring = broker.Topology().value();
//   for (const RouteFinding& finding : AnalyzeRoutes(wiring)) Print(finding.sentence);
//   Write("wiring.dot", TopologyDot(wiring));      // dot -Tsvg wiring.dot > wiring.svg
//
// A test of an application's wiring is then one line: no finding is an error.
//
// What the analysis says is true of the topology it was given. It knows nothing of code: not of
// whoever sends into queues directly, of what handlers send, of what a function publishes.
//
// Threads   Pure functions over values. Broker::Topology() takes the lock of one resource after the
//           other: a change that runs meanwhile may be seen in part.
#ifndef BANYAN_TOPOLOGY_H_
#define BANYAN_TOPOLOGY_H_

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "absl/time/time.h"
#include "absl/types/span.h"
#include "banyan/export.h"
#include "banyan/topic.h"

namespace banyan::inline v0_1 {

struct TopologyNode {
  enum class Kind {
    kQueue,
    kTopic,
    kSubscription,  // of a topic, from which an edge leads to it
    kEventBus,
    kRule,  // of a bus, likewise
    kStream,
    kFunction,
    kArchive,
    kSchedule,
    kConsumer,  // of a queue, from which an edge leads to it; all consumers of one queue are one
    kWorker,    // of a stream, likewise; all of one application are one
    kMapping,   // of a stream, likewise; all of one name are one
    kEndpoint,  // a target outside of the broker
  };
  Kind kind = Kind::kQueue;
  std::string arn = {};  // a reader's, which has none: "worker:totals@arn:aws:kinesis:..."
  std::string name = {};

  bool fifo = false;     // a queue or topic
  bool enabled = true;   // a rule, schedule, mapping or consumer; others always
  bool is_gone = false;  // deleted; it is here because somebody still delivers to it

  // A rule's, subscription's or archive's filter; empty: none.
  std::string pattern = {};
  FilterPolicyScope filter_policy_scope = FilterPolicyScope::kMessageAttributes;
  std::string schedule_expression = {};  // a rule's or schedule's

  // A queue's.
  bool content_based_deduplication = false;
  absl::Duration retention = absl::ZeroDuration();
  int64_t max_receive_count = 0;  // 0: no redrive policy
};

struct TopologyEdge {
  enum class Kind {
    kHolds,        // a topic its subscription, a bus its rule
    kDelivers,     // to a target
    kDeadLetters,  // what is given up goes there
    kArchives,     // a bus to its archive
    kReplays,      // an archive to its bus, when somebody starts a replay
    kRead,         // a queue or stream by a consumer, worker or mapping of this process
  };
  Kind kind = Kind::kDelivers;
  std::string from = {};  // ARNs of nodes
  std::string to = {};
  std::string target_id = {};  // of a rule's target and its dead-letter queue
  bool is_gone = false;        // it leads to what was deleted, also if the name is in use again
};

// Nodes by kind, then by name; edges by their ends.
struct Topology {
  std::vector<TopologyNode> nodes = {};
  std::vector<TopologyEdge> edges = {};
};

struct RouteFinding {
  enum class Severity {
    kNote,     // may well be meant
    kWarning,  // events may get lost, or come where nobody looks
    kError,    // events do get lost, or nothing can ever come this way
  };
  enum class Kind {
    kCycle,                  // an event could come round: what comes back is refused
    kDeadLetterFeedsSource,  // what is given up comes back to who gave it up
    kNeverMatches,           // no event can match the rule's, subscription's or archive's pattern
    kTargetGone,             // delivers to what was deleted
    kFifoWithoutIds,         // a FIFO queue that no delivery of a rule or schedule can enter
    kRuleDisabled,           // so is a schedule
    kRuleWithoutTargets,
    kTopicWithoutSubscriptions,
    kBusWithoutRules,
    kFifoIntoStandard,          // order ends here
    kNoDeadLetterQueue,         // what a rule, subscription or schedule gives up is dropped
    kNoRedrivePolicy,           // of a queue: what always fails comes back until its retention ends
    kSharedDeadLetterQueue,     // dead letters lie among live work
    kShortDeadLetterRetention,  // dead letters may be gone sooner than in the queue they came from
    kNobodyDelivers,            // to a queue or function: only code could
  };
  Severity severity = Severity::kNote;
  Kind kind = Kind::kCycle;
  std::vector<std::string> resources = {};  // ARNs; the first is the one to look at
  std::string sentence = {};
};

// "queue", "never-matches", "warning": stable names for machines.
BANYAN_EXPORT std::string_view TopologyKindName(TopologyNode::Kind kind);
BANYAN_EXPORT std::string_view RouteFindingName(RouteFinding::Kind kind);
BANYAN_EXPORT std::string_view SeverityName(RouteFinding::Severity severity);

// Errors first, then warnings, then notes; within these by resource.
BANYAN_EXPORT std::vector<RouteFinding> AnalyzeRoutes(const Topology& topology);

// "warning: queue jobs has ... [no-redrive-policy]", a line each.
BANYAN_EXPORT std::string ToString(absl::Span<const RouteFinding> findings);

// A digraph in Graphviz's language: a shape for each kind, dead letters dashed, what is deleted or
// disabled grey. The same topology gives the same text.
BANYAN_EXPORT std::string TopologyDot(const Topology& topology);

}  // namespace banyan::inline v0_1

#endif  // BANYAN_TOPOLOGY_H_
