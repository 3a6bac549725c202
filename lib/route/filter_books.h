// SPDX-License-Identifier: Apache-2.0
//
// lib/route/filter_books.h -- floor 5: what the filter policy of one subscription has stopped, by
// reason, though publishers never meet those they do not match (topic_core.h, T1).
//
// Counted by what is left: of all that was published while a policy stood, what did not match it was
// stopped by it. The reasons are told apart by two numbers that the topic counts for all: messages
// without attributes, and bodies that no policy can read.
//
// Threads   Every method from any thread; its lock is the last anyone takes.
#ifndef BANYAN_LIB_ROUTE_FILTER_BOOKS_H_
#define BANYAN_LIB_ROUTE_FILTER_BOOKS_H_

#include <algorithm>
#include <cstdint>
#include <optional>

#include "absl/base/thread_annotations.h"
#include "banyan/mutex.h"
#include "banyan/topic.h"

namespace banyan::inline v0_1::internal {

// What a topic has seen so far.
struct TopicSeen {
  int64_t published = 0;           // and shown to subscriptions, not taken over by a tap
  int64_t without_attributes = 0;  // of these
  int64_t unreadable = 0;          // bodies that no policy on bodies could read
};

struct FilteredOut {
  int64_t by_attributes = 0;
  int64_t by_body = 0;
  int64_t no_attributes = 0;
  int64_t invalid_body = 0;

  int64_t total() const { return by_attributes + by_body + no_attributes + invalid_body; }
  FilteredOut& operator+=(const FilteredOut& other) {
    by_attributes += other.by_attributes;
    by_body += other.by_body;
    no_attributes += other.no_attributes;
    invalid_body += other.invalid_body;
    return *this;
  }
};

class FilterBooks {
 public:
  // A policy begins to stand, in place of the one before; nullopt: everything passes. `accounted`:
  // what the subscription got so far, or was kept from it by something else.
  void Begin(const TopicSeen& seen, int64_t accounted, std::optional<FilterPolicyScope> scope) {
    MutexLock lock(&mu_);
    filtered_ += Since(seen, accounted);
    scope_ = scope;
    seen_ = seen;
    accounted_ = accounted;
  }

  // Nothing more is for the subscription.
  void End(const TopicSeen& seen, int64_t accounted) { Begin(seen, accounted, std::nullopt); }

  FilteredOut Read(const TopicSeen& seen, int64_t accounted) const {
    MutexLock lock(&mu_);
    FilteredOut all = filtered_;
    return all += Since(seen, accounted);
  }

 private:
  FilteredOut Since(const TopicSeen& seen, int64_t accounted) const
      ABSL_EXCLUSIVE_LOCKS_REQUIRED(mu_) {
    FilteredOut out;
    if (!scope_.has_value()) return out;
    // The numbers are read one after another, while others count on.
    const int64_t all =
        std::max<int64_t>(0, (seen.published - seen_.published) - (accounted - accounted_));
    if (*scope_ == FilterPolicyScope::kMessageAttributes) {
      out.no_attributes = std::min(all, seen.without_attributes - seen_.without_attributes);
      out.by_attributes = all - out.no_attributes;
    } else {
      out.invalid_body = std::min(all, seen.unreadable - seen_.unreadable);
      out.by_body = all - out.invalid_body;
    }
    return out;
  }

  mutable Mutex mu_;
  std::optional<FilterPolicyScope> scope_ ABSL_GUARDED_BY(mu_);
  TopicSeen seen_ ABSL_GUARDED_BY(mu_);
  int64_t accounted_ ABSL_GUARDED_BY(mu_) = 0;
  FilteredOut filtered_ ABSL_GUARDED_BY(mu_);  // by policies before this one
};

}  // namespace banyan::inline v0_1::internal

#endif  // BANYAN_LIB_ROUTE_FILTER_BOOKS_H_
