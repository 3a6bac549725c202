// SPDX-License-Identifier: Apache-2.0
//
// The live topology, and what the analysis finds in it. Each finding has a case that has it and one
// that nearly does.
#include "banyan/topology.h"

#include <algorithm>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "banyan/broker.h"
#include "banyan/consumer.h"
#include "banyan/mapping.h"
#include "banyan/testing/matchers.h"
#include "banyan/testing/simulated_runtime.h"
#include "banyan/worker.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"

namespace banyan {
namespace {

using ::testing::AllOf;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;
using testing::IsOk;
using ::testing::Not;
using testing::SimulatedRuntime;
using ::testing::SizeIs;
using testing::StatusIs;
using Finding = RouteFinding;
using Severity = RouteFinding::Severity;

constexpr std::string_view kAnyPattern = R"({"source": ["shop"]})";

class TopologyTest : public ::testing::Test {
 protected:
  std::vector<Finding> Findings(Finding::Kind kind) const {
    std::vector<Finding> findings;
    for (const Finding& finding : AnalyzeRoutes(broker_.Topology().value())) {
      if (finding.kind == kind) findings.push_back(finding);
    }
    return findings;
  }
  // Those of one resource.
  bool Has(Finding::Kind kind, const Arn& arn) const {
    const std::vector<Finding> findings = Findings(kind);
    return std::any_of(findings.begin(), findings.end(), [&arn](const Finding& finding) {
      return finding.resources.front() == arn.ToString();
    });
  }
  Queue MakeQueue(std::string_view name, const QueueOptions& options = {}) {
    return broker_.CreateQueue(name, options).value();
  }
  Rule PutRule(const EventBus& bus, std::string_view name, std::vector<Target> targets,
               std::string_view pattern = kAnyPattern) {
    return bus.PutRule(name, {.pattern = std::string(pattern), .targets = std::move(targets)})
        .value();
  }

  SimulatedRuntime runtime_;
  Broker broker_ = Broker::Create(runtime_, {}).value();
  EventBus bus_ = broker_.FindEventBus("default").value();
};

TEST_F(TopologyTest, ShowsEverythingThatIsThere) {
  const Queue dead = MakeQueue("dead");
  const Queue jobs = MakeQueue("jobs", {.redrive = RedrivePolicy{dead.arn(), 3}});
  const Topic topic = broker_.CreateTopic("news").value();
  const Stream stream = broker_.CreateStream("clicks").value();
  const Function function =
      broker_.CreateFunction("f", {}, [](const FunctionEvent&) { return absl::OkStatus(); })
          .value();
  const Subscription subscription =
      topic.Subscribe(Target(function).DeadLetter(dead), {.filter_policy = R"({"a": ["b"]})"})
          .value();
  const Rule rule =
      PutRule(bus_, "all", {Target(jobs).Id("j"), Target(topic).Id("t").DeadLetter(dead)});
  const Arn archive = broker_.CreateArchive("keep", {}).value().arn;
  const Arn schedule =
      broker_.CreateSchedule("tick", {.schedule_expression = "rate(1 hour)", .target = stream})
          .value();

  const Topology topology = broker_.Topology().value();
  std::vector<std::string> nodes;
  for (const TopologyNode& node : topology.nodes) {
    nodes.push_back(std::string(TopologyKindName(node.kind)) + " " + node.name);
  }
  EXPECT_THAT(nodes, ElementsAre("queue dead", "queue jobs", "topic news",
                                 "subscription " + subscription.arn().resource, "bus default",
                                 "rule default/all", "stream clicks", "function f", "archive keep",
                                 "schedule tick"));
  const auto has = [&topology](TopologyEdge::Kind kind, const Arn& from, const Arn& to,
                               std::string_view id = "") {
    return std::any_of(topology.edges.begin(), topology.edges.end(), [&](const auto& edge) {
      return edge.kind == kind && edge.from == from.ToString() && edge.to == to.ToString() &&
             edge.target_id == id && !edge.is_gone;
    });
  };
  using Kind = TopologyEdge::Kind;
  EXPECT_TRUE(has(Kind::kDeadLetters, jobs.arn(), dead.arn()));
  EXPECT_TRUE(has(Kind::kHolds, topic.arn(), subscription.arn()));
  EXPECT_TRUE(has(Kind::kDelivers, subscription.arn(), function.arn()));
  EXPECT_TRUE(has(Kind::kDeadLetters, subscription.arn(), dead.arn()));
  EXPECT_TRUE(has(Kind::kHolds, bus_.arn(), rule.arn()));
  EXPECT_TRUE(has(Kind::kDelivers, rule.arn(), jobs.arn(), "j"));
  EXPECT_TRUE(has(Kind::kDelivers, rule.arn(), topic.arn(), "t"));
  EXPECT_TRUE(has(Kind::kDeadLetters, rule.arn(), dead.arn(), "t"));
  EXPECT_TRUE(has(Kind::kArchives, bus_.arn(), archive));
  EXPECT_TRUE(has(Kind::kReplays, archive, bus_.arn()));
  EXPECT_TRUE(has(Kind::kDelivers, schedule, stream.arn()));
  EXPECT_THAT(topology.edges, SizeIs(11));
}

TEST_F(TopologyTest, ShowsWhoReads) {
  const Queue jobs = MakeQueue("jobs"), dead = MakeQueue("dead");
  const Stream stream = broker_.CreateStream("clicks").value();
  const auto handle = [](const Received&) { return absl::OkStatus(); };
  const auto count = [](const StreamBatch&) { return absl::OkStatus(); };
  std::optional<Consumer> one = Consumer::Start(jobs, ConsumerOptions(), handle).value();
  std::optional<Consumer> two = Consumer::Start(jobs, ConsumerOptions(), handle).value();
  StreamMapping mapping =
      StreamMapping::Start(stream, {.name = "totals", .on_failure = dead, .enabled = false}, count)
          .value();
  Worker worker = Worker::Start(stream, {.application = "app"}, [](const ShardLease&) {
                    return nullptr;
                  }).value();

  Topology topology = broker_.Topology().value();
  std::vector<std::string> readers;
  for (const TopologyNode& node : topology.nodes) {
    if (node.arn.find('@') == std::string::npos) continue;
    readers.push_back(node.arn + (node.enabled ? "" : " disabled"));
  }
  const std::string clicks = stream.arn().ToString();
  EXPECT_THAT(readers, ElementsAre("consumer:jobs@" + jobs.arn().ToString(), "worker:app@" + clicks,
                                   "mapping:totals@" + clicks + " disabled"))
      << "those of one name are one";
  std::vector<std::string> edges;
  for (const TopologyEdge& edge : topology.edges) {
    edges.push_back(edge.from + (edge.kind == TopologyEdge::Kind::kRead ? " > " : " ! ") + edge.to);
    EXPECT_FALSE(edge.is_gone);
  }
  EXPECT_THAT(
      edges, ElementsAre(clicks + " > mapping:totals@" + clicks, clicks + " > worker:app@" + clicks,
                         jobs.arn().ToString() + " > consumer:jobs@" + jobs.arn().ToString(),
                         "mapping:totals@" + clicks + " ! " + dead.arn().ToString()));
  EXPECT_THAT(TopologyDot(topology), HasSubstr("[shape=house, label=\"worker\\napp\"]"));

  one.reset();
  ASSERT_THAT(two->Stop(absl::Seconds(1)), IsOk());
  mapping = StreamMapping();
  worker = Worker();
  EXPECT_THAT(broker_.Topology().value().edges, IsEmpty()) << "who has ended reads no more";
}

TEST_F(TopologyTest, AnEmptyBrokerHasNothingToSayOf) {
  EXPECT_THAT(AnalyzeRoutes(broker_.Topology().value()), IsEmpty());
  EXPECT_THAT(AnalyzeRoutes(Topology()), IsEmpty());
}

TEST_F(TopologyTest, AStoppedBrokerAnswersUnavailable) {
  broker_.Stop(absl::ZeroDuration());
  EXPECT_THAT(broker_.Topology().status(), StatusIs(absl::StatusCode::kUnavailable));
}

TEST_F(TopologyTest, ABusThatComesRoundToItself) {
  const EventBus a = broker_.CreateEventBus("a").value(), b = broker_.CreateEventBus("b").value();
  PutRule(a, "to-b", {b});
  EXPECT_THAT(Findings(Finding::Kind::kCycle), IsEmpty());  // a line is no ring
  const Rule back = PutRule(b, "to-a", {a});
  const std::vector<Finding> cycles = Findings(Finding::Kind::kCycle);
  ASSERT_THAT(cycles, SizeIs(1));
  EXPECT_THAT(cycles[0].sentence,
              HasSubstr("bus a -> rule a/to-b -> bus b -> rule b/to-a -> bus a"));
  ASSERT_THAT(back.Disable(), IsOk());
  EXPECT_THAT(Findings(Finding::Kind::kCycle), IsEmpty());
  PutRule(a, "to-itself", {a});
  EXPECT_THAT(Findings(Finding::Kind::kCycle), SizeIs(1));
}

TEST_F(TopologyTest, DeadLettersThatGoRound) {
  const Queue a = MakeQueue("a"), b = MakeQueue("b"), c = MakeQueue("c");
  ASSERT_THAT(a.SetOptions({.redrive = RedrivePolicy{b.arn(), 3}}), IsOk());
  ASSERT_THAT(b.SetOptions({.redrive = RedrivePolicy{c.arn(), 3}}), IsOk());
  EXPECT_THAT(Findings(Finding::Kind::kDeadLetterFeedsSource), IsEmpty());
  ASSERT_THAT(c.SetOptions({.redrive = RedrivePolicy{a.arn(), 3}}), IsOk());
  const std::vector<Finding> found = Findings(Finding::Kind::kDeadLetterFeedsSource);
  ASSERT_THAT(found, SizeIs(1));  // told once
  EXPECT_THAT(found[0].sentence, HasSubstr("queue a -> queue b -> queue c -> queue a"));
  EXPECT_THAT(found[0].resources,
              ElementsAre(a.arn().ToString(), b.arn().ToString(), c.arn().ToString()));
}

TEST_F(TopologyTest, ADeadLetterQueueThatIsItsOwnTargetOrLeadsThere) {
  const Queue inbox = MakeQueue("inbox"), dead = MakeQueue("dead");
  const Rule rule = PutRule(bus_, "r", {Target(inbox).Id("x").DeadLetter(dead)});
  EXPECT_FALSE(Has(Finding::Kind::kDeadLetterFeedsSource, rule.arn()));
  ASSERT_THAT(dead.SetOptions({.redrive = RedrivePolicy{inbox.arn(), 3}}), IsOk());
  ASSERT_THAT(Findings(Finding::Kind::kDeadLetterFeedsSource), SizeIs(1));
  EXPECT_THAT(Findings(Finding::Kind::kDeadLetterFeedsSource).at(0).sentence,
              HasSubstr("queue dead -> queue inbox"));
  ASSERT_THAT(dead.SetOptions({}), IsOk());
  PutRule(bus_, "r", {Target(inbox).Id("x").DeadLetter(inbox)});
  ASSERT_TRUE(Has(Finding::Kind::kDeadLetterFeedsSource, rule.arn()));
  EXPECT_THAT(Findings(Finding::Kind::kDeadLetterFeedsSource).at(0).sentence,
              HasSubstr("is queue inbox itself"));
}

TEST_F(TopologyTest, PatternsThatNeverMatch) {
  const Queue inbox = MakeQueue("inbox");
  const Topic topic = broker_.CreateTopic("t").value();
  const Rule good = PutRule(bus_, "good", {inbox}, R"({"detail": {"n": [{"numeric": [">", 5]}]}})");
  const Rule text = PutRule(bus_, "text", {inbox}, R"({"source": ["5"]})");
  const Rule never =
      PutRule(bus_, "never", {inbox}, R"({"a": [{"numeric": [">", 1, "<", 1.0000000000000002]}]})");
  const Rule number = PutRule(bus_, "number", {inbox}, R"({"source": [5]})");
  const Arn archive =
      broker_.CreateArchive("keep", {.event_pattern = R"({"source": [5]})"}).value().arn;
  const Subscription subscription =
      topic.Subscribe(inbox, {.filter_policy = R"({"a": ["b"]})"}).value();
  EXPECT_FALSE(Has(Finding::Kind::kNeverMatches, good.arn()));
  EXPECT_FALSE(Has(Finding::Kind::kNeverMatches, text.arn()));
  EXPECT_FALSE(Has(Finding::Kind::kNeverMatches, subscription.arn()));
  EXPECT_TRUE(Has(Finding::Kind::kNeverMatches, never.arn()));
  EXPECT_TRUE(Has(Finding::Kind::kNeverMatches, number.arn()));
  EXPECT_TRUE(Has(Finding::Kind::kNeverMatches, archive));
  const std::vector<Finding> found = Findings(Finding::Kind::kNeverMatches);
  EXPECT_EQ(found.at(0).severity, Severity::kError);
  EXPECT_EQ(found.at(1).severity, Severity::kWarning);
  EXPECT_THAT(found.at(1).sentence, HasSubstr("what Put and PutEvents take"));

  const Subscription narrow =
      topic
          .Subscribe(MakeQueue("narrow"),
                     {.filter_policy = R"({"a": [{"numeric": [">", 1, "<", 1.001]}]})"})
          .value();
  EXPECT_FALSE(Has(Finding::Kind::kNeverMatches, narrow.arn()));
}

TEST_F(TopologyTest, TargetsThatAreGone) {
  const Queue inbox = MakeQueue("inbox"), dead = MakeQueue("dead");
  const Queue jobs = MakeQueue("jobs", {.redrive = RedrivePolicy{dead.arn(), 3}});
  const Rule rule = PutRule(bus_, "r", {Target(inbox).DeadLetter(dead)});
  EXPECT_THAT(Findings(Finding::Kind::kTargetGone), IsEmpty());
  ASSERT_THAT(broker_.DeleteQueue("inbox"), IsOk());
  EXPECT_TRUE(Has(Finding::Kind::kTargetGone, rule.arn()));
  runtime_.Advance(absl::Minutes(2));
  MakeQueue("inbox");  // another one: the rule still names the first
  EXPECT_TRUE(Has(Finding::Kind::kTargetGone, rule.arn()));
  ASSERT_THAT(broker_.DeleteQueue("dead"), IsOk());
  EXPECT_THAT(Findings(Finding::Kind::kTargetGone), SizeIs(3));
  EXPECT_TRUE(Has(Finding::Kind::kTargetGone, jobs.arn()));
}

TEST_F(TopologyTest, AFifoQueueThatNoEventCanEnter) {
  const Queue strict = MakeQueue("strict.fifo", {.fifo = true});
  const Queue by_content =
      MakeQueue("content.fifo", {.fifo = true, .content_based_deduplication = true});
  const Rule bad = PutRule(bus_, "bad", {Target(strict).MessageGroupId("g")});
  const Rule good = PutRule(bus_, "good", {Target(by_content).MessageGroupId("g")});
  const Topic topic = broker_.CreateTopic("t.fifo", {.fifo = true}).value();
  const Subscription gives_ids = topic.Subscribe(strict).value();
  EXPECT_TRUE(Has(Finding::Kind::kFifoWithoutIds, bad.arn()));
  EXPECT_FALSE(Has(Finding::Kind::kFifoWithoutIds, good.arn()));
  EXPECT_FALSE(Has(Finding::Kind::kFifoWithoutIds, gives_ids.arn()));
  // It is so.
  bus_.Put({.source = "shop", .detail_type = "d", .detail = "{}"}).value();
  EXPECT_EQ(bad.Stats().targets[0].delivery.dropped, 1);
  EXPECT_EQ(good.Stats().targets[0].delivery.delivered, 1);
}

TEST_F(TopologyTest, RulesThatDoNothing) {
  const Queue inbox = MakeQueue("inbox");
  const Rule works = PutRule(bus_, "works", {inbox});
  const Rule idle = PutRule(bus_, "idle", {});
  const Rule off =
      bus_.PutRule("off",
                   {.pattern = std::string(kAnyPattern), .targets = {inbox}, .enabled = false})
          .value();
  EXPECT_TRUE(Has(Finding::Kind::kRuleWithoutTargets, idle.arn()));
  EXPECT_TRUE(Has(Finding::Kind::kRuleDisabled, off.arn()));
  EXPECT_FALSE(Has(Finding::Kind::kRuleWithoutTargets, works.arn()));
  EXPECT_FALSE(Has(Finding::Kind::kRuleDisabled, works.arn()));
  EXPECT_FALSE(Has(Finding::Kind::kRuleWithoutTargets, off.arn()));
}

TEST_F(TopologyTest, TopicsAndBusesThatNobodyHears) {
  const Topic heard = broker_.CreateTopic("heard").value();
  const Topic unheard = broker_.CreateTopic("unheard").value();
  heard.Subscribe(MakeQueue("q")).value();
  EXPECT_FALSE(Has(Finding::Kind::kTopicWithoutSubscriptions, heard.arn()));
  EXPECT_TRUE(Has(Finding::Kind::kTopicWithoutSubscriptions, unheard.arn()));

  const EventBus empty = broker_.CreateEventBus("empty").value();
  const EventBus archived = broker_.CreateEventBus("archived").value();
  broker_.CreateArchive("keep", {.bus = "archived"}).value();
  EXPECT_TRUE(Has(Finding::Kind::kBusWithoutRules, empty.arn()));
  EXPECT_FALSE(Has(Finding::Kind::kBusWithoutRules, archived.arn()));
  EXPECT_FALSE(Has(Finding::Kind::kBusWithoutRules, bus_.arn()));  // nobody asked for it
}

TEST_F(TopologyTest, OrderThatEndsInAStandardQueue) {
  const Topic fifo = broker_.CreateTopic("t.fifo", {.fifo = true}).value();
  const Topic standard = broker_.CreateTopic("t").value();
  const Queue queue = MakeQueue("q"), ordered = MakeQueue("q.fifo", {.fifo = true});
  standard.Subscribe(queue).value();
  fifo.Subscribe(ordered).value();
  EXPECT_THAT(Findings(Finding::Kind::kFifoIntoStandard), IsEmpty());
  fifo.Subscribe(queue).value();
  ASSERT_THAT(Findings(Finding::Kind::kFifoIntoStandard), SizeIs(1));
  EXPECT_THAT(Findings(Finding::Kind::kFifoIntoStandard).at(0).resources,
              ElementsAre(fifo.arn().ToString(), queue.arn().ToString()));
}

TEST_F(TopologyTest, DeliveriesWithoutADeadLetterQueue) {
  const Queue inbox = MakeQueue("inbox"), dead = MakeQueue("dead"), other = MakeQueue("other");
  const Rule rule = PutRule(bus_, "r", {Target(inbox).DeadLetter(dead), Target(other)});
  const std::vector<Finding> found = Findings(Finding::Kind::kNoDeadLetterQueue);
  ASSERT_THAT(found, SizeIs(1));  // of this target alone
  EXPECT_THAT(found[0].resources, ElementsAre(rule.arn().ToString(), other.arn().ToString()));
  EXPECT_EQ(found[0].severity, Severity::kWarning);
}

TEST_F(TopologyTest, QueuesWithoutARedrivePolicy) {
  const Queue dead = MakeQueue("dead"), plain = MakeQueue("plain");
  const Queue jobs = MakeQueue("jobs", {.redrive = RedrivePolicy{dead.arn(), 3}});
  EXPECT_TRUE(Has(Finding::Kind::kNoRedrivePolicy, plain.arn()));
  EXPECT_FALSE(Has(Finding::Kind::kNoRedrivePolicy, jobs.arn()));
  EXPECT_FALSE(Has(Finding::Kind::kNoRedrivePolicy, dead.arn()));  // needs none
}

TEST_F(TopologyTest, ADeadLetterQueueAmongLiveWork) {
  const Queue dead = MakeQueue("dead"), inbox = MakeQueue("inbox");
  const Queue jobs = MakeQueue("jobs", {.redrive = RedrivePolicy{dead.arn(), 3}});
  PutRule(bus_, "r", {Target(inbox).DeadLetter(dead)});  // two sources of dead letters are fine
  EXPECT_FALSE(Has(Finding::Kind::kSharedDeadLetterQueue, dead.arn()));
  PutRule(bus_, "s", {dead});
  EXPECT_TRUE(Has(Finding::Kind::kSharedDeadLetterQueue, dead.arn()));
}

TEST_F(TopologyTest, ADeadLetterQueueThatForgetsSooner) {
  const Queue brief = MakeQueue("brief", {.retention = absl::Hours(1)});
  const Queue jobs =
      MakeQueue("jobs", {.retention = absl::Hours(2), .redrive = RedrivePolicy{brief.arn(), 3}});
  const Queue equal =
      MakeQueue("equal", {.retention = absl::Hours(1), .redrive = RedrivePolicy{brief.arn(), 3}});
  EXPECT_TRUE(Has(Finding::Kind::kShortDeadLetterRetention, jobs.arn()));
  EXPECT_FALSE(Has(Finding::Kind::kShortDeadLetterRetention, equal.arn()));
  // In FIFO queues a dead letter's life begins anew.
  const Queue fifo_dead = MakeQueue("d.fifo", {.retention = absl::Hours(1), .fifo = true});
  const Queue fifo = MakeQueue(
      "j.fifo",
      {.retention = absl::Hours(2), .fifo = true, .redrive = RedrivePolicy{fifo_dead.arn(), 3}});
  EXPECT_FALSE(Has(Finding::Kind::kShortDeadLetterRetention, fifo.arn()));
}

TEST_F(TopologyTest, WhatNobodyDeliversTo) {
  const Queue alone = MakeQueue("alone"), dead = MakeQueue("dead"), inbox = MakeQueue("inbox");
  const Function idle =
      broker_.CreateFunction("f", {}, [](const FunctionEvent&) { return absl::OkStatus(); })
          .value();
  PutRule(bus_, "r", {Target(inbox).DeadLetter(dead)});
  EXPECT_TRUE(Has(Finding::Kind::kNobodyDelivers, alone.arn()));
  EXPECT_TRUE(Has(Finding::Kind::kNobodyDelivers, idle.arn()));
  EXPECT_FALSE(Has(Finding::Kind::kNobodyDelivers, inbox.arn()));
  EXPECT_FALSE(Has(Finding::Kind::kNobodyDelivers, dead.arn()));
}

TEST_F(TopologyTest, TheWorstStandsFirstAndPrintsAsALine) {
  const Queue dead = MakeQueue("dead"), alone = MakeQueue("alone");
  const Queue strict = MakeQueue("s.fifo", {.fifo = true});
  PutRule(bus_, "r", {Target(strict).MessageGroupId("g").DeadLetter(dead)});
  const std::vector<Finding> findings = AnalyzeRoutes(broker_.Topology().value());
  EXPECT_TRUE(
      std::is_sorted(findings.begin(), findings.end(),
                     [](const Finding& a, const Finding& b) { return a.severity > b.severity; }));
  EXPECT_THAT(ToString(findings),
              HasSubstr("error: no event has a deduplication id, and queue s.fifo has no "
                        "content-based deduplication: each delivery of rule r is refused for good "
                        "[fifo-without-ids]\n"));
}

// --- Graphviz

TEST_F(TopologyTest, ThePictureIsStableAndEscaped) {
  const Queue dead = MakeQueue("dead"), inbox = MakeQueue("inbox");
  PutRule(bus_, "r", {Target(inbox).Id("t").DeadLetter(dead)});
  const std::string dot = TopologyDot(broker_.Topology().value());
  EXPECT_EQ(dot,
            "digraph banyan {\n"
            "  rankdir=LR;\n"
            "  node [fontname=\"sans-serif\", fontsize=10];\n"
            "  \"arn:aws:sqs:us-east-1:000000000000:dead\" [shape=box, label=\"queue\\ndead\"];\n"
            "  \"arn:aws:sqs:us-east-1:000000000000:inbox\" [shape=box, label=\"queue\\ninbox\"];\n"
            "  \"arn:aws:events:us-east-1:000000000000:event-bus/default\" [shape=parallelogram, "
            "label=\"bus\\ndefault\"];\n"
            "  \"arn:aws:events:us-east-1:000000000000:rule/r\" [shape=diamond, "
            "label=\"rule\\ndefault/r\", tooltip=\"{\\\"source\\\": [\\\"shop\\\"]}\"];\n"
            "  \"arn:aws:events:us-east-1:000000000000:event-bus/default\" -> "
            "\"arn:aws:events:us-east-1:000000000000:rule/r\" [arrowhead=none];\n"
            "  \"arn:aws:events:us-east-1:000000000000:rule/r\" -> "
            "\"arn:aws:sqs:us-east-1:000000000000:inbox\" [style=solid];\n"
            "  \"arn:aws:events:us-east-1:000000000000:rule/r\" -> "
            "\"arn:aws:sqs:us-east-1:000000000000:dead\" [style=dashed, color=\"#b00020\"];\n"
            "}\n");
  EXPECT_EQ(dot, TopologyDot(broker_.Topology().value()));
}

TEST_F(TopologyTest, ThePictureTakesAnyText) {
  Topology topology;
  topology.nodes.push_back({.arn = "a\"b\\c\nd", .name = "x\"y"});
  EXPECT_THAT(TopologyDot(topology),
              HasSubstr("  \"a\\\"b\\\\c\\nd\" [shape=box, label=\"queue\\nx\\\"y\"];\n"));
}

}  // namespace
}  // namespace banyan
