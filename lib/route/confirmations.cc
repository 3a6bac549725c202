// SPDX-License-Identifier: Apache-2.0
#include "route/confirmations.h"

#include <algorithm>
#include <utility>

#include "absl/strings/str_format.h"
#include "base/nanoseconds.h"

namespace banyan::inline v0_1::internal {

namespace {

constexpr size_t kTokenSize = 64;
constexpr size_t kEndedMax = 1'000;

int64_t ValidUntil(int64_t now_ns) { return AddClamped(now_ns, CeilNanoseconds(kTokenValidity)); }

}  // namespace

std::string NewToken(Runtime& runtime) {
  std::string token;
  while (token.size() < kTokenSize) absl::StrAppendFormat(&token, "%016x", runtime.Random());
  return token;
}

bool IsToken(std::string_view text) {
  return text.size() == kTokenSize && std::all_of(text.begin(), text.end(), [](char c) {
           return (c >= '0' && c <= '9') || (c >= 'a' && c <= 'f');
         });
}

std::string Confirmations::TokenFor(uint64_t subscription, Runtime& runtime) {
  const int64_t now_ns = runtime.Read().uptime_ns;
  Issued& issued = issued_[subscription];
  if (issued.token.empty() || issued.until_ns <= now_ns) {
    SetToken(subscription, NewToken(runtime), now_ns);
  }
  return issued.token;
}

void Confirmations::SetToken(uint64_t subscription, std::string_view token, int64_t now_ns) {
  Issued& issued = issued_[subscription];
  subscriptions_.erase(issued.token);
  issued = {std::string(token), ValidUntil(now_ns)};
  subscriptions_.emplace(issued.token, subscription);
}

std::optional<uint64_t> Confirmations::Find(std::string_view token, int64_t now_ns) const {
  const auto found = subscriptions_.find(token);
  if (found == subscriptions_.end()) return std::nullopt;
  if (issued_.at(found->second).until_ns <= now_ns) return std::nullopt;
  return found->second;
}

void Confirmations::Forget(uint64_t subscription) {
  const auto issued = issued_.find(subscription);
  if (issued == issued_.end()) return;
  subscriptions_.erase(issued->second.token);
  issued_.erase(issued);
}

std::string Confirmations::TokenToRestore(Ended ended, Runtime& runtime) {
  const int64_t now_ns = runtime.Read().uptime_ns;
  while (!ended_.empty() && (ended_.size() >= kEndedMax || ended_.front().until_ns <= now_ns)) {
    ended_.pop_front();
  }
  ended_.push_back({NewToken(runtime), ValidUntil(now_ns), std::move(ended)});
  return ended_.back().token;
}

std::optional<Confirmations::Ended> Confirmations::TakeEnded(std::string_view token,
                                                             int64_t now_ns) {
  const auto kept = std::find_if(ended_.begin(), ended_.end(),
                                 [token](const Kept& its) { return its.token == token; });
  if (kept == ended_.end() || kept->until_ns <= now_ns) return std::nullopt;
  Ended ended = std::move(kept->ended);
  ended_.erase(kept);
  return ended;
}

void Confirmations::Clear() {
  ended_.clear();
  issued_.clear();
  subscriptions_.clear();
}

}  // namespace banyan::inline v0_1::internal
