// SPDX-License-Identifier: Apache-2.0
//
// lib/route/confirmations.h -- floor 5: which subscriptions of a topic were asked to confirm, and by
// what token.
//
// A subscription has one token. Asked again it is asked with the same one while that is valid, so
// that an earlier letter is as good as a later one, and so that who subscribes a thousand times
// fills no store. A token stays valid after it was used: confirming twice is confirming once.
//
// Who is told that a subscription has ended gets a token that restores it. Of those the latest 1,000
// are kept; one that was forgotten early restores nothing, as if its two days were over.
//
// Threads: none of its own; guarded by the topic's lock.
#ifndef BANYAN_LIB_ROUTE_CONFIRMATIONS_H_
#define BANYAN_LIB_ROUTE_CONFIRMATIONS_H_

#include <cstdint>
#include <deque>
#include <optional>
#include <string>
#include <string_view>

#include "absl/container/flat_hash_map.h"
#include "absl/time/time.h"
#include "banyan/runtime.h"
#include "banyan/target.h"
#include "banyan/topic.h"
#include "base/strings.h"

namespace banyan::inline v0_1::internal {

inline constexpr absl::Duration kTokenValidity = absl::Hours(48);

// 64 hexadecimal digits, from the Runtime's randomness: as hard to guess as that is.
std::string NewToken(Runtime& runtime);

// Whether it looks like one.
bool IsToken(std::string_view text);

class Confirmations {
 public:
  std::string TokenFor(uint64_t subscription, Runtime& runtime);
  std::optional<uint64_t> Find(std::string_view token, int64_t now_ns) const;
  void Forget(uint64_t subscription);
  void Clear();

  // What was subscribed, of one that has ended.
  struct Ended {
    Target target;
    SubscriptionOptions options;
  };
  std::string TokenToRestore(Ended ended, Runtime& runtime);
  // Can be asked for once; the token then is that of the subscription it is restored as.
  std::optional<Ended> TakeEnded(std::string_view token, int64_t now_ns);
  void SetToken(uint64_t subscription, std::string_view token, int64_t now_ns);

 private:
  struct Issued {
    std::string token;
    int64_t until_ns = 0;  // uptime
  };
  struct Kept {
    std::string token;
    int64_t until_ns;
    Ended ended;
  };
  std::deque<Kept> ended_;                        // oldest first
  absl::flat_hash_map<uint64_t, Issued> issued_;  // by subscription
  absl::flat_hash_map<std::string, uint64_t, StringViewHash, StringViewEqual> subscriptions_;
};

}  // namespace banyan::inline v0_1::internal

#endif  // BANYAN_LIB_ROUTE_CONFIRMATIONS_H_
