// SPDX-License-Identifier: Apache-2.0
#include <optional>

#include "banyan/consumer.h"
#include "base/json.h"
#include "base/status_macros.h"
#include "base/strings.h"

namespace banyan::inline v0_1 {

namespace {

using internal::JsonReader;
using internal::JsonToken;

absl::Status Malformed(std::string_view why) {
  return absl::InvalidArgumentError(
      internal::ToAbsl(internal::StrCat("the handler's answer is no batch response: ", why)));
}

absl::Status SkipValue(JsonReader* reader) {
  if (reader->SkipValue()) return absl::OkStatus();
  return Malformed(reader->ErrorText());
}

// {"itemIdentifier": "059f36b4-..."}; other members are let pass.
absl::Status ReadItem(JsonReader* reader, BatchResult* result) {
  if (reader->token() != JsonToken::kStartObject) return Malformed("an item is no object");
  bool has_id = false;
  while (reader->Next() == JsonToken::kName) {
    const bool is_id = reader->text() == "itemIdentifier";
    reader->Next();
    if (!is_id) {
      BANYAN_RETURN_IF_ERROR(SkipValue(reader));
      continue;
    }
    std::optional<Id> id;
    if (reader->token() == JsonToken::kString) id = Id::Parse(reader->text());
    if (!id.has_value()) return Malformed("an itemIdentifier is no message id");
    result->failures.push_back(*id);
    has_id = true;
  }
  if (reader->token() == JsonToken::kError) return Malformed(reader->ErrorText());
  return has_id ? absl::OkStatus() : Malformed("an item has no itemIdentifier");
}

absl::Status ReadItems(JsonReader* reader, BatchResult* result) {
  if (reader->token() == JsonToken::kNull) return absl::OkStatus();
  if (reader->token() != JsonToken::kStartArray) return Malformed("batchItemFailures is no list");
  while (reader->Next() != JsonToken::kEndArray) {
    if (reader->token() == JsonToken::kError) return Malformed(reader->ErrorText());
    BANYAN_RETURN_IF_ERROR(ReadItem(reader, result));
  }
  return absl::OkStatus();
}

// An object with members has to have this one: a misspelled name must not delete messages.
absl::Status ReadObject(JsonReader* reader, BatchResult* result) {
  bool has_members = false;
  bool has_items = false;
  while (reader->Next() == JsonToken::kName) {
    has_members = true;
    const bool is_items = reader->text() == "batchItemFailures";
    has_items = has_items || is_items;
    reader->Next();
    BANYAN_RETURN_IF_ERROR(is_items ? ReadItems(reader, result) : SkipValue(reader));
  }
  if (reader->token() == JsonToken::kError) return Malformed(reader->ErrorText());
  if (has_members && !has_items) return Malformed("it has no batchItemFailures");
  return absl::OkStatus();
}

absl::Status ReadResponse(JsonReader* reader, BatchResult* result) {
  switch (reader->Next()) {
    case JsonToken::kEnd:  // an empty text: the function answered nothing
    case JsonToken::kNull:
      return absl::OkStatus();
    case JsonToken::kString:
      return reader->text().empty() ? absl::OkStatus() : Malformed("it is a text");
    case JsonToken::kStartArray:
      return reader->Next() == JsonToken::kEndArray ? absl::OkStatus() : Malformed("it is a list");
    case JsonToken::kStartObject:
      return ReadObject(reader, result);
    case JsonToken::kError:
      return Malformed(reader->ErrorText());
    default:
      return Malformed("it is no object");
  }
}

}  // namespace

absl::StatusOr<BatchResult> ParseBatchResponse(std::string_view json) {
  JsonReader reader(json);
  BatchResult result;
  BANYAN_RETURN_IF_ERROR(ReadResponse(&reader, &result));
  if (!reader.AtEndOfText()) return Malformed("something follows it");
  return result;
}

}  // namespace banyan::inline v0_1
