// SPDX-License-Identifier: Apache-2.0
//
// lib/queue/receive_attempts.h -- floor 3, the queue room: what a FIFO queue gave to receives that
// have a ReceiveRequestAttemptId, so that it can give the same again.
//
// A1  An attempt is kept for five minutes from its first answer, and at most kAttemptsMax of them;
//     beyond that the oldest is forgotten: its id is then as good as new.
//
// Threads: none of its own; QueueCore::mu_ guards it.
#ifndef BANYAN_LIB_QUEUE_RECEIVE_ATTEMPTS_H_
#define BANYAN_LIB_QUEUE_RECEIVE_ATTEMPTS_H_

#include <cstddef>
#include <cstdint>
#include <deque>
#include <string>
#include <utility>
#include <vector>

#include "absl/container/flat_hash_map.h"
#include "queue/receipt.h"

namespace banyan::inline v0_1::internal {

class ReceiveAttempts {
 public:
  struct Given {
    Receipt receipt;
    uint32_t changes;  // Slot::changes then; another number now means it was changed since
  };

  // What was given to this attempt less than five minutes ago; null if nothing.
  std::vector<Given>* Find(const std::string& id, int64_t now_ns) {
    Forget(now_ns);
    const auto found = attempts_.find(id);
    return found == attempts_.end() ? nullptr : &found->second.given;
  }

  void Keep(const std::string& id, std::vector<Given> given, int64_t now_ns) {
    Forget(now_ns);
    const uint64_t round = ++rounds_;
    attempts_[id] = {std::move(given), round};
    by_age_.push_back({id, round, now_ns + kWindowNs});
    if (by_age_.size() > kAttemptsMax) ForgetOldest();
  }

  void Clear() {
    attempts_.clear();
    by_age_.clear();
  }

 private:
  static constexpr int64_t kWindowNs = int64_t{300} * 1'000'000'000;
  static constexpr size_t kAttemptsMax = 100'000;

  struct Attempt {
    std::vector<Given> given;
    uint64_t round;
  };
  struct Age {
    std::string id;
    uint64_t round;  // of another attempt by the same id: this one was replaced
    int64_t ends_ns;
  };

  void Forget(int64_t now_ns) {
    while (!by_age_.empty() && by_age_.front().ends_ns <= now_ns) ForgetOldest();
  }

  void ForgetOldest() {
    const auto found = attempts_.find(by_age_.front().id);
    if (found != attempts_.end() && found->second.round == by_age_.front().round) {
      attempts_.erase(found);
    }
    by_age_.pop_front();
  }

  absl::flat_hash_map<std::string, Attempt> attempts_;
  std::deque<Age> by_age_;
  uint64_t rounds_ = 0;
};

}  // namespace banyan::inline v0_1::internal

#endif  // BANYAN_LIB_QUEUE_RECEIVE_ATTEMPTS_H_
