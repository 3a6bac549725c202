// SPDX-License-Identifier: Apache-2.0
//
// Threads that put, replay, trim, update and delete at the same time. What an archive had when a
// replay was started comes out of it, each event once.
#include <algorithm>
#include <atomic>
#include <map>
#include <memory>
#include <random>
#include <set>
#include <string>
#include <thread>
#include <vector>

#include "archive_testing.h"
#include "banyan/mutex.h"
#include "banyan/runtime.h"

namespace banyan {
namespace {

#ifdef BANYAN_SANITIZER
constexpr int kEvents = 400;
#else
constexpr int kEvents = 3'000;
#endif
constexpr int kReplays = 6;

class ArchiveThreads : public ::testing::Test {
 protected:
  void PutMany(uint64_t seed) {
    std::mt19937_64 random(seed);
    for (int i = 0; i < kEvents; ++i) {
      std::optional<absl::Time> time;
      if (i % 5 == 0) time = runtime_->Now() - absl::Seconds(random() % 1'000);
      const absl::StatusOr<Id> id =
          bus_.Put({.source = "s", .detail_type = "t", .detail = "{}", .time = time});
      ASSERT_TRUE(id.ok()) << id.status();
      MutexLock lock(&mu_);
      put_.insert(id->ToString());
    }
  }
  std::set<std::string> PutSoFar() {
    MutexLock lock(&mu_);
    return put_;
  }
  ReplayDescription AwaitEnd(const std::string& name) {
    for (;;) {
      ReplayDescription shown = broker_.DescribeReplay(name).value();
      if (shown.replay_end_time.has_value()) return shown;
      std::this_thread::yield();
    }
  }
  // Ids that replays have put, by name.
  std::map<std::string, std::vector<std::string>> Heard() {
    std::map<std::string, std::vector<std::string>> heard;
    for (;;) {
      const std::vector<Received> batch = queue_.Receive({.max_messages = 10}).value();
      if (batch.empty()) return heard;
      for (const Received& event : batch) {
        heard[MemberOf(event.body(), "replay-name")].push_back(MemberOf(event.body(), "id"));
        EXPECT_TRUE(event.Delete().ok());
      }
    }
  }

  const std::unique_ptr<ThreadedRuntime> runtime_ = NewThreadedRuntime({.threads = 2});
  Broker broker_ = Broker::Create(*runtime_, {}).value();
  EventBus bus_ = broker_.FindEventBus("default").value();
  Queue queue_ = broker_.CreateQueue("heard").value();
  Rule rule_ = bus_.PutRule("heard", {.pattern = R"({"replay-name":[{"exists":true}]})",
                                      .targets = {queue_}})
                   .value();

  Mutex mu_;
  std::set<std::string> put_ ABSL_GUARDED_BY(mu_);
};

TEST_F(ArchiveThreads, EachReplayPutsWhatWasThereOnce) {
  broker_.CreateArchive("whole", {}).value();
  broker_.CreateArchive("small", {.bytes_max = 20'000}).value();
  std::atomic<bool> done{false};
  std::vector<std::thread> putters;
  for (const uint64_t seed : {uint64_t{1}, uint64_t{2}})
    putters.emplace_back([this, seed] { PutMany(seed); });
  std::thread changer([&] {
    for (int i = 0; !done.load(); ++i) {
      const absl::StatusOr<ArchiveDescription> made = broker_.CreateArchive("brief", {});
      EXPECT_TRUE(made.ok()) << made.status();
      EXPECT_TRUE(broker_.UpdateArchive("small", {.bytes_max = i % 2 == 0 ? 5'000 : 50'000}).ok());
      EXPECT_LE(broker_.DescribeArchive("small")->held_bytes, 50'000);
      broker_.StartReplay("brief-" + std::to_string(i), {.archive = "brief"})
          .status()
          .IgnoreError();
      EXPECT_TRUE(broker_.DeleteArchive("brief").ok());
      EXPECT_TRUE(broker_.ListArchives().ok());
      EXPECT_TRUE(broker_.ListReplays().ok());
    }
  });

  std::map<std::string, std::set<std::string>> there;
  for (int i = 0; i < kReplays;) {
    const std::string number = std::to_string(i);
    std::set<std::string> put = PutSoFar();
    const absl::Status whole =
        broker_.StartReplay("whole-" + number, {.archive = "whole"}).status();
    if (absl::IsResourceExhausted(whole)) continue;  // the changer's are ten
    ASSERT_TRUE(whole.ok()) << whole;
    there["whole-" + number] = std::move(put);
    broker_.StartReplay("small-" + number, {.archive = "small"}).status().IgnoreError();
    AwaitEnd("whole-" + number);
    ++i;
  }
  for (std::thread& putter : putters) putter.join();
  done.store(true);
  changer.join();
  there["last"] = PutSoFar();
  while (!broker_.StartReplay("last", {.archive = "whole"}).ok()) std::this_thread::yield();
  AwaitEnd("last");
  const ReplayPage page = broker_.ListReplays().value();
  for (const ReplayDescription& replay : page.replays) AwaitEnd(replay.name);

  EXPECT_EQ(broker_.DescribeArchive("whole")->event_count, 2 * kEvents);
  EXPECT_EQ(there["last"].size(), static_cast<size_t>(2 * kEvents));
  std::map<std::string, std::vector<std::string>> heard = Heard();
  for (auto& [name, ids] : heard) {
    const ReplayDescription shown = broker_.DescribeReplay(name).value();
    EXPECT_EQ(shown.events_replayed, static_cast<int64_t>(ids.size())) << name;
    std::sort(ids.begin(), ids.end());
    EXPECT_EQ(std::adjacent_find(ids.begin(), ids.end()), ids.end()) << name << ": one came twice";
    const std::set<std::string>& least = there[name];
    EXPECT_TRUE(std::includes(ids.begin(), ids.end(), least.begin(), least.end())) << name;
    if (least.empty()) continue;
    EXPECT_EQ(shown.state, ReplayState::kCompleted) << name;
    EXPECT_EQ(shown.events_total, static_cast<int64_t>(ids.size())) << name;
  }
  EXPECT_EQ(heard["last"].size(), static_cast<size_t>(2 * kEvents));
}

TEST_F(ArchiveThreads, ABrokerMayGoWhileReplaysRun) {
  broker_.CreateArchive("whole", {}).value();
  PutMany(1);
  for (int i = 0; i < 10; ++i) {
    broker_.StartReplay("r" + std::to_string(i), {.archive = "whole"}).value();
  }
  std::thread canceller([this] {
    for (int i = 0; i < 5; ++i) {
      broker_.CancelReplay("r" + std::to_string(i)).status().IgnoreError();
    }
  });
  broker_.Stop(absl::ZeroDuration());
  canceller.join();
}

}  // namespace
}  // namespace banyan
