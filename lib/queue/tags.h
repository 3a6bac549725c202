// SPDX-License-Identifier: Apache-2.0
//
// lib/queue/tags.h -- floor 3, the queue room: the tags of a queue. Pure functions.
#ifndef BANYAN_LIB_QUEUE_TAGS_H_
#define BANYAN_LIB_QUEUE_TAGS_H_

#include <map>
#include <string>
#include <string_view>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/types/span.h"

namespace banyan::inline v0_1::internal {

using Tags = std::map<std::string, std::string>;

// `tags` with `more`, which take the place of those of the same key. Keys have 1 to 128 characters,
// values at most 256; a queue has at most 50.
absl::StatusOr<Tags> WithTags(std::string_view queue_name, Tags tags, const Tags& more);

// `tags` without those keys; one that is not there does not matter.
absl::StatusOr<Tags> WithoutTags(Tags tags, absl::Span<const std::string> keys);

}  // namespace banyan::inline v0_1::internal

#endif  // BANYAN_LIB_QUEUE_TAGS_H_
