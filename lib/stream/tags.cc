// SPDX-License-Identifier: Apache-2.0
#include "stream/tags.h"

#include <cstddef>
#include <utility>

#include "base/status_macros.h"
#include "base/strings.h"
#include "base/utf8.h"
#include "message/errors.h"
#include "message/tag_rules.h"
#include "stream/validate.h"

namespace banyan::inline v0_1::internal {

namespace {

// What one call may name, whatever a stream may have.
constexpr size_t kTagsPerAddMax = 200;
constexpr size_t kKeysPerRemoveMax = 50;

// Kinesis takes for letters what lies in these two stretches, and no half of a pair.
bool IsTagCharacter(char32_t c) {
  if (c < 0x80) {
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') ||
           std::string_view("_./=+-@: ").find(static_cast<char>(c)) != std::string_view::npos;
  }
  return (c >= 0xC0 && c <= 0x1FFF) || (c >= 0x2C00 && c <= 0xD7FF);
}

absl::Status CheckText(const TagOwner& owner, std::string_view verb, std::string_view text) {
  bool has_percent = false;
  bool is_good = !FirstBadUtf8(text).has_value();
  while (is_good && !text.empty()) {
    const char32_t c = TakeUtf8(&text);
    has_percent = has_percent || c == '%';
    is_good = c == '%' || IsTagCharacter(c);
  }
  if (!is_good) {
    return Error(AwsError::kStreamInvalidArgument,
                 "Some tags contain invalid characters. Valid characters: Unicode letters, digits, "
                 "white space, _ . / = + - % @ :.");
  }
  // Kinesis names it among the valid ones, and refuses it in these words.
  if (has_percent) {
    return Error(AwsError::kStreamInvalidArgument, "Failed to ", verb, " ", owner.kind, " ",
                 owner.name, " under account ", owner.account,
                 " because some tags contained illegal characters. The allowed characters are "
                 "Unicode letters, white-spaces, '_',',','/','=','+','-','@',':'.");
  }
  return absl::OkStatus();
}

absl::Status CheckCount(std::string_view field, size_t count, size_t most) {
  const std::string shown = StrCat("[", count, " members]");
  if (count < 1) return ConstraintError(shown, field, "have length greater than or equal to 1");
  if (count <= most) return absl::OkStatus();
  return ConstraintError(shown, field, StrCat("have length less than or equal to ", most));
}

}  // namespace

absl::Status AddStreamTags(const TagOwner& owner, const StreamTags& more, const Limits& limits,
                           StreamTags* tags) {
  BANYAN_RETURN_IF_ERROR(CheckCount("tags", more.size(), kTagsPerAddMax));
  for (const auto& [key, value] : more) {
    if (!HasTagKeySize(key)) {
      return Error(AwsError::kStreamValidation, "1 validation error detected: Value '", key,
                   "' at 'tags' failed to satisfy constraint: Map keys must satisfy constraint: "
                   "[Member must have length less than or equal to ",
                   kTagKeyMax, ", Member must have length greater than or equal to 1]");
    }
    if (!HasTagValueSize(value)) {
      return Error(AwsError::kStreamValidation, "1 validation error detected: Value '", value,
                   "' at 'tags' failed to satisfy constraint: Map value must satisfy constraint: "
                   "[Member must have length less than or equal to ",
                   kTagValueMax, ", Member must have length greater than or equal to 0]");
    }
    BANYAN_RETURN_IF_ERROR(CheckText(owner, "add tags to", key));
    BANYAN_RETURN_IF_ERROR(CheckText(owner, "add tags to", value));
  }
  StreamTags all = *tags;
  for (const auto& [key, value] : more) all.insert_or_assign(key, value);
  if (static_cast<int64_t>(all.size()) > limits.stream.tags_max) {
    return Error(AwsError::kStreamInvalidArgument, "Failed to add tags to ", owner.kind, " ",
                 owner.name, " under account ", owner.account, " because a given ", owner.kind,
                 " cannot have more than ", limits.stream.tags_max, " tags associated with it.");
  }
  *tags = std::move(all);
  return absl::OkStatus();
}

absl::Status RemoveStreamTags(const TagOwner& owner, absl::Span<const std::string> keys,
                              StreamTags* tags) {
  BANYAN_RETURN_IF_ERROR(CheckCount("tagKeys", keys.size(), kKeysPerRemoveMax));
  for (const std::string& key : keys) {
    if (!HasTagKeySize(key)) {
      return Error(AwsError::kStreamValidation, "1 validation error detected: Value '[", key,
                   "]' at 'tagKeys' failed to satisfy constraint: Member must satisfy constraint: "
                   "[Member must have length less than or equal to ",
                   kTagKeyMax, ", Member must have length greater than or equal to 1]");
    }
    BANYAN_RETURN_IF_ERROR(CheckText(owner, "remove tags from", key));
  }
  for (const std::string& key : keys) tags->erase(key);
  return absl::OkStatus();
}

}  // namespace banyan::inline v0_1::internal
