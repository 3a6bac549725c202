// SPDX-License-Identifier: Apache-2.0
#include "queue/receipt.h"

#include <charconv>

#include "absl/strings/str_cat.h"
#include "base/mix.h"

namespace banyan::inline v0_1::internal {

namespace {

constexpr size_t kTextSize = 56;

uint32_t CheckDigits(const Receipt& receipt) {
  uint64_t sum = Mix64(receipt.incarnation + kMixStep);
  sum = Mix64(sum + receipt.number);
  sum = Mix64(sum + (uint64_t{receipt.slot} << 32 | receipt.attempt));
  return static_cast<uint32_t>(sum);
}

// Takes a number of hexadecimal digits off the front of `text`.
template <typename Integer>
bool TakeHex(std::string_view* text, Integer* value) {
  constexpr size_t kDigits = 2 * sizeof(Integer);
  const char* end = text->data() + kDigits;
  const auto [stopped_at, error] = std::from_chars(text->data(), end, *value, 16);
  text->remove_prefix(kDigits);
  return error == std::errc() && stopped_at == end;
}

}  // namespace

std::string Receipt::ToString() const {
  return absl::StrCat(absl::Hex(incarnation, absl::kZeroPad16), absl::Hex(slot, absl::kZeroPad8),
                      absl::Hex(number, absl::kZeroPad16), absl::Hex(attempt, absl::kZeroPad8),
                      absl::Hex(CheckDigits(*this), absl::kZeroPad8));
}

std::optional<Receipt> Receipt::Parse(std::string_view text) {
  if (text.size() != kTextSize) return std::nullopt;
  Receipt receipt;
  uint32_t check = 0;
  const bool read = TakeHex(&text, &receipt.incarnation) && TakeHex(&text, &receipt.slot) &&
                    TakeHex(&text, &receipt.number) && TakeHex(&text, &receipt.attempt) &&
                    TakeHex(&text, &check);
  if (!read || check != CheckDigits(receipt)) return std::nullopt;
  return receipt;
}

}  // namespace banyan::inline v0_1::internal
