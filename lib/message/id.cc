// SPDX-License-Identifier: Apache-2.0
#include "banyan/id.h"

namespace banyan::inline v0_1 {

namespace {

constexpr char kDigits[] = "0123456789abcdef";

int HexValue(char c) {
  if (c >= '0' && c <= '9') return c - '0';
  if (c >= 'a' && c <= 'f') return c - 'a' + 10;
  if (c >= 'A' && c <= 'F') return c - 'A' + 10;
  return -1;
}

constexpr bool IsHyphenAt(size_t position) {
  return position == 8 || position == 13 || position == 18 || position == 23;
}

}  // namespace

std::string Id::ToHex() const {
  std::string text(32, '0');
  for (int i = 0; i < 16; ++i) {
    text[static_cast<size_t>(15 - i)] = kDigits[(hi >> (4 * i)) & 0xF];
    text[static_cast<size_t>(31 - i)] = kDigits[(lo >> (4 * i)) & 0xF];
  }
  return text;
}

std::string Id::ToString() const {
  std::string text = ToHex();
  for (size_t position : {size_t{8}, size_t{13}, size_t{18}, size_t{23}}) {
    text.insert(position, 1, '-');
  }
  return text;
}

std::optional<Id> Id::Parse(std::string_view text) {
  if (text.size() != 36) return std::nullopt;
  Id id;
  int digits = 0;
  for (size_t i = 0; i < text.size(); ++i) {
    if (IsHyphenAt(i)) {
      if (text[i] != '-') return std::nullopt;
      continue;
    }
    const int value = HexValue(text[i]);
    if (value < 0) return std::nullopt;
    uint64_t& half = digits++ < 16 ? id.hi : id.lo;
    half = half << 4 | static_cast<uint64_t>(value);
  }
  return id;
}

}  // namespace banyan::inline v0_1
