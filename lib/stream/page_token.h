// SPDX-License-Identifier: Apache-2.0
//
// lib/stream/page_token.h -- floor 3, the stream room: what a NextToken says. Nothing is kept of a
// page that was given: its token says which list it goes on with, behind what, and since when.
#ifndef BANYAN_LIB_STREAM_PAGE_TOKEN_H_
#define BANYAN_LIB_STREAM_PAGE_TOKEN_H_

#include <cstdint>
#include <string>
#include <string_view>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "banyan/limits.h"
#include "banyan/runtime.h"

namespace banyan::inline v0_1::internal {

// A list that has pages.
struct PageOf {
  enum class Kind : char { kStreams = 'n', kShards = 's', kConsumers = 'c' };
  Kind kind;
  uint64_t incarnation;  // of the stream: one that is made anew has other lists
};

// `after`: how the list names what the page ended with.
std::string WritePageToken(const PageOf& list, std::string_view after, const Instant& now);

// `after` of a token of that list.
//
// Errors  InvalidArgumentException: it is none. ExpiredNextTokenException: not any more.
absl::StatusOr<std::string> ReadPageToken(const PageOf& list, std::string_view token,
                                          const Instant& now, const Limits& limits);

absl::Status InvalidPageToken();

// Errors  ValidationException: not 1 to 10,000.
absl::Status CheckPageSize(std::string_view field, int64_t size);

// Errors  InvalidArgumentException: both are given.
absl::Status CheckTokenIsAlone(std::string_view token, bool other_given, std::string_view other);

}  // namespace banyan::inline v0_1::internal

#endif  // BANYAN_LIB_STREAM_PAGE_TOKEN_H_
