// SPDX-License-Identifier: Apache-2.0
//
// The journal's seam: whoever hears every change of state can say at any moment what rests in
// which queue. Random work over queues with a dead-letter queue, fed directly and by a topic.
#include <gtest/gtest.h>

#include <map>
#include <set>
#include <string>
#include <utility>
#include <vector>

#include "banyan/broker.h"
#include "banyan/mutex.h"
#include "banyan/testing/matchers.h"
#include "banyan/testing/simulated_runtime.h"
#include "broker/broker_core.h"
#include "message/journal.h"

namespace banyan {
namespace {

using internal::Change;
using internal::ChangeRecord;

// Rebuilds who is where from the records alone.
class Replay : public internal::Journal {
 public:
  void Append(const ChangeRecord& record) override {
    MutexLock lock(&mu_);
    ++records_;
    std::set<Id>& here = resting_[std::string(record.resource)];
    switch (record.change) {
      case Change::kAccepted:
        EXPECT_NE(record.message, nullptr);
        EXPECT_TRUE(here.insert(record.message_id).second) << "accepted twice";
        break;
      case Change::kReceived:
        EXPECT_TRUE(here.contains(record.message_id)) << "received from nowhere";
        EXPECT_GT(record.receive_count, 0);
        EXPECT_GE(record.deadline_ns, record.at.uptime_ns);
        break;
      case Change::kSettled:
      case Change::kExpired:
        EXPECT_EQ(here.erase(record.message_id), 1u) << "gone twice";
        break;
      case Change::kMoved:
        EXPECT_EQ(here.erase(record.message_id), 1u) << "moved from nowhere";
        EXPECT_FALSE(record.destination.empty());
        break;
    }
  }

  int64_t depth(const Queue& queue) {
    MutexLock lock(&mu_);
    return static_cast<int64_t>(resting_[queue.arn().ToString()].size());
  }
  int64_t records() {
    MutexLock lock(&mu_);
    return records_;
  }

 private:
  Mutex mu_;
  std::map<std::string, std::set<Id>> resting_ ABSL_GUARDED_BY(mu_);
  int64_t records_ ABSL_GUARDED_BY(mu_) = 0;
};

void ExpectBooksBalance(const QueueStats& s) {
  EXPECT_EQ(s.accepted + s.moved_in,
            s.deleted + s.expired + s.moved_out + s.purged + s.depth.total());
}

TEST(ConservationTest, ReplayingTheRecordsRebuildsEachQueuesDepth) {
  for (uint64_t seed = 1; seed <= 30; ++seed) {
    SCOPED_TRACE("seed " + std::to_string(seed));
    testing::SimulatedRuntime runtime({.seed = seed, .shuffle = true});
    Replay replay;
    Broker broker = internal::BrokerCore::CreateBroker(runtime, {}, &replay).value();
    Queue dead = broker.CreateQueue("dead").value();
    Queue jobs = broker
                     .CreateQueue("jobs", {.visibility_timeout = absl::Seconds(5),
                                           .retention = absl::Minutes(2),
                                           .redrive = RedrivePolicy{dead.arn(), 2}})
                     .value();
    Topic topic = broker.CreateTopic("topic").value();
    ASSERT_THAT(topic.Subscribe(jobs), testing::IsOk());
    std::vector<Received> held;
    for (int step = 0; step < 400; ++step) {
      switch (runtime.Random() % 9) {
        case 0:
        case 1:
          ASSERT_THAT(jobs.Send({.body = "direct"}), testing::IsOk());
          break;
        case 2:
          ASSERT_THAT(topic.Publish({.body = "published"}), testing::IsOk());
          break;
        case 3:
        case 4: {
          const std::vector<Received> got = jobs.Receive({.max_messages = 3}).value();
          held.insert(held.end(), got.begin(), got.end());
          break;
        }
        case 5:
          if (held.empty()) break;
          ASSERT_THAT(held.back().Delete(), testing::IsOk());
          held.pop_back();
          break;
        case 6:
          runtime.Advance(absl::Milliseconds(static_cast<int64_t>(runtime.Random() % 20'000)));
          break;
        case 7:
          ASSERT_THAT(dead.Redrive(2), testing::IsOk());
          break;
        case 8:
          jobs.Purge().IgnoreError();  // refused within 60 s of the last one
          break;
      }
      for (const Queue* queue : {&jobs, &dead}) {
        const QueueStats stats = queue->Stats();
        ExpectBooksBalance(stats);
        ASSERT_EQ(replay.depth(*queue), stats.depth.total()) << "step " << step;
      }
    }
    EXPECT_GT(replay.records(), 200);
  }
}

TEST(ConservationTest, ABrokerWithoutAJournalNeedsNone) {
  testing::SimulatedRuntime runtime;
  Broker broker = Broker::Create(runtime, {}).value();
  EXPECT_THAT(broker.CreateQueue("q")->Send({.body = "x"}), testing::IsOk());
}

}  // namespace
}  // namespace banyan
