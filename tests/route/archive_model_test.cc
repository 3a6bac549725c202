// SPDX-License-Identifier: Apache-2.0
//
// Archives and replays against a model of a few lines: a list of events, trimmed by hand. Puts,
// updates, deletions, replays and cancels come in random order, and between the slices of replays;
// the seed chooses among what is due together, too.
//
//   1  an archive counts and holds what the model's does, at every look
//   2  a replay's events come in the order of time, each once, none that was not there at its start
//   3  a completed replay left out only what left the archive meanwhile
#include <algorithm>
#include <cstdint>
#include <deque>
#include <map>
#include <random>
#include <string>
#include <utility>
#include <vector>

#include "archive_testing.h"
#include "banyan/testing/seed_reporter.h"

namespace banyan {
namespace {

#ifdef BANYAN_SANITIZER
constexpr uint64_t kSeeds = 4;
#else
constexpr uint64_t kSeeds = 40;
#endif
constexpr int kSteps = 600;

struct ModelEvent {
  std::string id;
  int64_t time;  // unix seconds
  absl::Duration put;
  int64_t bytes;
  int64_t size;
};

struct ModelArchive {
  bool even_only = false;
  absl::Duration retention = absl::ZeroDuration();
  int64_t bytes_max = int64_t{1} << 30;
  std::deque<ModelEvent> events = {};  // in the order they came
  int64_t expired = 0, displaced = 0;

  int64_t Bytes() const {
    int64_t sum = 0;
    for (const ModelEvent& event : events) sum += event.bytes;
    return sum;
  }
  void Trim(absl::Duration now, int64_t room_for) {
    while (!events.empty() && retention > absl::ZeroDuration() &&
           now >= events.front().put + retention) {
      events.pop_front();
      ++expired;
    }
    for (int64_t bytes = Bytes(); !events.empty() && bytes + room_for > bytes_max;) {
      bytes -= events.front().bytes;
      events.pop_front();
      ++displaced;
    }
  }
  void Put(const ModelEvent& event) {
    if (event.bytes > bytes_max) {
      Trim(event.put, 0);
      ++displaced;
      return;
    }
    Trim(event.put, event.bytes);
    events.push_back(event);
  }
  std::vector<std::string> Ids(int64_t begin, int64_t end) const {
    std::vector<ModelEvent> chosen;
    for (const ModelEvent& event : events) {
      if (event.time >= begin && event.time < end) chosen.push_back(event);
    }
    std::stable_sort(chosen.begin(), chosen.end(),
                     [](const ModelEvent& a, const ModelEvent& b) { return a.time < b.time; });
    std::vector<std::string> ids;
    for (const ModelEvent& event : chosen) ids.push_back(event.id);
    return ids;
  }
};

struct ModelReplay {
  std::string archive;
  uint64_t life;                   // of the archive of that name
  std::vector<std::string> there;  // at its start, in order
  bool heard;                      // by the rule that listens
  bool cancelled = false, checked = false;
};

class ArchiveModel : public ::testing::Test {
 protected:
  void Run(uint64_t seed) {
    runtime_ = std::make_unique<testing::SimulatedRuntime>(
        testing::SimulationOptions{.seed = seed, .shuffle = true});
    const testing::SeedReporter reporter(*runtime_);
    random_.seed(seed);
    broker_ = std::make_unique<Broker>(Broker::Create(*runtime_, {}).value());
    bus_ = broker_->CreateEventBus("shop").value();
    heard_ = broker_->CreateQueue("heard").value();
    bus_.PutRule("heard", {.pattern = R"({"replay-name":[{"exists":true}]})", .targets = {heard_}})
        .value();
    bus_.PutRule("other", {.pattern = R"({"source":["s"]})"}).value();
    runtime_->Post([this] { Step(0); });
    runtime_->Advance(absl::Hours(10));
    ASSERT_EQ(steps_done_, kSteps);
    Listen();
    for (auto& [name, replay] : replays_) CheckReplay(name, &replay);
    EXPECT_EQ(runtime_->NextDue(), absl::InfiniteDuration());
    broker_.reset();
    archives_.clear();
    replays_.clear();
    heard_by_.clear();
    lives_.clear();
    steps_done_ = 0;
  }

  // One random thing, and after a while, or none, the next.
  void Step(int step) {
    steps_done_ = step + 1;
    if (HasFailure()) return;
    const uint64_t dice = Draw(100);
    if (dice < 50) {
      for (uint64_t n = Draw(12); n > 0; --n) PutOne();
    } else if (dice < 55) {
      CreateArchive();
    } else if (dice < 57) {
      DeleteArchive();
    } else if (dice < 65) {
      UpdateArchive();
    } else if (dice < 80) {
      StartReplay(step);
    } else if (dice < 83) {
      CancelReplay();
    } else {
      for (auto& [name, archive] : archives_) CheckArchive(name, &archive);
    }
    Listen();
    for (auto& [name, replay] : replays_) CheckReplay(name, &replay);
    if (step + 1 == kSteps) return;
    const absl::Duration pause = Draw(3) == 0 ? absl::Seconds(Draw(20)) : absl::ZeroDuration();
    runtime_->PostAt(runtime_->Uptime() + pause, [this, step] { Step(step + 1); });
  }

  void PutOne() {
    const absl::Time now = runtime_->Now();
    // Mostly now; else a while ago, or ahead.
    absl::Time time = now;
    if (Draw(4) == 0) time += absl::Seconds(static_cast<int64_t>(Draw(400)) - 350);
    const bool even = Draw(2) == 0;
    const std::string detail = std::string(even ? R"({"n":2,"x":")" : R"({"n":1,"x":")") +
                               std::string(Draw(40), 'x') + "\"}";
    const Id id =
        bus_.Put({.source = "s", .detail_type = "t", .detail = detail, .time = time}).value();
    const auto size = static_cast<int64_t>(2 + 12 + 14 + detail.size());
    const ModelEvent event = {.id = id.ToString(),
                              .time = absl::ToUnixSeconds(time),
                              .put = runtime_->Uptime(),
                              .bytes = size + kAlike,
                              .size = size};
    for (auto& [name, archive] : archives_) {
      if (even || !archive.even_only) archive.Put(event);
    }
  }

  void CreateArchive() {
    const std::string name = "a" + std::to_string(Draw(3));
    ArchiveOptions options = {.bus = "shop"};
    ModelArchive made;
    made.even_only = Draw(2) == 0;
    if (made.even_only) options.event_pattern = kEven;
    if (Draw(2) == 0) options.retention = made.retention = absl::Seconds(1 + Draw(200));
    if (Draw(2) == 0) options.bytes_max = made.bytes_max = static_cast<int64_t>(1 + Draw(60'000));
    const absl::Status created = broker_->CreateArchive(name, options).status();
    EXPECT_EQ(absl::IsAlreadyExists(created), archives_.count(name) == 1) << created;
    if (!created.ok()) return;
    archives_[name] = made;
    ++lives_[name];
  }

  void DeleteArchive() {
    const std::string name = "a" + std::to_string(Draw(3));
    EXPECT_EQ(broker_->DeleteArchive(name).ok(), archives_.erase(name) == 1);
    ++lives_[name];
  }

  void UpdateArchive() {
    if (archives_.empty()) return;
    auto& [name, model] = *std::next(archives_.begin(), static_cast<int>(Draw(archives_.size())));
    model.Trim(runtime_->Uptime(), 0);
    ArchiveUpdate update;
    switch (Draw(3)) {
      case 0:
        model.even_only = !model.even_only;
        update.event_pattern = model.even_only ? kEven : "";
        break;
      case 1:
        update.retention = model.retention = absl::Seconds(Draw(200));
        break;
      default:
        update.bytes_max = model.bytes_max = static_cast<int64_t>(1 + Draw(80'000));
    }
    const auto updated = broker_->UpdateArchive(name, update);
    ASSERT_TRUE(updated.ok()) << updated.status();
    CheckArchive(name, &model);
  }

  void CheckArchive(const std::string& name, ModelArchive* model) {
    model->Trim(runtime_->Uptime(), 0);
    const ArchiveDescription shown = broker_->DescribeArchive(name).value();
    int64_t size = 0;
    for (const ModelEvent& event : model->events) size += event.size;
    EXPECT_EQ(shown.event_count, static_cast<int64_t>(model->events.size())) << name;
    EXPECT_EQ(shown.held_bytes, model->Bytes()) << name;
    EXPECT_EQ(shown.size_bytes, size) << name;
    EXPECT_EQ(shown.expired, model->expired) << name;
    EXPECT_EQ(shown.displaced, model->displaced) << name;
  }

  void StartReplay(int step) {
    if (archives_.empty()) return;
    auto& [archive, model] =
        *std::next(archives_.begin(), static_cast<int>(Draw(archives_.size())));
    const std::string name = "r" + std::to_string(step);
    ReplayOptions options = {.archive = archive};
    if (Draw(2) == 0) options.start = runtime_->Now() - absl::Seconds(Draw(400));
    if (Draw(2) == 0) options.end = runtime_->Now() + absl::Seconds(Draw(100));
    const uint64_t rules = Draw(4);
    if (rules == 0) options.rules = {"other"};
    if (rules == 1) options.rules = {"other", "heard"};
    model.Trim(runtime_->Uptime(), 0);
    const auto started = broker_->StartReplay(name, options);
    if (absl::IsResourceExhausted(started.status())) return;  // ten are active
    if (options.start >= options.end) {
      EXPECT_FALSE(started.ok());
      return;
    }
    ASSERT_TRUE(started.ok()) << started.status();
    replays_[name] = {
        .archive = archive,
        .life = lives_[archive],
        .there = model.Ids(absl::ToUnixSeconds(options.start), absl::ToUnixSeconds(options.end)),
        .heard = rules != 0};
    EXPECT_EQ(started->events_total, static_cast<int64_t>(replays_[name].there.size()));
  }

  void CancelReplay() {
    if (replays_.empty()) return;
    auto& [name, replay] = *std::next(replays_.begin(), static_cast<int>(Draw(replays_.size())));
    const ReplayState state = broker_->DescribeReplay(name)->state;
    const bool active = state == ReplayState::kStarting || state == ReplayState::kRunning;
    EXPECT_EQ(broker_->CancelReplay(name).ok(), active);
    replay.cancelled = replay.cancelled || active;
  }

  // Takes note of what replays have put.
  void Listen() {
    for (;;) {
      const std::vector<Received> batch = heard_.Receive({.max_messages = 10}).value();
      if (batch.empty()) return;
      for (const Received& event : batch) {
        heard_by_[MemberOf(event.body(), "replay-name")].push_back(MemberOf(event.body(), "id"));
        EXPECT_TRUE(event.Delete().ok());
      }
    }
  }

  void CheckReplay(const std::string& name, ModelReplay* replay) {
    if (replay->checked) return;
    const ReplayDescription shown = broker_->DescribeReplay(name).value();
    const std::vector<std::string>& had = heard_by_[name];
    if (replay->heard) {
      EXPECT_EQ(shown.events_replayed, static_cast<int64_t>(had.size())) << name;
    } else {
      EXPECT_TRUE(had.empty()) << name;
    }
    if (!shown.replay_end_time.has_value()) return;
    replay->checked = true;
    const bool archive_lives = lives_[replay->archive] == replay->life;
    switch (shown.state) {
      case ReplayState::kCancelled:
        EXPECT_TRUE(replay->cancelled) << name;
        break;
      case ReplayState::kFailed:
        EXPECT_FALSE(archive_lives) << name << ": " << shown.state_reason;
        break;
      default:
        EXPECT_EQ(shown.state, ReplayState::kCompleted) << name;
        ++completed_;
    }
    if (!replay->heard) return;
    // 2: it is a part of what was there, in its order.
    auto next = replay->there.begin();
    for (const std::string& id : had) {
      next = std::find(next, replay->there.end(), id);
      ASSERT_NE(next, replay->there.end()) << name << ": " << id << " is out of place";
      ++next;
    }
    if (shown.state != ReplayState::kCompleted || !archive_lives) return;
    // 3
    ModelArchive& archive = archives_[replay->archive];
    archive.Trim(runtime_->Uptime(), 0);
    std::vector<std::string> left = archive.Ids(INT64_MIN, INT64_MAX);
    std::vector<std::string> sorted = had;
    std::sort(left.begin(), left.end());
    std::sort(sorted.begin(), sorted.end());
    for (const std::string& id : replay->there) {
      EXPECT_TRUE(std::binary_search(sorted.begin(), sorted.end(), id) ||
                  !std::binary_search(left.begin(), left.end(), id))
          << name << ": " << id << " was left out";
    }
  }

  uint64_t Draw(uint64_t below) { return random_() % below; }

  static constexpr const char* kEven = R"({"detail":{"n":[2]}})";
  // Names, punctuation, version, id, the rest of the time, and region of an event.
  static constexpr int64_t kAlike = 163;

  std::mt19937_64 random_;
  std::unique_ptr<testing::SimulatedRuntime> runtime_;
  std::unique_ptr<Broker> broker_;
  EventBus bus_;
  Queue heard_;
  std::map<std::string, ModelArchive> archives_;
  std::map<std::string, uint64_t> lives_;
  std::map<std::string, ModelReplay> replays_;
  std::map<std::string, std::vector<std::string>> heard_by_;
  int steps_done_ = 0;
  int64_t completed_ = 0;
};

TEST_F(ArchiveModel, HoldsAtEveryStep) {
  for (uint64_t seed = 1; seed <= kSeeds && !HasFailure(); ++seed) Run(seed);
  EXPECT_GT(completed_, static_cast<int64_t>(20 * kSeeds)) << "the model must have been asked";
}

}  // namespace
}  // namespace banyan
