// SPDX-License-Identifier: Apache-2.0
#include "queue/tags.h"

#include "base/status_macros.h"
#include "message/errors.h"
#include "message/tag_rules.h"

namespace banyan::inline v0_1::internal {

namespace {

absl::Status CheckKey(std::string_view key) {
  if (HasTagKeySize(key)) return absl::OkStatus();
  return Error(AwsError::kQueueInvalidParameterValue,
               "Tag keys must be between 1 and 128 characters in length.");
}

}  // namespace

absl::StatusOr<Tags> WithTags(std::string_view queue_name, Tags tags, const Tags& more) {
  for (const auto& [key, value] : more) {
    BANYAN_RETURN_IF_ERROR(CheckKey(key));
    if (!HasTagValueSize(value)) {
      return Error(AwsError::kQueueInvalidParameterValue,
                   "Tag values must be between 0 and 256 characters in length.");
    }
    tags.insert_or_assign(key, value);
  }
  if (tags.size() > kTagsMax) {
    return Error(AwsError::kQueueInvalidParameterValue, "Too many tags added for queue ",
                 queue_name, ".");
  }
  return tags;
}

absl::StatusOr<Tags> WithoutTags(Tags tags, absl::Span<const std::string> keys) {
  for (const std::string& key : keys) {
    BANYAN_RETURN_IF_ERROR(CheckKey(key));
    tags.erase(key);
  }
  return tags;
}

}  // namespace banyan::inline v0_1::internal
