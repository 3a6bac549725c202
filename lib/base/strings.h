// SPDX-License-Identifier: Apache-2.0
//
// The one bridge between std::string_view and absl::string_view. Where Abseil was built with its
// own string_view (Debian), the two do not convert; elsewhere they are one type and this is a
// no-op. Everything outside this file speaks std::string_view.
#ifndef BANYAN_LIB_BASE_STRINGS_H_
#define BANYAN_LIB_BASE_STRINGS_H_

#include <string>
#include <string_view>
#include <type_traits>
#include <utility>

#include "absl/strings/str_cat.h"
#include "absl/strings/string_view.h"

namespace banyan::inline v0_1::internal {

inline absl::string_view ToAbsl(std::string_view s) { return {s.data(), s.size()}; }
inline std::string_view ToStd(absl::string_view s) { return {s.data(), s.size()}; }

// What StrCat may be given: views are bridged, the rest (numbers, absl::Hex, ...) passes.
template <typename T>
decltype(auto) ToAlphaNum(const T& value) {
  if constexpr (std::is_convertible_v<const T&, std::string_view>) {
    return ToAbsl(std::string_view(value));
  } else {
    return (value);
  }
}

template <typename... T>
std::string StrCat(const T&... parts) {
  return absl::StrCat(ToAlphaNum(parts)...);
}

template <typename... T>
void StrAppend(std::string* out, const T&... parts) {
  absl::StrAppend(out, ToAlphaNum(parts)...);
}

// What AWS lets most names be made of.
inline bool IsNameCharacter(char c) {
  return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '.' ||
         c == '-' || c == '_';
}

// Hash and equality for absl::flat_hash_map<std::string, V, ...> that is asked with views.
struct StringViewHash {
  using is_transparent = void;
  size_t operator()(std::string_view s) const { return std::hash<std::string_view>{}(s); }
};
struct StringViewEqual {
  using is_transparent = void;
  bool operator()(std::string_view a, std::string_view b) const { return a == b; }
};

}  // namespace banyan::inline v0_1::internal

#endif  // BANYAN_LIB_BASE_STRINGS_H_
