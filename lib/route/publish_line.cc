// SPDX-License-Identifier: Apache-2.0
#include "route/publish_line.h"

#include <algorithm>

#include "message/errors.h"
#include "queue/intake.h"

namespace banyan::inline v0_1::internal {

namespace {

// Lines, one within the other, that this thread serves now.
constinit thread_local int lines_served = 0;

}  // namespace

DedupKey PublishLine::KeyOf(std::string_view group_id, std::string_view deduplication_id) const {
  return MakeDedupKey(scope_.load(std::memory_order_relaxed) == FifoThroughputScope::kMessageGroup
                          ? group_id
                          : std::string_view(),
                      deduplication_id, secret_);
}

std::optional<PublishResult> PublishLine::FindDuplicate(const DedupKey& key, int64_t now_ns) {
  MutexLock lock(&mu_);
  const FifoDedupWindow::Original* original = window_.Find(key, std::max(latest_ns_, now_ns));
  if (original == nullptr) return std::nullopt;
  ++duplicates_;
  return PublishResult{original->message_id, original->sequence_number};
}

bool PublishLine::Knows(const DedupKey& key, int64_t now_ns) {
  MutexLock lock(&mu_);
  return window_.Find(key, std::max(latest_ns_, now_ns)) != nullptr;
}

absl::StatusOr<PublishLine::Entered> PublishLine::Enter(
    const DedupKey& key, const Id& id, int64_t now_ns,
    absl::FunctionRef<Publication(uint64_t sequence_number)> make) {
  MutexLock lock(&mu_);
  latest_ns_ = std::max(latest_ns_, now_ns);  // two publishers may have read the clock in any order
  if (const FifoDedupWindow::Original* original = window_.Find(key, latest_ns_)) {
    ++duplicates_;
    return Entered{{original->message_id, original->sequence_number}, /*is_duplicate=*/true};
  }
  if (window_.full()) {
    return Error(AwsError::kTopicThrottled,
                 "Rate exceeded: the topic cannot take more deduplication ids within five minutes");
  }
  const uint64_t number = kFirstSequence + ++last_number_;
  window_.Insert(key, {id, number}, latest_ns_);
  line_.emplace_back(number, make(number));
  return Entered{{id, number}, /*is_duplicate=*/false};
}

void PublishLine::Serve(uint64_t sequence_number, FanOut fan_out) {
  MutexLock lock(&mu_);
  ServeUpTo(sequence_number, fan_out);
}

void PublishLine::ServeUpTo(uint64_t upto, FanOut fan_out) {
  while (served_ < upto) {
    if (serving_ != nullptr && lines_served > 0) {
      owed_ = std::max(owed_, upto);  // L3
      return;
    }
    if (serving_ != nullptr) {
      AwaitServer([this, upto] {
        mu_.AssertHeld();
        return served_ >= upto;
      });
      continue;
    }
    serving_ = ThisThread();
    auto [number, publication] = std::move(line_.front());
    line_.pop_front();
    mu_.Unlock();
    ++lines_served;
    fan_out(publication);
    publication = {};  // if nobody took it, a user's release function runs: under no lock
    --lines_served;
    mu_.Lock();
    served_ = number;
    serving_ = nullptr;
    upto = std::max(upto, std::exchange(owed_, 0));
    waiting_.WakeAll();
  }
}

PublishLine::Turn PublishLine::Alone(absl::FunctionRef<void()> work, FanOut fan_out) {
  MutexLock lock(&mu_);
  if (serving_ == ThisThread()) return Turn::kWithin;
  if (serving_ != nullptr && lines_served > 0) return Turn::kBusy;
  while (serving_ != nullptr) AwaitServer([] { return false; });
  serving_ = ThisThread();
  mu_.Unlock();
  ++lines_served;
  work();
  --lines_served;
  mu_.Lock();
  serving_ = nullptr;
  waiting_.WakeAll();
  ServeUpTo(std::exchange(owed_, 0), fan_out);
  return Turn::kDone;
}

// Until nobody serves, or it is enough.
void PublishLine::AwaitServer(absl::FunctionRef<bool()> enough) {
  runtime_.Await(
      mu_, waiting_,
      [this, enough] {
        mu_.AssertHeld();
        return serving_ == nullptr || enough();
      },
      absl::InfiniteDuration());
}

int64_t PublishLine::duplicates() const {
  MutexLock lock(&mu_);
  return duplicates_;
}

}  // namespace banyan::inline v0_1::internal
