// SPDX-License-Identifier: Apache-2.0
//
// lib/stream/tags.h -- floor 3, the stream room: the tags of a stream, or of a consumer.
#ifndef BANYAN_LIB_STREAM_TAGS_H_
#define BANYAN_LIB_STREAM_TAGS_H_

#include <string>
#include <string_view>

#include "absl/status/status.h"
#include "absl/types/span.h"
#include "banyan/limits.h"
#include "banyan/stream.h"

namespace banyan::inline v0_1::internal {

// Whose tags they are, for the text of errors.
struct TagOwner {
  std::string_view kind;  // "stream"
  std::string_view name;
  std::string_view account;
};

// Adds `more` to `tags`, or takes tags of these keys out of them: all or, with an error, none.
absl::Status AddStreamTags(const TagOwner& owner, const StreamTags& more, const Limits& limits,
                           StreamTags* tags);
absl::Status RemoveStreamTags(const TagOwner& owner, absl::Span<const std::string> keys,
                              StreamTags* tags);

}  // namespace banyan::inline v0_1::internal

#endif  // BANYAN_LIB_STREAM_TAGS_H_
