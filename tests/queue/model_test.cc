// SPDX-License-Identifier: Apache-2.0
//
// The second answerer: the simplest queue that the sheet allows, one vector that is walked from end
// to end, against the real one, under random operations and moves of the clock.
//
// The model knows no order, because a standard queue promises none: it checks that what was
// received was receivable, that as many came as must, and every count, code and stamp.
#include <algorithm>
#include <cstdint>
#include <cstdlib>
#include <map>
#include <random>
#include <string>
#include <vector>

#include "banyan/testing/seed_reporter.h"
#include "queue_testing.h"

namespace banyan::internal {
namespace {

enum class Where { kQueue, kDeadLetterQueue, kGone };

struct ModelMessage {
  Id id;
  Where where = Where::kQueue;
  absl::Duration enqueued;
  absl::Duration hidden_until;  // visible from then on
  bool delayed = false;         // hidden because it was delayed, not because it was received
  absl::Duration received_at;   // the latest time
  int64_t receive_count = 0;    // over both queues
  int64_t attempts = 0;         // where it is now
  bool from_elsewhere = false;  // moved to the dead-letter queue
  int64_t last_source_attempt = 0;
  bool received_in_dead_letter_queue = false;
};

struct ModelHandle {
  size_t message;  // index in Model::messages
  Where given_by;
  int64_t attempt;
  Received received;
};

struct ModelQueue {
  absl::Duration retention;
  int64_t in_flight_max;
  int64_t accepted = 0, moved_in = 0, moved_out = 0, deleted = 0, expired = 0, purged = 0,
          received = 0, stale_deletes = 0;
  absl::Duration purged_at = -absl::InfiniteDuration();
};

struct Model {
  static constexpr int64_t kMaxReceives = 3;

  std::vector<ModelMessage> messages;
  ModelQueue queue{absl::Minutes(2), 6};
  ModelQueue dead{absl::Minutes(3), 120'000};

  ModelQueue& at(Where where) { return where == Where::kQueue ? queue : dead; }

  // Each message by itself, so the order does not matter.
  void BringUpTo(absl::Duration now) {
    for (ModelMessage& m : messages) {
      if (m.where == Where::kQueue) {
        const absl::Duration expires = m.enqueued + queue.retention;
        const bool last_attempt_over =
            m.attempts > 0 && m.receive_count >= kMaxReceives && m.hidden_until <= now;
        if (last_attempt_over && m.hidden_until < expires) {
          Move(m);
        } else if (expires <= now) {
          ++queue.expired;
          m.where = Where::kGone;
        }
      }
      if (m.where == Where::kDeadLetterQueue && m.enqueued + dead.retention <= now) {
        ++dead.expired;
        m.where = Where::kGone;
      }
    }
  }

  void Move(ModelMessage& m) {
    ++queue.moved_out;
    ++dead.moved_in;
    m.where = Where::kDeadLetterQueue;
    m.delayed = false;
    m.from_elsewhere = true;
    m.last_source_attempt = m.attempts;
    m.attempts = 0;
    m.received_in_dead_letter_queue = false;
  }

  QueueDepth Depth(Where where, absl::Duration now) const {
    QueueDepth depth;
    for (const ModelMessage& m : messages) {
      if (m.where != where) continue;
      ++(m.hidden_until <= now ? depth.visible : m.delayed ? depth.delayed : depth.in_flight);
    }
    return depth;
  }
};

class ModelRun {
 public:
  explicit ModelRun(uint64_t seed)
      : random_(seed), runtime_({.seed = seed, .shuffle = true}), broker_(runtime_) {
    dead_ = broker_.Make("dead", {.retention = model_.dead.retention});
    queue_ = broker_.Make("queue", {.visibility_timeout = absl::Seconds(10),
                                    .retention = model_.queue.retention,
                                    .in_flight_max = model_.queue.in_flight_max,
                                    .redrive = RedrivePolicy{dead_.arn(), Model::kMaxReceives}});
  }

  void Run(int steps) {
    for (int i = 0; i < steps && !::testing::Test::HasFailure(); ++i) {
      model_.BringUpTo(Now());
      Step();
      Compare();
    }
  }

 private:
  int Draw(int below) { return static_cast<int>(random_() % static_cast<uint64_t>(below)); }
  absl::Duration Now() { return runtime_.Uptime(); }
  Where DrawWhere() { return Draw(3) == 0 ? Where::kDeadLetterQueue : Where::kQueue; }
  const Queue& real(Where where) { return where == Where::kQueue ? queue_ : dead_; }

  void Step() {
    switch (Draw(12)) {
      case 0:
      case 1:
      case 2:
        return Send();
      case 3:
      case 4:
      case 5:
        return Receive(DrawWhere());
      case 6:
      case 7:
        return Delete();
      case 8:
        return ChangeVisibility();
      case 9:
        return Draw(8) == 0 ? Redrive() : Draw(20) == 0 ? Purge(DrawWhere()) : Peek(DrawWhere());
      default:
        // Often to the instant of a deadline, sometimes far.
        runtime_.Advance(Draw(10) == 0 ? absl::Seconds(Draw(100)) : absl::Seconds(Draw(6)));
        model_.BringUpTo(Now());
    }
  }

  void Send() {
    const Where where = Draw(10) == 0 ? Where::kDeadLetterQueue : Where::kQueue;
    SendRequest request{.body = "m"};
    ModelMessage m;
    if (Draw(3) == 0) request.delay = absl::Seconds(Draw(15));
    absl::StatusOr<SendResult> sent = real(where).Send(request);
    ASSERT_TRUE(sent.ok()) << sent.status();
    m.id = sent->message_id;
    m.where = where;
    m.enqueued = Now();
    m.hidden_until = Now() + request.delay.value_or(absl::ZeroDuration());
    m.delayed = m.hidden_until > Now();
    ++model_.at(where).accepted;
    model_.messages.push_back(m);
  }

  void Receive(Where where) {
    const QueueDepth depth = model_.Depth(where, Now());
    ModelQueue& model = model_.at(where);
    ReceiveOptions options{.max_messages = 1 + Draw(10)};
    absl::Duration visibility = where == Where::kQueue ? absl::Seconds(10) : absl::Seconds(30);
    if (Draw(3) == 0) {
      visibility = absl::Seconds(Draw(8));
      options.visibility_timeout = visibility;
    }
    absl::StatusOr<std::vector<Received>> got = real(where).Receive(options);
    const int64_t room = std::max<int64_t>(0, model.in_flight_max - depth.in_flight);
    if (room == 0 && depth.visible > 0) {
      ASSERT_EQ(AwsCode(got.status()), "OverLimit");
      return;
    }
    ASSERT_TRUE(got.ok()) << got.status();
    // What is left visible takes no room in flight but while the receive runs.
    ASSERT_EQ(static_cast<int64_t>(got->size()),
              std::min({options.max_messages, depth.visible, room}));
    for (const Received& one : *got) {
      auto found =
          std::find_if(model_.messages.begin(), model_.messages.end(),
                       [&](const ModelMessage& m) { return m.id == one.id() && m.where == where; });
      ASSERT_NE(found, model_.messages.end()) << "a message that is not here";
      ModelMessage& m = *found;
      ASSERT_LE(m.hidden_until, Now()) << "a message that is hidden";
      ++m.receive_count;
      ++m.attempts;
      ++model.received;
      m.delayed = false;
      m.hidden_until = Now() + visibility;
      m.received_at = Now();
      m.received_in_dead_letter_queue = where == Where::kDeadLetterQueue;
      ASSERT_EQ(one.receive_count(), m.receive_count);
      ASSERT_EQ(one.dead_letter_source().has_value(), m.from_elsewhere);
      const std::string handle = one.receipt_handle();
      ASSERT_TRUE(handles_by_text_.emplace(handle, handles_.size()).second) << "a receipt twice";
      handles_.push_back(
          {static_cast<size_t>(found - model_.messages.begin()), where, m.attempts, one});
    }
    model_.BringUpTo(Now());
  }

  // Any handle that was ever given out, most often a recent one.
  const ModelHandle* DrawHandle() {
    if (handles_.empty()) return nullptr;
    const size_t back = static_cast<size_t>(Draw(Draw(2) == 0 ? 10 : 1'000'000)) % handles_.size();
    return &handles_[handles_.size() - 1 - back];
  }

  void Delete() {
    const ModelHandle* handle = DrawHandle();
    if (handle == nullptr) return;
    ModelMessage& m = model_.messages[handle->message];
    ModelQueue& giver = model_.at(handle->given_by);
    if (m.where == handle->given_by) {
      if (handle->attempt == m.attempts) {
        ++giver.deleted;
        m.where = Where::kGone;
      } else {
        ++giver.stale_deletes;
      }
    } else if (handle->given_by == Where::kQueue && m.where == Where::kDeadLetterQueue &&
               m.from_elsewhere && !m.received_in_dead_letter_queue) {
      if (handle->attempt == m.last_source_attempt) {
        ++model_.dead.deleted;
        m.where = Where::kGone;
      } else {
        ++model_.dead.stale_deletes;
      }
    }
    const absl::Status status =
        Draw(2) == 0 ? handle->received.Delete()
                     : real(handle->given_by).Delete(handle->received.receipt_handle());
    ASSERT_TRUE(status.ok()) << status;
  }

  void ChangeVisibility() {
    const ModelHandle* handle = DrawHandle();
    if (handle == nullptr) return;
    ModelMessage& m = model_.messages[handle->message];
    const absl::Duration from_now = Draw(4) == 0 ? absl::ZeroDuration() : absl::Seconds(Draw(20));
    const absl::Status status = handle->received.ChangeVisibility(from_now);
    if (m.where != handle->given_by) {
      ASSERT_EQ(AwsCode(status), "InvalidParameterValue");
      return;
    }
    const QueueDepth depth = model_.Depth(m.where, Now());
    const bool visible = m.hidden_until <= Now();
    if (visible && from_now > absl::ZeroDuration() &&
        depth.in_flight >= model_.at(m.where).in_flight_max) {
      ASSERT_EQ(AwsCode(status), "OverLimit");
      return;
    }
    ASSERT_TRUE(status.ok()) << status;
    m.hidden_until = Now() + from_now;
    model_.BringUpTo(Now());
  }

  void Peek(Where where) {
    absl::StatusOr<std::vector<Received>> seen = real(where).Peek(5);
    ASSERT_TRUE(seen.ok()) << seen.status();
    ASSERT_EQ(static_cast<int64_t>(seen->size()),
              std::min<int64_t>(5, model_.Depth(where, Now()).visible));
  }

  void Redrive() {
    int64_t expected = 0;
    const size_t before = model_.messages.size();
    for (size_t i = 0; i < before; ++i) {
      ModelMessage& m = model_.messages[i];
      if (m.where != Where::kDeadLetterQueue || !m.from_elsewhere || m.hidden_until > Now())
        continue;
      ++expected;
      m.where = Where::kGone;
    }
    model_.dead.moved_out += expected;
    model_.queue.moved_in += expected;
    absl::StatusOr<int64_t> moved = dead_.Redrive();
    ASSERT_TRUE(moved.ok()) << moved.status();
    ASSERT_EQ(*moved, expected);
    // They are new messages; learn their ids.
    const std::vector<Received> visible = queue_.Peek(10'000).value();
    for (const Received& one : visible) {
      const auto known = [&](const ModelMessage& m) { return m.id == one.id(); };
      if (std::any_of(model_.messages.begin(), model_.messages.end(), known)) continue;
      ModelMessage m;
      m.id = one.id();
      m.enqueued = Now();
      m.hidden_until = Now();
      model_.messages.push_back(m);
      --expected;
    }
    ASSERT_EQ(expected, 0);
  }

  void Purge(Where where) {
    ModelQueue& model = model_.at(where);
    const absl::Status status = real(where).Purge();
    if (Now() - model.purged_at < absl::Seconds(60)) {
      ASSERT_EQ(AwsCode(status), "AWS.SimpleQueueService.PurgeQueueInProgress");
      return;
    }
    ASSERT_TRUE(status.ok()) << status;
    model.purged_at = Now();
    for (ModelMessage& m : model_.messages) {
      if (m.where != where) continue;
      ++model.purged;
      m.where = Where::kGone;
    }
  }

  void Compare() {
    for (const Where where : {Where::kQueue, Where::kDeadLetterQueue}) {
      real(where).core()->CheckInvariants();
      const QueueStats stats = real(where).Stats();
      const ModelQueue& model = model_.at(where);
      const QueueDepth depth = model_.Depth(where, Now());
      ASSERT_EQ(stats.depth.visible, depth.visible);
      ASSERT_EQ(stats.depth.in_flight, depth.in_flight);
      ASSERT_EQ(stats.depth.delayed, depth.delayed);
      ASSERT_EQ(stats.accepted, model.accepted);
      ASSERT_EQ(stats.moved_in, model.moved_in);
      ASSERT_EQ(stats.moved_out, model.moved_out);
      ASSERT_EQ(stats.deleted, model.deleted);
      ASSERT_EQ(stats.expired, model.expired);
      ASSERT_EQ(stats.purged, model.purged);
      ASSERT_EQ(stats.received, model.received);
      ASSERT_EQ(stats.stale_deletes, model.stale_deletes);
    }
  }

  std::mt19937_64 random_;
  testing::SimulatedRuntime runtime_;
  TestBroker broker_;
  Model model_;
  Queue dead_;
  Queue queue_;
  std::vector<ModelHandle> handles_;
  std::map<std::string, size_t> handles_by_text_;
};

TEST(QueueModelTest, RandomOperationsAnswerAsTheModelDoes) {
#ifdef BANYAN_SANITIZER
  constexpr uint64_t kSeeds = 60;
#else
  constexpr uint64_t kSeeds = 1'000;
#endif
  // BANYAN_SEED=n runs that seed alone, to look at a failure.
  const char* only = std::getenv("BANYAN_SEED");
  const uint64_t first = only == nullptr ? 1 : std::strtoull(only, nullptr, 10);
  const uint64_t last = only == nullptr ? kSeeds : first;
  for (uint64_t seed = first; seed <= last && !HasFailure(); ++seed) {
    testing::SeedReporter reporter(seed);
    ModelRun(seed).Run(/*steps=*/300);
  }
}

}  // namespace
}  // namespace banyan::internal
