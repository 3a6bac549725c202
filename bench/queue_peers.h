// SPDX-License-Identifier: Apache-2.0
//
// What a queue is measured against: two floors and a peer.
//
//   HandOffMutexDeque   a mutex and a deque; hands a pointer over
//   HandOffLockfree     boost::lockfree::queue; hands a pointer over
//   NaiveQueue          mutex, deque, hash map and priority queue: a standard queue with
//                       visibility, receipts and attempts, as one writes it in an hour
//
// The floors keep no count, deadline, receipt or id, and no body. The peer keeps what its callers
// need to settle messages, and no more: no ids, statuses, statistics, delays, retention or long
// polls. Time is passed in, read once per call by the caller, as Banyan reads it.
//
// Threads  Any, all methods.
#ifndef BANYAN_BENCH_QUEUE_PEERS_H_
#define BANYAN_BENCH_QUEUE_PEERS_H_

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <deque>
#include <functional>
#include <memory>
#include <queue>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "absl/container/flat_hash_map.h"
#include "absl/types/span.h"
#include "banyan/mutex.h"
#include "boost/lockfree/queue.hpp"

namespace banyan {

class HandOffMutexDeque {
 public:
  void Push(void* pointer) {
    MutexLock lock(&mu_);
    pointers_.push_back(pointer);
  }

  void PushBatch(absl::Span<void* const> pointers) {
    MutexLock lock(&mu_);
    pointers_.insert(pointers_.end(), pointers.begin(), pointers.end());
  }

  // Fills the front of `pointers`; answers how many.
  size_t PopBatch(absl::Span<void*> pointers) {
    MutexLock lock(&mu_);
    const size_t n = std::min(pointers.size(), pointers_.size());
    const auto end = pointers_.begin() + static_cast<std::ptrdiff_t>(n);
    std::copy(pointers_.begin(), end, pointers.begin());
    pointers_.erase(pointers_.begin(), end);
    return n;
  }

 private:
  Mutex mu_;
  std::deque<void*> pointers_ ABSL_GUARDED_BY(mu_);
};

// It has no batches: each pointer travels alone.
class HandOffLockfree {
 public:
  void Push(void* pointer) { pointers_.push(pointer); }

  void PushBatch(absl::Span<void* const> pointers) {
    for (void* pointer : pointers) pointers_.push(pointer);
  }

  size_t PopBatch(absl::Span<void*> pointers) {
    size_t n = 0;
    while (n < pointers.size() && pointers_.pop(pointers[n])) ++n;
    return n;
  }

 private:
  boost::lockfree::queue<void*> pointers_{1'024};
};

class NaiveQueue {
 public:
  using Body = std::shared_ptr<const std::string>;

  struct Taken {
    uint64_t receipt;  // names this attempt
    Body body;
    int64_t receive_count;
  };

  void Send(std::string_view body) {
    Message message = {.body = std::make_shared<const std::string>(body)};
    MutexLock lock(&mu_);
    visible_.push_back(std::move(message));
  }

  void SendBatch(absl::Span<const std::string_view> bodies) {
    std::vector<Message> messages;
    messages.reserve(bodies.size());
    for (std::string_view body : bodies) {
      messages.push_back({.body = std::make_shared<const std::string>(body)});
    }
    MutexLock lock(&mu_);
    for (Message& message : messages) visible_.push_back(std::move(message));
  }

  std::vector<Taken> Receive(size_t max_messages, int64_t now_ns, int64_t visibility_ns) {
    std::vector<Taken> taken;
    MutexLock lock(&mu_);
    BringBack(now_ns);
    taken.reserve(std::min(max_messages, visible_.size()));
    while (taken.size() < max_messages && !visible_.empty()) {
      Message message = std::move(visible_.front());
      visible_.pop_front();
      ++message.receive_count;
      const uint64_t receipt = ++last_receipt_;
      taken.push_back({receipt, message.body, message.receive_count});
      in_flight_.emplace(receipt, std::move(message));
      deadlines_.push({now_ns + visibility_ns, receipt});
    }
    return taken;
  }

  // False: settled before, or its visibility timeout has ended.
  bool Delete(uint64_t receipt) {
    MutexLock lock(&mu_);
    return in_flight_.erase(receipt) > 0;
  }

  size_t DeleteBatch(absl::Span<const Taken> taken) {
    size_t deleted = 0;
    MutexLock lock(&mu_);
    for (const Taken& one : taken) deleted += in_flight_.erase(one.receipt);
    return deleted;
  }

 private:
  struct Message {
    Body body;
    int64_t receive_count = 0;
  };
  struct Deadline {
    int64_t at_ns;
    uint64_t receipt;

    bool operator>(const Deadline& other) const { return at_ns > other.at_ns; }
  };

  // A deadline whose message was deleted stays until it comes to the top, and goes then.
  void BringBack(int64_t now_ns) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mu_) {
    while (!deadlines_.empty()) {
      const auto at = in_flight_.find(deadlines_.top().receipt);
      if (at != in_flight_.end()) {
        if (deadlines_.top().at_ns > now_ns) return;
        visible_.push_back(std::move(at->second));
        in_flight_.erase(at);
      }
      deadlines_.pop();
    }
  }

  Mutex mu_;
  std::deque<Message> visible_ ABSL_GUARDED_BY(mu_);
  absl::flat_hash_map<uint64_t, Message> in_flight_ ABSL_GUARDED_BY(mu_);
  std::priority_queue<Deadline, std::vector<Deadline>, std::greater<>> deadlines_
      ABSL_GUARDED_BY(mu_);
  uint64_t last_receipt_ ABSL_GUARDED_BY(mu_) = 0;
};

}  // namespace banyan

#endif  // BANYAN_BENCH_QUEUE_PEERS_H_
