// SPDX-License-Identifier: Apache-2.0
#include "stream/page_token.h"

#include <charconv>
#include <optional>

#include "base/nanoseconds.h"
#include "base/strings.h"
#include "message/errors.h"
#include "stream/validate.h"

namespace banyan::inline v0_1::internal {

namespace {

// Kind, incarnation and uptime in hexadecimal, then the rest.
constexpr size_t kWordDigits = 16;
constexpr size_t kHeadSize = 1 + 2 * kWordDigits;

std::optional<uint64_t> ReadWord(std::string_view digits) {
  uint64_t word = 0;
  const char* const end = digits.data() + digits.size();
  const auto [rest, error] = std::from_chars(digits.data(), end, word, 16);
  if (error != std::errc() || rest != end) return std::nullopt;
  return word;
}

}  // namespace

std::string WritePageToken(const PageOf& list, std::string_view after, const Instant& now) {
  return StrCat(std::string(1, static_cast<char>(list.kind)),
                absl::Hex(list.incarnation, absl::kZeroPad16),
                absl::Hex(static_cast<uint64_t>(now.uptime_ns), absl::kZeroPad16), after);
}

absl::StatusOr<std::string> ReadPageToken(const PageOf& list, std::string_view token,
                                          const Instant& now, const Limits& limits) {
  if (token.size() <= kHeadSize || token[0] != static_cast<char>(list.kind)) {
    return InvalidPageToken();
  }
  const std::optional<uint64_t> incarnation = ReadWord(token.substr(1, kWordDigits));
  const std::optional<uint64_t> word = ReadWord(token.substr(1 + kWordDigits, kWordDigits));
  if (incarnation != list.incarnation || !word.has_value()) return InvalidPageToken();
  const auto issued_ns = static_cast<int64_t>(*word);
  if (issued_ns < 0 || issued_ns > now.uptime_ns) return InvalidPageToken();
  const absl::Duration life = limits.stream.page_life;
  if (issued_ns < now.uptime_ns - CeilNanoseconds(life)) {
    return Error(AwsError::kStreamExpiredNextToken, "NextToken expired. It is good for ",
                 SecondsText(life), " seconds.");
  }
  return std::string(token.substr(kHeadSize));
}

absl::Status InvalidPageToken() {
  return Error(AwsError::kStreamInvalidArgument, "Invalid NextToken.");
}

absl::Status CheckPageSize(std::string_view field, int64_t size) {
  constexpr int64_t kSizeMax = 10'000;
  if (size < 1) {
    return ConstraintError(StrCat(size), field, "have value greater than or equal to 1");
  }
  if (size > kSizeMax) {
    return ConstraintError(StrCat(size), field,
                           StrCat("have value less than or equal to ", kSizeMax));
  }
  return absl::OkStatus();
}

absl::Status CheckTokenIsAlone(std::string_view token, bool other_given, std::string_view other) {
  if (token.empty() || !other_given) return absl::OkStatus();
  return Error(AwsError::kStreamInvalidArgument, "NextToken and ", other,
               " cannot be provided together.");
}

}  // namespace banyan::inline v0_1::internal
