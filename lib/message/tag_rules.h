// SPDX-License-Identifier: Apache-2.0
//
// lib/message/tag_rules.h -- floor 1: how long a tag may be, and how many a resource may have: the same
// in all services. What they say to one that may not, each says in its own words.
#ifndef BANYAN_LIB_MESSAGE_TAG_RULES_H_
#define BANYAN_LIB_MESSAGE_TAG_RULES_H_

#include <cstddef>
#include <cstdint>
#include <string_view>

#include "base/utf8.h"

namespace banyan::inline v0_1::internal {

inline constexpr size_t kTagsMax = 50;
inline constexpr int64_t kTagKeyMax = 128;    // characters
inline constexpr int64_t kTagValueMax = 256;  // likewise

inline bool HasTagKeySize(std::string_view key) {
  return !key.empty() && Utf8Characters(key) <= kTagKeyMax;
}
inline bool HasTagValueSize(std::string_view value) {
  return Utf8Characters(value) <= kTagValueMax;
}

}  // namespace banyan::inline v0_1::internal

#endif  // BANYAN_LIB_MESSAGE_TAG_RULES_H_
