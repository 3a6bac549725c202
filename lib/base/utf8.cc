// SPDX-License-Identifier: Apache-2.0
#include "base/utf8.h"

#include <algorithm>

#include "simdjson.h"

namespace banyan::inline v0_1::internal {

// Table 3-7 of the Unicode standard.
size_t Utf8Length(std::string_view text, Surrogates surrogates) {
  const auto byte = [text](size_t i) { return static_cast<unsigned char>(text[i]); };
  const unsigned lead = byte(0);
  if (lead < 0x80) return 1;
  const size_t length = lead >= 0xF0 ? 4 : lead >= 0xE0 ? 3 : 2;
  if (lead < 0xC2 || lead > 0xF4 || text.size() < length) return 0;
  for (size_t i = 1; i < length; ++i) {
    if (!IsUtf8Continuation(text[i])) return 0;
  }
  if (lead == 0xE0 && byte(1) < 0xA0) return 0;  // overlong
  if (lead == 0xED && byte(1) > 0x9F && surrogates == Surrogates::kRefuse) return 0;
  if (lead == 0xF0 && byte(1) < 0x90) return 0;  // overlong
  if (lead == 0xF4 && byte(1) > 0x8F) return 0;  // above U+10FFFF
  return length;
}

std::optional<size_t> FirstBadUtf8(std::string_view text) {
  // Most texts are good, and whoever publishes waits.
  if (simdjson::validate_utf8(text.data(), text.size())) return std::nullopt;
  for (size_t i = 0; i < text.size();) {
    const size_t length = Utf8Length(text.substr(i));
    if (length == 0) return i;
    i += length;
  }
  return std::nullopt;
}

char32_t TakeUtf8(std::string_view* text) {
  const unsigned lead = static_cast<unsigned char>(text->front());
  const size_t length = std::min<size_t>(lead < 0x80   ? 1
                                         : lead < 0xE0 ? 2
                                         : lead < 0xF0 ? 3
                                                       : 4,
                                         text->size());
  char32_t c = length == 1 ? lead : lead & (0x7Fu >> length);
  for (size_t i = 1; i < length; ++i) {
    c = (c << 6) | (static_cast<unsigned char>((*text)[i]) & 0x3Fu);
  }
  text->remove_prefix(length);
  return c;
}

void AppendUtf8(std::string* out, char32_t c) {
  const auto put = [out](char32_t byte) { out->push_back(static_cast<char>(byte)); };
  const auto put_tail = [&put, c](int shift) { put(0x80 | ((c >> shift) & 0x3F)); };
  if (c < 0x80) {
    put(c);
  } else if (c < 0x800) {
    put(0xC0 | (c >> 6));
    put_tail(0);
  } else if (c < 0x10000) {
    put(0xE0 | (c >> 12));
    put_tail(6);
    put_tail(0);
  } else {
    put(0xF0 | (c >> 18));
    put_tail(12);
    put_tail(6);
    put_tail(0);
  }
}

}  // namespace banyan::inline v0_1::internal
