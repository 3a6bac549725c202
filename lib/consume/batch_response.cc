// SPDX-License-Identifier: Apache-2.0
#include <optional>

#include "absl/functional/function_ref.h"
#include "banyan/consumer.h"
#include "banyan/mapping.h"
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

// Reads the response of one kind of mapping.
class ResponseReader {
 public:
  // `take` is given each itemIdentifier, and says whether it is one; `what` says what it should be.
  // `state`, if there can be one, gets the state as it is written.
  ResponseReader(std::string_view json, std::string_view what,
                 absl::FunctionRef<bool(std::string_view)> take, std::optional<std::string>* state)
      : reader_(json), what_(what), take_(take), state_(state) {}

  absl::Status Read() {
    BANYAN_RETURN_IF_ERROR(ReadResponse());
    return reader_.AtEndOfText() ? absl::OkStatus() : Malformed("something follows it");
  }

 private:
  absl::Status SkipValue() {
    if (reader_.SkipValue()) return absl::OkStatus();
    return Malformed(reader_.ErrorText());
  }

  // {"itemIdentifier": "059f36b4-..."}; other members are let pass.
  absl::Status ReadItem() {
    if (reader_.token() != JsonToken::kStartObject) return Malformed("an item is no object");
    bool has_id = false;
    while (reader_.Next() == JsonToken::kName) {
      const bool is_id = reader_.text() == "itemIdentifier";
      reader_.Next();
      if (!is_id) {
        BANYAN_RETURN_IF_ERROR(SkipValue());
        continue;
      }
      if (reader_.token() != JsonToken::kString || !take_(reader_.text())) {
        return Malformed(internal::StrCat("an itemIdentifier is no ", what_));
      }
      has_id = true;
    }
    if (reader_.token() == JsonToken::kError) return Malformed(reader_.ErrorText());
    return has_id ? absl::OkStatus() : Malformed("an item has no itemIdentifier");
  }

  absl::Status ReadItems() {
    if (reader_.token() == JsonToken::kNull) return absl::OkStatus();
    if (reader_.token() != JsonToken::kStartArray) {
      return Malformed("batchItemFailures is no list");
    }
    while (reader_.Next() != JsonToken::kEndArray) {
      if (reader_.token() == JsonToken::kError) return Malformed(reader_.ErrorText());
      BANYAN_RETURN_IF_ERROR(ReadItem());
    }
    return absl::OkStatus();
  }

  // An object with members has to have one of these: a misspelled name must not pass for success.
  absl::Status ReadObject() {
    bool has_members = false;
    bool is_known = false;
    while (reader_.Next() == JsonToken::kName) {
      has_members = true;
      const bool is_items = reader_.text() == "batchItemFailures";
      const bool is_state = state_ != nullptr && reader_.text() == "state";
      is_known = is_known || is_items || is_state;
      reader_.Next();
      BANYAN_RETURN_IF_ERROR(is_items ? ReadItems() : is_state ? ReadState() : SkipValue());
    }
    if (reader_.token() == JsonToken::kError) return Malformed(reader_.ErrorText());
    if (has_members && !is_known) return Malformed("it has no batchItemFailures");
    return absl::OkStatus();
  }

  absl::Status ReadState() {
    const char* const begin = reader_.raw().data();
    BANYAN_RETURN_IF_ERROR(SkipValue());
    const char* const end = reader_.raw().data() + reader_.raw().size();
    *state_ = std::string(begin, static_cast<size_t>(end - begin));
    return absl::OkStatus();
  }

  absl::Status ReadResponse() {
    switch (reader_.Next()) {
      case JsonToken::kEnd:  // an empty text: the function answered nothing
      case JsonToken::kNull:
        return absl::OkStatus();
      case JsonToken::kString:
        return reader_.text().empty() ? absl::OkStatus() : Malformed("it is a text");
      case JsonToken::kStartArray:
        return reader_.Next() == JsonToken::kEndArray ? absl::OkStatus()
                                                      : Malformed("it is a list");
      case JsonToken::kStartObject:
        return ReadObject();
      case JsonToken::kError:
        return Malformed(reader_.ErrorText());
      default:
        return Malformed("it is no object");
    }
  }

  JsonReader reader_;
  const std::string_view what_;
  const absl::FunctionRef<bool(std::string_view)> take_;
  std::optional<std::string>* const state_;
};

}  // namespace

absl::StatusOr<BatchResult> ParseBatchResponse(std::string_view json) {
  BatchResult result;
  const auto take = [&result](std::string_view text) {
    const std::optional<Id> id = Id::Parse(text);
    if (id.has_value()) result.failures.push_back(*id);
    return id.has_value();
  };
  BANYAN_RETURN_IF_ERROR(ResponseReader(json, "message id", take, nullptr).Read());
  return result;
}

StreamBatchResult ParseStreamBatchResponse(std::string_view json) {
  StreamBatchResult result;
  const auto take = [&result](std::string_view text) {
    const std::optional<SequenceNumber> sequence = SequenceNumber::Parse(text);
    if (sequence.has_value()) result.failures.push_back(*sequence);
    return sequence.has_value();
  };
  if (ResponseReader(json, "sequence number", take, &result.state).Read().ok()) return result;
  return {.failures = {}, .state = {}, .is_malformed = true};
}

}  // namespace banyan::inline v0_1
