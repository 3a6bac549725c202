// SPDX-License-Identifier: Apache-2.0
//
// lib/broker/topology.cc -- floor 6: what there is and who delivers to whom, read off the live
// resources, one after the other, and put in order.
#include "banyan/topology.h"

#include <algorithm>
#include <iterator>
#include <map>
#include <memory>
#include <string>
#include <tuple>
#include <utility>
#include <variant>

#include "banyan/archive.h"
#include "base/status_macros.h"
#include "base/strings.h"
#include "broker/broker_core.h"
#include "broker/registry.h"
#include "deliver/function_core.h"
#include "queue/core.h"
#include "route/event_bus_core.h"
#include "route/scheduler_core.h"
#include "route/topic_core.h"
#include "stream/core.h"

namespace banyan::inline v0_1::internal {

namespace {

using NodeKind = TopologyNode::Kind;
using EdgeKind = TopologyEdge::Kind;

// What a target names, and whether that was deleted.
struct Named {
  std::string arn;
  bool is_gone = false;
};

Named NameOf(const Queue& queue) { return {queue.core()->arn_text(), queue.core()->closed()}; }
Named NameOf(const Function& function) {
  return {function.core()->arn_text(), !function.core()->CheckOpen().ok()};
}
Named NameOf(const Stream& stream) {
  return {stream.core()->arn_text(), !stream.core()->Options().ok()};
}
Named NameOf(const std::shared_ptr<TopicCore>& topic) {
  return {topic->arn_text(), !topic->Options().ok()};
}
Named NameOf(const std::shared_ptr<EventBusCore>& bus) { return {bus->arn_text(), bus->closed()}; }
// A URL says by itself what it is; an address does not.
Named NameOf(const NotificationEndpoint& endpoint) {
  if (endpoint.protocol.starts_with("http")) return {endpoint.address};
  return {StrCat(endpoint.protocol, ":", endpoint.address)};
}

// A node for what is not in the registry any more, or never was.
TopologyNode Stranger(const std::string& arn) {
  TopologyNode node = {.kind = NodeKind::kEndpoint, .arn = arn, .name = arn};
  const absl::StatusOr<Arn> parsed = Arn::Parse(arn);
  if (!parsed.ok()) return node;
  struct Row {
    std::string_view service;
    std::string_view prefix;
    NodeKind kind;
  };
  constexpr Row kRows[] = {{"sqs", "", NodeKind::kQueue},
                           {"sns", "", NodeKind::kTopic},
                           {"lambda", "function:", NodeKind::kFunction},
                           {"kinesis", "stream/", NodeKind::kStream},
                           {"events", "event-bus/", NodeKind::kEventBus}};
  for (const Row& row : kRows) {
    if (parsed->service != row.service || !parsed->resource.starts_with(row.prefix)) continue;
    node.kind = row.kind;
    node.name = parsed->resource.substr(row.prefix.size());
    node.is_gone = true;
  }
  return node;
}

class Surveyor {
 public:
  void Add(TopologyNode node) {
    std::string arn = node.arn;
    nodes_.insert_or_assign(std::move(arn), std::move(node));
  }
  void Connect(EdgeKind kind, std::string_view from, std::string_view to,
               std::string_view target_id = {}, bool is_gone = false) {
    edges_.push_back({kind, std::string(from), std::string(to), std::string(target_id), is_gone});
  }
  void ConnectTarget(std::string_view from, const Target& target) {
    ConnectTarget(from, target, target.dead_letter());
  }
  void ConnectTarget(std::string_view from, const Target& target,
                     const std::optional<Queue>& dead_letter) {
    const Named to = std::visit([](const auto& named) { return NameOf(named); }, target.to());
    Connect(EdgeKind::kDelivers, from, to.arn, target.id(), to.is_gone);
    if (!dead_letter.has_value()) return;
    const Named dead = NameOf(*dead_letter);
    Connect(EdgeKind::kDeadLetters, from, dead.arn, target.id(), dead.is_gone);
  }
  // A dead-letter queue is named by ARN, so it is gone if nothing has that name.
  void ConnectRedrive(const QueueCore& queue, const RedrivePolicy& policy, bool is_there) {
    Connect(EdgeKind::kDeadLetters, queue.arn_text(), policy.dead_letter.ToString(), {}, !is_there);
  }

  // After all that they read, and that they send failures to.
  void AddReader(const SourceReader::Wiring& reader) {
    struct Row {
      SourceReader::Kind kind;
      NodeKind node;
    };
    constexpr Row kRows[] = {{SourceReader::Kind::kConsumer, NodeKind::kConsumer},
                             {SourceReader::Kind::kWorker, NodeKind::kWorker},
                             {SourceReader::Kind::kMapping, NodeKind::kMapping}};
    const Row* const row = std::find_if(std::begin(kRows), std::end(kRows),
                                        [&](const Row& r) { return r.kind == reader.kind; });
    const std::string arn =
        StrCat(TopologyKindName(row->node), ":", reader.name, "@", reader.source);
    const auto found = nodes_.find(arn);
    if (found != nodes_.end()) {
      found->second.enabled = found->second.enabled || reader.enabled;
    } else {
      Add({.kind = row->node, .arn = arn, .name = reader.name, .enabled = reader.enabled});
      Connect(EdgeKind::kRead, reader.source, arn);
    }
    if (reader.failures.empty()) return;
    const bool is_told = std::any_of(edges_.begin(), edges_.end(), [&](const TopologyEdge& edge) {
      return edge.from == arn && edge.to == reader.failures;
    });
    if (!is_told) {
      Connect(EdgeKind::kDeadLetters, arn, reader.failures, {}, !nodes_.contains(reader.failures));
    }
  }

  Topology Finish() {
    Topology topology;
    for (const TopologyEdge& edge : edges_) {
      if (!nodes_.contains(edge.to)) Add(Stranger(edge.to));
    }
    for (auto& [arn, node] : nodes_) topology.nodes.push_back(std::move(node));
    std::sort(topology.nodes.begin(), topology.nodes.end(),
              [](const TopologyNode& a, const TopologyNode& b) {
                return std::tie(a.kind, a.name, a.arn) < std::tie(b.kind, b.name, b.arn);
              });
    topology.edges = std::move(edges_);
    std::sort(topology.edges.begin(), topology.edges.end(),
              [](const TopologyEdge& a, const TopologyEdge& b) {
                return std::tie(a.from, a.kind, a.target_id, a.to) <
                       std::tie(b.from, b.kind, b.target_id, b.to);
              });
    return topology;
  }

 private:
  std::map<std::string, TopologyNode> nodes_;
  std::vector<TopologyEdge> edges_;
};

void SurveyRules(const EventBusCore& bus, Surveyor* surveyor) {
  const absl::StatusOr<std::vector<Rule>> rules = bus.ListRules();
  if (!rules.ok()) return;  // deleted meanwhile
  for (const Rule& rule : *rules) {
    const absl::StatusOr<RuleOptions> options = rule.Options();
    if (!options.ok()) continue;
    const std::string arn = rule.arn().ToString();
    surveyor->Add({.kind = NodeKind::kRule,
                   .arn = arn,
                   .name = StrCat(bus.name(), "/", rule.name()),
                   .enabled = options->enabled,
                   .pattern = options->pattern,
                   .schedule_expression = options->schedule_expression});
    surveyor->Connect(EdgeKind::kHolds, bus.arn_text(), arn);
    for (const Target& target : options->targets) surveyor->ConnectTarget(arn, target);
  }
}

void SurveySubscriptions(const TopicCore& topic, Surveyor* surveyor) {
  for (const TopicCore::Subscribed& one : topic.Describe()) {
    const SubscriptionCore& subscription = *one.subscription;
    surveyor->Add({.kind = NodeKind::kSubscription,
                   .arn = subscription.arn_text(),
                   .name = subscription.arn().resource,
                   .pattern = one.filter_policy,
                   .filter_policy_scope = one.scope});
    surveyor->Connect(EdgeKind::kHolds, topic.arn_text(), subscription.arn_text());
    surveyor->ConnectTarget(subscription.arn_text(), subscription.target(), one.dead_letter);
  }
}

}  // namespace

absl::StatusOr<v0_1::Topology> BrokerCore::Topology() const {
  const Gate::Pass pass = env_->gate.Enter();
  if (!pass) return env_->Refusal();
  Surveyor surveyor;
  for (const std::shared_ptr<QueueCore>& queue : List(&Registry::queues, "")) {
    const absl::StatusOr<QueueOptions> options = queue->Options();
    if (!options.ok()) continue;  // deleted meanwhile
    TopologyNode node = {.kind = NodeKind::kQueue,
                         .arn = queue->arn_text(),
                         .name = queue->name(),
                         .fifo = options->fifo,
                         .content_based_deduplication = options->content_based_deduplication,
                         .retention = options->retention};
    if (options->redrive.has_value()) {
      node.max_receive_count = options->redrive->max_receive_count;
      surveyor.ConnectRedrive(*queue, *options->redrive,
                              FindByArn(options->redrive->dead_letter) != nullptr);
    }
    surveyor.Add(std::move(node));
  }
  for (const std::shared_ptr<TopicCore>& topic : List(&Registry::topics, "")) {
    surveyor.Add({.kind = NodeKind::kTopic,
                  .arn = topic->arn_text(),
                  .name = topic->name(),
                  .fifo = topic->fifo()});
    SurveySubscriptions(*topic, &surveyor);
  }
  for (const std::shared_ptr<EventBusCore>& bus : List(&Registry::buses, "")) {
    surveyor.Add({.kind = NodeKind::kEventBus, .arn = bus->arn_text(), .name = bus->name()});
    SurveyRules(*bus, &surveyor);
  }
  for (const std::shared_ptr<StreamCore>& stream : List(&Registry::streams, "")) {
    surveyor.Add({.kind = NodeKind::kStream, .arn = stream->arn_text(), .name = stream->name()});
  }
  for (const std::shared_ptr<FunctionCore>& function : List(&Registry::functions, "")) {
    surveyor.Add(
        {.kind = NodeKind::kFunction, .arn = function->arn_text(), .name = function->name()});
  }
  for (ListArchivesOptions page = {};;) {
    BANYAN_ASSIGN_OR_RETURN(const ArchivePage archives, archives_.List(page));
    for (const ArchiveDescription& archive : archives.archives) {
      const std::string arn = archive.arn.ToString();
      const std::string bus = archive.bus_arn.ToString();
      surveyor.Add({.kind = NodeKind::kArchive,
                    .arn = arn,
                    .name = archive.name,
                    .pattern = archive.event_pattern});
      const bool bus_is_gone = archive.state == ArchiveState::kDisabled;
      surveyor.Connect(EdgeKind::kReplays, arn, bus, {}, bus_is_gone);
      if (!bus_is_gone) surveyor.Connect(EdgeKind::kArchives, bus, arn);
    }
    if (archives.next_token.empty()) break;
    page.next_token = archives.next_token;
  }
  for (const Schedule& schedule : ListSchedules("")) {
    const std::string arn = schedule.arn.ToString();
    surveyor.Add({.kind = NodeKind::kSchedule,
                  .arn = arn,
                  .name = schedule.name,
                  .enabled = schedule.options.state == ScheduleState::kEnabled,
                  .schedule_expression = schedule.options.schedule_expression});
    surveyor.ConnectTarget(arn, schedule.options.target);
  }
  for (const std::shared_ptr<const SourceReader>& reader : env_->readers.All()) {
    const std::optional<SourceReader::Wiring> wiring = reader->GetWiring();
    if (wiring.has_value()) surveyor.AddReader(*wiring);
  }
  return surveyor.Finish();
}

}  // namespace banyan::inline v0_1::internal
