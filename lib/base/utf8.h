// SPDX-License-Identifier: Apache-2.0
//
// UTF-8, one character at a time.
#ifndef BANYAN_LIB_BASE_UTF8_H_
#define BANYAN_LIB_BASE_UTF8_H_

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

namespace banyan::inline v0_1::internal {

inline bool IsUtf8Continuation(char c) { return (static_cast<unsigned char>(c) & 0xC0) == 0x80; }

// Characters of a text that is well-formed.
inline int64_t Utf8Characters(std::string_view text) {
  int64_t count = 0;
  for (const char c : text) count += IsUtf8Continuation(c) ? 0 : 1;
  return count;
}

// What a reader thinks of the three-byte form of half a surrogate pair (U+D800..U+DFFF).
enum class Surrogates { kRefuse, kAccept };

// Length of the well-formed character at the front of `text`, which is not empty; 0 if there is
// none.
size_t Utf8Length(std::string_view text, Surrogates surrogates = Surrogates::kRefuse);

// Where the first byte stands that is not UTF-8; nullopt if all are.
std::optional<size_t> FirstBadUtf8(std::string_view text);

// Takes the first character off `text`, which is not empty and well-formed (surrogates accepted).
char32_t TakeUtf8(std::string_view* text);

void AppendUtf8(std::string* out, char32_t c);

}  // namespace banyan::inline v0_1::internal

#endif  // BANYAN_LIB_BASE_UTF8_H_
