// SPDX-License-Identifier: Apache-2.0
//
// lib/broker/route_analysis.cc -- floor 6: what looks wrong in a topology.
//
// Every sentence is proved from the topology alone: where code could make it untrue (who sends into
// a queue directly, what a handler publishes), it is a note, and says so.
#include <algorithm>
#include <map>
#include <set>
#include <string>
#include <string_view>
#include <tuple>
#include <utility>
#include <vector>

#include "banyan/lint.h"
#include "banyan/topology.h"
#include "base/strings.h"
#include "message/arn_words.h"

namespace banyan::inline v0_1 {

namespace {

using internal::ArnWords;
using internal::StrCat;
using Edge = TopologyEdge;
using Finding = RouteFinding;
using Node = TopologyNode;
using Severity = RouteFinding::Severity;

class Analyst {
 public:
  explicit Analyst(const Topology& topology) {
    for (const Node& node : topology.nodes) nodes_.emplace(node.arn, &node);
    for (const Edge& edge : topology.edges) {
      from_[edge.from].push_back(&edge);
      to_[edge.to].push_back(&edge);
    }
  }

  std::vector<Finding> Analyze() {
    for (const auto& [arn, node] : nodes_) {
      switch (node->kind) {
        case Node::Kind::kQueue:
          AnalyzeQueue(*node);
          break;
        case Node::Kind::kTopic:
          AnalyzeTopic(*node);
          break;
        case Node::Kind::kEventBus:
          AnalyzeBus(*node);
          break;
        case Node::Kind::kRule:
        case Node::Kind::kSubscription:
        case Node::Kind::kSchedule:
          AnalyzeSource(*node);
          break;
        case Node::Kind::kArchive:
          AnalyzePattern(*node);
          break;
        case Node::Kind::kFunction:
          AnalyzeInflow(*node);
          break;
        case Node::Kind::kStream:
        case Node::Kind::kConsumer:
        case Node::Kind::kWorker:
        case Node::Kind::kMapping:
        case Node::Kind::kEndpoint:
          break;
      }
    }
    FindBusCycles();
    FindDeadLetterCycles();
    std::stable_sort(findings_.begin(), findings_.end(), [](const Finding& a, const Finding& b) {
      return std::tuple(-static_cast<int>(a.severity), a.resources.front(), a.kind) <
             std::tuple(-static_cast<int>(b.severity), b.resources.front(), b.kind);
    });
    return std::move(findings_);
  }

 private:
  using Edges = std::vector<const Edge*>;

  void Report(Severity severity, Finding::Kind kind, std::vector<std::string> resources,
              std::string sentence) {
    findings_.push_back({severity, kind, std::move(resources), std::move(sentence)});
  }

  static const Edges& EdgesOf(const std::map<std::string_view, Edges>& map, std::string_view arn) {
    static const Edges& none = *new Edges();  // never destroyed
    const auto found = map.find(arn);
    return found == map.end() ? none : found->second;
  }
  Edges From(const Node& node, Edge::Kind kind) const {
    Edges edges;
    for (const Edge* edge : EdgesOf(from_, node.arn)) {
      if (edge->kind == kind) edges.push_back(edge);
    }
    return edges;
  }
  Edges To(const Node& node, Edge::Kind kind) const {
    Edges edges;
    for (const Edge* edge : EdgesOf(to_, node.arn)) {
      if (edge->kind == kind) edges.push_back(edge);
    }
    return edges;
  }
  const Node* Find(std::string_view arn) const {
    const auto found = nodes_.find(arn);
    return found == nodes_.end() ? nullptr : found->second;
  }

  void AnalyzeQueue(const Node& queue) {
    if (queue.is_gone) return;
    AnalyzeInflow(queue);
    const Edges dead_letters = To(queue, Edge::Kind::kDeadLetters);
    const Edges deliveries = To(queue, Edge::Kind::kDelivers);
    if (!dead_letters.empty() && !deliveries.empty()) {
      Report(Severity::kWarning, Finding::Kind::kSharedDeadLetterQueue,
             {queue.arn, dead_letters.front()->from, deliveries.front()->from},
             StrCat("dead letters of ", ArnWords(dead_letters.front()->from), " come into ",
                    ArnWords(queue.arn), ", where ", ArnWords(deliveries.front()->from),
                    " delivers live work"));
    }
    const Edges redrive = From(queue, Edge::Kind::kDeadLetters);
    if (redrive.empty()) {
      if (!dead_letters.empty()) return;  // a dead-letter queue needs none of its own
      Report(Severity::kNote, Finding::Kind::kNoRedrivePolicy, {queue.arn},
             StrCat(ArnWords(queue.arn),
                    " has no redrive policy: a message that always fails comes back until its "
                    "retention ends"));
      return;
    }
    const Edge& to = *redrive.front();
    if (to.is_gone) {
      Report(Severity::kError, Finding::Kind::kTargetGone, {queue.arn, to.to},
             StrCat("the dead-letter queue of ", ArnWords(queue.arn), ", ", ArnWords(to.to),
                    ", does not exist: messages stay after their last attempt"));
      return;
    }
    // In a FIFO queue a dead letter begins a new life; in a standard one it keeps its age.
    const Node* dead = Find(to.to);
    if (dead != nullptr && !queue.fifo && dead->retention < queue.retention) {
      Report(
          Severity::kWarning, Finding::Kind::kShortDeadLetterRetention, {queue.arn, dead->arn},
          StrCat(ArnWords(dead->arn), " keeps messages for ", absl::FormatDuration(dead->retention),
                 ", ", ArnWords(queue.arn), " for ", absl::FormatDuration(queue.retention),
                 ": a dead letter keeps its age, and may be gone on arrival"));
    }
  }

  // Somebody has to deliver, or it is code that does.
  void AnalyzeInflow(const Node& node) {
    if (node.is_gone || !EdgesOf(to_, node.arn).empty()) return;
    Report(
        Severity::kNote, Finding::Kind::kNobodyDelivers, {node.arn},
        StrCat("no rule, subscription, schedule or redrive policy delivers to ", ArnWords(node.arn),
               node.kind == Node::Kind::kFunction ? ": it is never called"
                                                  : ": it gets what code sends there"));
  }

  void AnalyzeTopic(const Node& topic) {
    if (topic.is_gone) return;
    const Edges subscriptions = From(topic, Edge::Kind::kHolds);
    if (subscriptions.empty()) {
      Report(Severity::kWarning, Finding::Kind::kTopicWithoutSubscriptions, {topic.arn},
             StrCat(ArnWords(topic.arn),
                    " has no subscriptions: what is published there reaches nobody"));
    }
    if (!topic.fifo) return;
    for (const Edge* held : subscriptions) {
      for (const Edge* edge : EdgesOf(from_, held->to)) {
        const Node* queue = Find(edge->to);
        if (edge->kind != Edge::Kind::kDelivers || queue == nullptr || queue->fifo) continue;
        Report(Severity::kWarning, Finding::Kind::kFifoIntoStandard, {topic.arn, queue->arn},
               StrCat(ArnWords(topic.arn), " is FIFO and ", ArnWords(queue->arn),
                      " is not: there the order of groups ends, and so does deduplication"));
      }
    }
  }

  void AnalyzeBus(const Node& bus) {
    if (bus.is_gone || !EdgesOf(from_, bus.arn).empty()) return;
    // Every broker has the default bus, wanted or not.
    if (bus.name == "default" && EdgesOf(to_, bus.arn).empty()) return;
    Report(Severity::kNote, Finding::Kind::kBusWithoutRules, {bus.arn},
           StrCat(ArnWords(bus.arn), " has neither rules nor archives: its events reach nobody"));
  }

  void AnalyzePattern(const Node& node) {
    if (node.pattern.empty()) return;
    LintOptions options = {.limits = Limits::Relaxed()};
    if (node.kind == Node::Kind::kSubscription) {
      const bool is_for_bodies = node.filter_policy_scope == FilterPolicyScope::kMessageBody;
      options.language =
          is_for_bodies ? PatternLanguage::kSnsMessageBody : PatternLanguage::kSnsMessageAttributes;
      if (!is_for_bodies) options.envelope = LintEnvelope::kSnsAttributes;
    }
    if (const std::string why = WhyNever(node.pattern, options); !why.empty()) {
      Report(Severity::kError, Finding::Kind::kNeverMatches, {node.arn},
             StrCat(ArnWords(node.arn), " never matches: ", why));
      return;
    }
    // What is in events that PutEvents made is known; those of PutEnveloped may have more.
    if (node.kind == Node::Kind::kSubscription) return;
    options.envelope = LintEnvelope::kEventBus;
    if (const std::string why = WhyNever(node.pattern, options); !why.empty()) {
      Report(Severity::kWarning, Finding::Kind::kNeverMatches, {node.arn},
             StrCat(ArnWords(node.arn), " never matches what Put and PutEvents take: ", why));
    }
  }

  // The linter's proof; empty: it has none.
  static std::string WhyNever(const std::string& pattern, const LintOptions& options) {
    for (LintWarning& warning : LintPattern(pattern, options)) {
      if (warning.kind == LintWarning::Kind::kNeverMatches) return std::move(warning.sentence);
    }
    return {};
  }

  // A rule, subscription or schedule.
  void AnalyzeSource(const Node& source) {
    AnalyzePattern(source);
    if (!source.enabled) {
      Report(Severity::kNote, Finding::Kind::kRuleDisabled, {source.arn},
             StrCat(ArnWords(source.arn), " is disabled"));
    }
    const Edges deliveries = From(source, Edge::Kind::kDelivers);
    if (source.kind == Node::Kind::kRule && deliveries.empty()) {
      Report(Severity::kWarning, Finding::Kind::kRuleWithoutTargets, {source.arn},
             StrCat(ArnWords(source.arn), " has no targets: what it matches goes nowhere"));
    }
    for (const Edge* delivery : deliveries) {
      AnalyzeDelivery(source, *delivery, DeadLetterOf(source, *delivery));
    }
  }

  // Null: it has none.
  const Edge* DeadLetterOf(const Node& source, const Edge& delivery) const {
    for (const Edge* edge : EdgesOf(from_, source.arn)) {
      if (edge->kind == Edge::Kind::kDeadLetters && edge->target_id == delivery.target_id) {
        return edge;
      }
    }
    return nullptr;
  }

  void AnalyzeDelivery(const Node& source, const Edge& delivery, const Edge* dead_letter) {
    const std::string from = ArnWords(source.arn);
    const std::string to = ArnWords(delivery.to);
    if (delivery.is_gone) {
      Report(Severity::kError, Finding::Kind::kTargetGone, {source.arn, delivery.to},
             StrCat(from, " delivers to ", to, ", which was deleted"));
    }
    const Node* target = Find(delivery.to);
    const bool has_ids =
        source.kind == Node::Kind::kSubscription;  // of a FIFO topic, which gives them
    if (!delivery.is_gone && target != nullptr && target->kind == Node::Kind::kQueue &&
        target->fifo && !has_ids && !target->content_based_deduplication) {
      Report(Severity::kError, Finding::Kind::kFifoWithoutIds, {source.arn, target->arn},
             StrCat("no event has a deduplication id, and ", to,
                    " has no content-based deduplication: each delivery of ", from,
                    " is refused for good"));
    }
    if (dead_letter == nullptr) {
      Report(Severity::kWarning, Finding::Kind::kNoDeadLetterQueue, {source.arn, delivery.to},
             StrCat(from, " has no dead-letter queue for ", to,
                    ": a delivery that is given up is dropped"));
      return;
    }
    if (dead_letter->is_gone) {
      Report(Severity::kError, Finding::Kind::kTargetGone, {source.arn, dead_letter->to},
             StrCat("the dead-letter queue of ", from, " for ", to, ", ", ArnWords(dead_letter->to),
                    ", was deleted"));
    }
    const std::vector<std::string> path = RedrivePath(dead_letter->to, delivery.to);
    if (path.empty()) return;
    std::vector<std::string> resources = {source.arn};
    resources.insert(resources.end(), path.begin(), path.end());
    Report(Severity::kWarning, Finding::Kind::kDeadLetterFeedsSource, std::move(resources),
           path.size() == 1
               ? StrCat("the dead-letter queue of ", from, " for ", to, " is ", to, " itself")
               : StrCat("what ", from, " cannot deliver to ", to,
                        " comes there all the same: ", Joined(path)));
  }

  // From one queue to another by redrive policies, both ends included; empty: there is none.
  std::vector<std::string> RedrivePath(const std::string& from, const std::string& to) const {
    std::vector<std::string> path;
    std::set<std::string> seen;
    for (std::string at = from; seen.insert(at).second;) {
      path.push_back(at);
      if (at == to) return path;
      const Node* node = Find(at);
      const Edges next = node == nullptr ? Edges() : From(*node, Edge::Kind::kDeadLetters);
      if (next.empty()) break;
      at = next.front()->to;
    }
    return {};
  }

  static std::string Joined(const std::vector<std::string>& path) {
    std::string text;
    for (const std::string& arn : path) {
      if (!text.empty()) text += " -> ";
      text += ArnWords(arn);
    }
    return text;
  }

  // A queue has one dead-letter queue at most, so a ring is a walk that comes back. Told once, by
  // its smallest member.
  void FindDeadLetterCycles() {
    for (const auto& [arn, node] : nodes_) {
      if (node->kind != Node::Kind::kQueue) continue;
      std::vector<std::string> path = {std::string(arn)};
      std::set<std::string> seen = {std::string(arn)};
      for (;;) {
        const Node* last = Find(path.back());
        const Edges next = last == nullptr ? Edges() : From(*last, Edge::Kind::kDeadLetters);
        if (next.empty()) break;
        path.push_back(next.front()->to);
        if (!seen.insert(path.back()).second) break;
      }
      if (path.size() < 2 || path.back() != arn || *seen.begin() != arn) continue;
      std::vector<std::string> resources(path.begin(), path.end() - 1);
      Report(Severity::kWarning, Finding::Kind::kDeadLetterFeedsSource, std::move(resources),
             StrCat("dead letters go round: ", Joined(path),
                    "; what always fails does so until its retention ends"));
    }
  }

  // Rings of buses by enabled rules. An event that one bus has forwarded is not forwarded again, and
  // never to the bus it is on: so nothing goes round for ever, but what closes the ring is refused.
  void FindBusCycles() {
    for (const auto& [arn, node] : nodes_) {
      if (node->kind != Node::Kind::kEventBus || node->is_gone) continue;
      std::vector<std::string> path = {std::string(arn)};
      std::set<std::string> seen;
      if (!ReachesItself(std::string(arn), std::string(arn), &path, &seen)) continue;
      std::vector<std::string> resources(path.begin(), path.end() - 1);
      Report(
          Severity::kWarning, Finding::Kind::kCycle, std::move(resources),
          StrCat("an event could come round: ", Joined(path),
                 "; a bus does not forward what another has forwarded, nor to itself, so the last "
                 "of these deliveries is refused"));
    }
  }

  // Depth first, over buses that do not sort before the first: each ring is told by its smallest.
  bool ReachesItself(const std::string& first, const std::string& bus,
                     std::vector<std::string>* path, std::set<std::string>* seen) const {
    for (const Edge* held : EdgesOf(from_, bus)) {
      const Node* rule = held->kind == Edge::Kind::kHolds ? Find(held->to) : nullptr;
      if (rule == nullptr || !rule->enabled || rule->pattern.empty()) continue;
      for (const Edge* edge : EdgesOf(from_, rule->arn)) {
        const Node* next = edge->kind == Edge::Kind::kDelivers ? Find(edge->to) : nullptr;
        if (next == nullptr || edge->is_gone || next->kind != Node::Kind::kEventBus) continue;
        path->push_back(rule->arn);
        path->push_back(next->arn);
        if (next->arn == first) return true;
        if (next->arn > first && seen->insert(next->arn).second &&
            ReachesItself(first, next->arn, path, seen)) {
          return true;
        }
        path->resize(path->size() - 2);
      }
    }
    return false;
  }

  std::map<std::string_view, const Node*> nodes_;
  std::map<std::string_view, Edges> from_;
  std::map<std::string_view, Edges> to_;
  std::vector<Finding> findings_;
};

}  // namespace

std::string_view RouteFindingName(RouteFinding::Kind kind) {
  using Kind = RouteFinding::Kind;
  switch (kind) {
    case Kind::kCycle:
      return "cycle";
    case Kind::kDeadLetterFeedsSource:
      return "dead-letter-feeds-source";
    case Kind::kNeverMatches:
      return "never-matches";
    case Kind::kTargetGone:
      return "target-gone";
    case Kind::kFifoWithoutIds:
      return "fifo-without-ids";
    case Kind::kRuleDisabled:
      return "rule-disabled";
    case Kind::kRuleWithoutTargets:
      return "rule-without-targets";
    case Kind::kTopicWithoutSubscriptions:
      return "topic-without-subscriptions";
    case Kind::kBusWithoutRules:
      return "bus-without-rules";
    case Kind::kFifoIntoStandard:
      return "fifo-into-standard";
    case Kind::kNoDeadLetterQueue:
      return "no-dead-letter-queue";
    case Kind::kNoRedrivePolicy:
      return "no-redrive-policy";
    case Kind::kSharedDeadLetterQueue:
      return "shared-dead-letter-queue";
    case Kind::kShortDeadLetterRetention:
      return "short-dead-letter-retention";
    case Kind::kNobodyDelivers:
      return "nobody-delivers";
  }
  return "";
}

std::string_view SeverityName(RouteFinding::Severity severity) {
  switch (severity) {
    case Severity::kNote:
      return "note";
    case Severity::kWarning:
      return "warning";
    case Severity::kError:
      return "error";
  }
  return "";
}

std::vector<RouteFinding> AnalyzeRoutes(const Topology& topology) {
  return Analyst(topology).Analyze();
}

std::string ToString(absl::Span<const RouteFinding> findings) {
  std::string text;
  for (const RouteFinding& finding : findings) {
    internal::StrAppend(&text, SeverityName(finding.severity), ": ", finding.sentence, " [",
                        RouteFindingName(finding.kind), "]\n");
  }
  return text;
}

}  // namespace banyan::inline v0_1
