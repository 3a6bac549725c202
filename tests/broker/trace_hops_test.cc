// SPDX-License-Identifier: Apache-2.0
//
// A trace header goes along over every hop: the one that was given comes out at each end, byte for
// byte. One row per hop; each with X-Ray's header and with W3C's.
#include <map>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "banyan/broker.h"
#include "banyan/consumer.h"
#include "banyan/outbox.h"
#include "banyan/tap.h"
#include "banyan/testing/matchers.h"
#include "banyan/testing/simulated_runtime.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "outbox_testing.h"

namespace banyan {
namespace {

using ::banyan::testing::IsOk;
using ::banyan::testing::SimulatedRuntime;
using ::banyan::testing::StatusIs;
using ::testing::HasSubstr;
using ::testing::SizeIs;

constexpr std::string_view kXRay =
    "Root=1-5759e988-bd862e3fe1be46a994272793;Parent=53995c3f42cd8ad8;Sampled=1";
constexpr std::string_view kW3c = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01";

class SeeingTap : public Tap {
 public:
  TapVerdict Accepted(const AcceptedMessage& message) override {
    seen = std::string(message.trace_header);
    return TapVerdict::kDeliver;
  }
  std::string seen;
};

// What a hop has to work with. Made anew for each.
struct World {
  SimulatedRuntime runtime;
  SeeingTap tap;
  FakeDatabase database;
  Broker broker = Broker::Create(runtime, {.tap = &tap}).value();
  Queue end = broker.CreateQueue("end").value();
  std::string header;
  std::string seen;  // by a function

  Topic MakeTopic(std::string_view name, const TopicOptions& options = {}) {
    return broker.CreateTopic(name, options).value();
  }
  EventBus MakeBus(std::string_view name, std::vector<Target> targets) {
    EventBus bus = broker.CreateEventBus(name).value();
    bus.PutRule("all", {.pattern = R"({"source": ["shop"]})", .targets = std::move(targets)})
        .value();
    return bus;
  }
  Function MakeFunction(const absl::Status& answer) {
    return broker
        .CreateFunction("f", {},
                        [this, answer](const FunctionEvent& event) {
                          seen = std::string(event.trace_header);
                          return answer;
                        })
        .value();
  }
  EventEntry Event() const {
    return {.source = "shop", .detail_type = "d", .detail = R"({"n": 1})", .trace_header = header};
  }
  PublishRequest Message() const { return {.body = "m", .trace_header = header}; }

  // As a receiver sees it: in the message, and under AWS's name.
  std::string At(const Queue& queue) {
    const std::vector<Received> received = queue.Receive().value();
    if (received.size() != 1) return "nothing arrived";
    const std::map<std::string, std::string> attributes = received[0].SystemAttributes();
    const auto named = attributes.find("AWSTraceHeader");
    if (named == attributes.end() || named->second != received[0].trace_header()) {
      return "AWSTraceHeader differs";
    }
    return std::string(received[0].trace_header());
  }
  std::string AtEnd() { return At(end); }
  std::string In(const Stream& stream) {
    const ShardIterator from = stream.GetShardIterator(ShardId{0}, StartAt::TrimHorizon()).value();
    const RecordBatch batch = stream.GetRecords(from).value();
    std::string header_there = "nothing arrived";
    for (const Record& record : batch) header_there = std::string(record.trace_header());
    return header_there;
  }
  std::string ByOutbox(absl::FunctionRef<absl::Status(Outbox&, OutboxTransaction&)> write) {
    Outbox outbox = Outbox::Create(broker, database, {}).value();
    FakeDatabase::Transaction tx(database);
    if (absl::Status status = write(outbox, tx); !status.ok()) return status.ToString();
    tx.Commit();
    outbox.Start();
    outbox.Committed();
    runtime.RunUntilIdle();
    return AtEnd();
  }
};

struct Hop {
  const char* name;
  std::string (*run)(World&);
};

const Hop kHops[] = {
    {"Send",
     [](World& w) {
       w.end.Send({.body = "m", .trace_header = w.header}).value();
       return w.AtEnd();
     }},
    {"SendBatch",
     [](World& w) {
       w.end.SendBatch({{.body = "m", .trace_header = w.header}}).value();
       return w.AtEnd();
     }},
    {"TapOfASend",
     [](World& w) {
       w.end.Send({.body = "m", .trace_header = w.header}).value();
       return w.tap.seen;
     }},
    {"TopicToQueueRaw",
     [](World& w) {
       const Topic topic = w.MakeTopic("t");
       topic.Subscribe(w.end, {.raw = true}).value();
       topic.Publish(w.Message()).value();
       return w.AtEnd();
     }},
    {"TopicToQueueEnveloped",
     [](World& w) {
       const Topic topic = w.MakeTopic("t");
       topic.Subscribe(w.end).value();
       topic.Publish(w.Message()).value();
       return w.AtEnd();
     }},
    {"PublishBatch",
     [](World& w) {
       const Topic topic = w.MakeTopic("t");
       topic.Subscribe(w.end).value();
       topic.PublishBatch({w.Message()}).value();
       return w.AtEnd();
     }},
    {"TapOfAPublish",
     [](World& w) {
       w.MakeTopic("t").Publish(w.Message()).value();
       return w.tap.seen;
     }},
    {"JsonStructure",
     [](World& w) {
       const Topic topic = w.MakeTopic("t");
       topic.Subscribe(w.end, {.raw = true}).value();
       topic
           .Publish({.body = R"({"default": "d", "sqs": "q"})",
                     .trace_header = w.header,
                     .json_structure = true})
           .value();
       return w.AtEnd();
     }},
    {"FifoTopicToFifoQueue",
     [](World& w) {
       const Topic topic = w.MakeTopic("t.fifo", {.fifo = true});
       const Queue queue = w.broker.CreateQueue("q.fifo", {.fifo = true}).value();
       topic.Subscribe(queue).value();
       topic
           .Publish({.body = "m",
                     .trace_header = w.header,
                     .message_group_id = "g",
                     .message_deduplication_id = "d"})
           .value();
       return w.At(queue);
     }},
    {"FifoTopicToStandardQueue",
     [](World& w) {
       const Topic topic = w.MakeTopic("t.fifo", {.fifo = true});
       topic.Subscribe(w.end, {.raw = true}).value();
       topic
           .Publish({.body = "m",
                     .trace_header = w.header,
                     .message_group_id = "g",
                     .message_deduplication_id = "d"})
           .value();
       return w.AtEnd();
     }},
    {"TopicToFunction",
     [](World& w) {
       const Topic topic = w.MakeTopic("t");
       topic.Subscribe(w.MakeFunction(absl::OkStatus())).value();
       topic.Publish(w.Message()).value();
       w.runtime.RunUntilIdle();
       return w.seen;
     }},
    {"TopicToFunctionInline",
     [](World& w) {
       const Topic topic = w.MakeTopic("t");
       topic.Subscribe(w.MakeFunction(absl::OkStatus()), {.call_inline = true}).value();
       topic.Publish(w.Message()).value();
       return w.seen;
     }},
    {"SubscriptionToDeadLetter",
     [](World& w) {
       const Topic topic = w.MakeTopic("t");
       topic
           .Subscribe(Target(w.MakeFunction(absl::UnknownError("x")))
                          .Retry({.retries_max = 1})
                          .DeadLetter(w.end))
           .value();
       topic.Publish(w.Message()).value();
       w.runtime.Advance(absl::Minutes(1));
       return w.AtEnd();
     }},
    {"BusToQueue",
     [](World& w) {
       w.MakeBus("b", {w.end}).Put(w.Event()).value();
       return w.AtEnd();
     }},
    {"TapOfAPut",
     [](World& w) {
       w.MakeBus("b", {}).Put(w.Event()).value();
       return w.tap.seen;
     }},
    {"BrokersPutEvents",
     [](World& w) {
       w.MakeBus("b", {w.end});
       const BusEntry entry = {.event_bus_name = "b", .entry = w.Event()};
       w.broker.PutEvents({&entry, 1}).value();
       return w.AtEnd();
     }},
    {"PutEnveloped",
     [](World& w) {
       w.MakeBus("b", {w.end})
           .PutEnveloped(R"({"source": "shop", "detail-type": "d", "detail": {}})", w.header)
           .value();
       return w.AtEnd();
     }},
    {"BusToQueueWithInput",
     [](World& w) {
       w.MakeBus("b", {Target(w.end).Input("{}")}).Put(w.Event()).value();
       return w.AtEnd();
     }},
    {"BusToQueueWithInputPath",
     [](World& w) {
       w.MakeBus("b", {Target(w.end).InputPath("$.detail")}).Put(w.Event()).value();
       return w.AtEnd();
     }},
    {"BusToQueueWithInputTransformer",
     [](World& w) {
       w.MakeBus("b", {Target(w.end).InputTransformer({{"n", "$.detail.n"}}, R"({"m": <n>})")})
           .Put(w.Event())
           .value();
       return w.AtEnd();
     }},
    {"BusToFifoQueue",
     [](World& w) {
       const Queue queue =
           w.broker.CreateQueue("q.fifo", {.fifo = true, .content_based_deduplication = true})
               .value();
       w.MakeBus("b", {Target(queue).MessageGroupId("g")}).Put(w.Event()).value();
       return w.At(queue);
     }},
    {"BusToTopicToQueue",
     [](World& w) {
       const Topic topic = w.MakeTopic("t");
       topic.Subscribe(w.end).value();
       w.MakeBus("b", {Target(topic).InputPath("$.detail")}).Put(w.Event()).value();
       return w.AtEnd();
     }},
    {"BusToStream",
     [](World& w) {
       const Stream stream = w.broker.CreateStream("s").value();
       w.MakeBus("b", {stream}).Put(w.Event()).value();
       return w.In(stream);
     }},
    {"BusToFunction",
     [](World& w) {
       w.MakeBus("b", {w.MakeFunction(absl::OkStatus())}).Put(w.Event()).value();
       w.runtime.RunUntilIdle();
       return w.seen;
     }},
    {"BusToBusToQueue",
     [](World& w) {
       const EventBus second = w.MakeBus("second", {w.end});
       w.MakeBus("first", {second}).Put(w.Event()).value();
       return w.AtEnd();
     }},
    {"RuleToDeadLetter",
     [](World& w) {
       w.MakeBus("b", {Target(w.MakeFunction(absl::UnknownError("x")))
                           .Retry({.retries_max = 0})
                           .DeadLetter(w.end)})
           .Put(w.Event())
           .value();
       w.runtime.Advance(absl::Minutes(1));
       return w.AtEnd();
     }},
    {"ArchiveAndReplay",
     [](World& w) {
       const EventBus bus = w.MakeBus("b", {w.end});
       w.broker.CreateArchive("keep", {.bus = "b"}).value();
       bus.Put(w.Event()).value();
       w.runtime.Advance(absl::Seconds(2));
       w.end.Purge().IgnoreError();
       w.broker
           .StartReplay("again", {.archive = "keep",
                                  .start = w.runtime.Now() - absl::Hours(1),
                                  .end = w.runtime.Now()})
           .value();
       w.runtime.Advance(absl::Minutes(1));
       return w.AtEnd();
     }},
    {"FifoTopicsReplay",
     [](World& w) {
       const Topic topic =
           w.MakeTopic("t.fifo", {.fifo = true, .archive_retention = absl::Hours(24)});
       topic
           .Publish({.body = "m",
                     .trace_header = w.header,
                     .message_group_id = "g",
                     .message_deduplication_id = "d"})
           .value();
       topic
           .Subscribe(
               w.end,
               {.raw = true, .replay_policy = ReplayPolicy{.starting_point = absl::InfinitePast()}})
           .value();
       w.runtime.RunUntilIdle();
       return w.AtEnd();
     }},
    {"RedrivePolicy",
     [](World& w) {
       const Queue jobs =
           w.broker.CreateQueue("jobs", {.redrive = RedrivePolicy{w.end.arn(), 1}}).value();
       jobs.Send({.body = "m", .trace_header = w.header}).value();
       jobs.Receive().value();
       w.runtime.Advance(absl::Minutes(1));
       return w.AtEnd();
     }},
    {"MoveToDeadLetterQueue",
     [](World& w) {
       const Queue jobs =
           w.broker.CreateQueue("jobs", {.redrive = RedrivePolicy{w.end.arn(), 1}}).value();
       jobs.Send({.body = "m", .trace_header = w.header}).value();
       jobs.Receive().value().at(0).MoveToDeadLetterQueue("bad").IgnoreError();
       return w.AtEnd();
     }},
    {"Redrive",
     [](World& w) {
       const Queue jobs =
           w.broker.CreateQueue("jobs", {.redrive = RedrivePolicy{w.end.arn(), 1}}).value();
       jobs.Send({.body = "m", .trace_header = w.header}).value();
       jobs.Receive().value();
       w.runtime.Advance(absl::Minutes(1));
       w.end.Redrive().value();
       return w.At(jobs);
     }},
    {"MoveTask",
     [](World& w) {
       const Queue jobs =
           w.broker.CreateQueue("jobs", {.redrive = RedrivePolicy{w.end.arn(), 1}}).value();
       jobs.Send({.body = "m", .trace_header = w.header}).value();
       jobs.Receive().value();
       w.runtime.Advance(absl::Minutes(1));
       w.end.StartMessageMoveTask().value();
       w.runtime.Advance(absl::Minutes(1));
       return w.At(jobs);
     }},
    {"StreamPut",
     [](World& w) {
       const Stream stream = w.broker.CreateStream("s").value();
       stream.Put({.partition_key = "k", .data = "m", .trace_header = w.header}).value();
       return w.In(stream);
     }},
    {"OutboxToTopic",
     [](World& w) {
       const Topic topic = w.MakeTopic("t");
       topic.Subscribe(w.end).value();
       return w.ByOutbox([&](Outbox& outbox, OutboxTransaction& tx) {
         return outbox.PublishIn(tx, topic, w.Message()).status();
       });
     }},
    {"OutboxToQueue",
     [](World& w) {
       return w.ByOutbox([&](Outbox& outbox, OutboxTransaction& tx) {
         return outbox.SendIn(tx, w.end, {.body = "m", .trace_header = w.header}).status();
       });
     }},
    {"OutboxToBus",
     [](World& w) {
       const EventBus bus = w.MakeBus("b", {w.end});
       return w.ByOutbox([&](Outbox& outbox, OutboxTransaction& tx) {
         return outbox.PutIn(tx, bus, w.Event()).status();
       });
     }},
    {"ConsumersHandlerPassesItOn",
     [](World& w) {
       const Queue jobs = w.broker.CreateQueue("jobs").value();
       Consumer consumer = Consumer::Start(jobs, {}, [&w](const Received& job) {
                             return w.end
                                 .Send({.body = std::string(job.body()),
                                        .trace_header = std::string(job.trace_header())})
                                 .status();
                           }).value();
       jobs.Send({.body = "m", .trace_header = w.header}).value();
       w.runtime.Advance(absl::Seconds(1));
       return w.AtEnd();
     }},
};

class TraceHops : public ::testing::TestWithParam<Hop> {};

TEST_P(TraceHops, TheHeaderComesOutAsItWentIn) {
  for (const std::string_view header : {kXRay, kW3c}) {
    World world;
    world.header = header;
    EXPECT_EQ(GetParam().run(world), header);
  }
}

INSTANTIATE_TEST_SUITE_P(Every, TraceHops, ::testing::ValuesIn(kHops),
                         [](const auto& hop) { return std::string(hop.param.name); });

TEST(TraceHopsTest, NoHeaderStaysNone) {
  World world;
  world.MakeBus("b", {world.end}).Put(world.Event()).value();
  const std::vector<Received> received = world.end.Receive().value();
  ASSERT_THAT(received, SizeIs(1));
  EXPECT_EQ(received[0].trace_header(), "");
  EXPECT_EQ(received[0].SystemAttributes().count("AWSTraceHeader"), 0u);
  EXPECT_EQ(received[0].trace_id(), received[0].event_id().ToHex());
}

TEST(TraceHopsTest, ABadHeaderOfAnEnvelopedEventIsRefused) {
  World world;
  const EventBus bus = world.MakeBus("b", {world.end});
  EXPECT_THAT(bus.PutEnveloped(R"({"source": "shop", "detail-type": "d", "detail": {}})",
                               std::string(501, 'x'))
                  .status(),
              StatusIs(absl::StatusCode::kInvalidArgument, HasSubstr("traceHeader")));
  EXPECT_EQ(bus.Stats().accepted, 0);
}

}  // namespace
}  // namespace banyan
