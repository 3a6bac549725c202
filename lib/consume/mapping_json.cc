// SPDX-License-Identifier: Apache-2.0
#include "consume/mapping_json.h"

#include <algorithm>

#include "absl/strings/escaping.h"
#include "absl/strings/str_format.h"
#include "banyan/arn.h"
#include "banyan/mapping.h"
#include "base/json.h"
#include "base/strings.h"

namespace banyan::inline v0_1 {

namespace internal {

namespace {

constexpr std::string_view kSchemaVersion = "1.0";

std::string MillisText(absl::Time time) {
  return absl::FormatTime("%Y-%m-%d%ET%H:%M:%E3SZ", time, absl::UTCTimeZone());
}

}  // namespace

std::string SecondsWithMillis(absl::Time time) {
  const int64_t millis = absl::ToUnixMillis(time);
  return absl::StrFormat("%d.%03d", millis / 1'000, millis % 1'000);
}

std::string FailureNoteText(const FailureNote& note) {
  std::string text;
  ObjectWriter out(&text);

  ObjectWriter request(out.Name("requestContext"));
  request.Text("requestId", note.request_id.ToString());
  request.Text("functionArn", note.function_arn);
  request.Text("condition", note.condition);
  StrAppend(request.Name("approximateInvokeCount"), std::max<int64_t>(1, note.invoke_count));
  request.End();

  if (note.invoke_count > 0) {
    ObjectWriter response(out.Name("responseContext"));
    response.Name("statusCode")->append("200");
    response.Text("executedVersion", "$LATEST");
    response.Name("functionError")->append(note.function_error ? "\"Unhandled\"" : "null");
    response.End();
  }
  out.Text("version", "1.0");
  out.Text("timestamp", MillisText(note.now));

  ObjectWriter batch(out.Name("KinesisBatchInfo"));
  batch.Text("shardId", note.shard.ToString());
  batch.Text("startSequenceNumber", note.records.front().sequence().ToString());
  batch.Text("endSequenceNumber", note.records.back().sequence().ToString());
  batch.Text("approximateArrivalOfFirstRecord", MillisText(note.records.front().arrival_time()));
  batch.Text("approximateArrivalOfLastRecord", MillisText(note.records.back().arrival_time()));
  StrAppend(batch.Name("batchSize"), note.records.size());
  batch.Text("streamArn", note.stream_arn);
  batch.End();
  out.End();
  return text;
}

bool MatchesRecord(RecordFilter* filter, const Record& record) {
  return filter->Matches(record.data(), [&](ObjectWriter* out) {
    if (filter->Wants("kinesisSchemaVersion")) out->Text("kinesisSchemaVersion", kSchemaVersion);
    if (filter->Wants("partitionKey")) out->Text("partitionKey", record.partition_key());
    if (filter->Wants("sequenceNumber")) out->Text("sequenceNumber", record.sequence().ToString());
    if (filter->Wants("approximateArrivalTimestamp")) {
      out->Name("approximateArrivalTimestamp")->append(SecondsWithMillis(record.arrival_time()));
    }
  });
}

}  // namespace internal

namespace {

using internal::ObjectWriter;

std::string_view RegionOf(std::string_view arn) {
  for (int colons = 0; colons < 3; ++colons) arn.remove_prefix(arn.find(':') + 1);
  return arn.substr(0, arn.find(':'));
}

std::string_view AccountOf(std::string_view arn) {
  for (int colons = 0; colons < 4; ++colons) arn.remove_prefix(arn.find(':') + 1);
  return arn.substr(0, arn.find(':'));
}

bool IsJson(std::string_view text) {
  std::string compact;
  return !text.empty() && internal::CompactJson(text, &compact);
}

}  // namespace

std::string StreamBatch::LambdaEvent() const {
  std::string text;
  ObjectWriter event(&text);
  const std::string role = internal::StrCat("arn:aws:iam::", AccountOf(stream_arn), ":role/",
                                            function_arn.substr(function_arn.rfind(':') + 1));
  event.Name("Records")->push_back('[');
  for (const Record& record : records) {
    if (text.back() != '[') text.push_back(',');
    ObjectWriter item(&text);
    ObjectWriter kinesis(item.Name("kinesis"));
    kinesis.Text("kinesisSchemaVersion", internal::kSchemaVersion);
    kinesis.Text("partitionKey", record.partition_key());
    kinesis.Text("sequenceNumber", record.sequence().ToString());
    kinesis.Text("data", absl::Base64Escape(internal::ToAbsl(record.data())));
    kinesis.Name("approximateArrivalTimestamp")
        ->append(internal::SecondsWithMillis(record.arrival_time()));
    kinesis.End();
    item.Text("eventSource", "aws:kinesis");
    item.Text("eventVersion", "1.0");
    item.Text("eventID", internal::StrCat(shard_id.ToString(), ":", record.sequence().ToString()));
    item.Text("eventName", "aws:kinesis:record");
    item.Text("invokeIdentityArn", role);
    item.Text("awsRegion", RegionOf(stream_arn));
    item.Text("eventSourceARN", stream_arn);
    item.End();
  }
  text.push_back(']');
  if (window.has_value()) {
    const auto time_text = [](absl::Time time) {
      return absl::FormatTime("%Y-%m-%d%ET%H:%M:%SZ", time, absl::UTCTimeZone());
    };
    ObjectWriter bounds(event.Name("window"));
    bounds.Text("start", time_text(window->start));
    bounds.Text("end", time_text(window->end));
    bounds.End();
    if (window->state.empty()) {
      event.Name("state")->append("{}");
    } else if (IsJson(window->state)) {
      event.Name("state")->append(window->state);
    } else {
      event.Text("state", window->state);
    }
    event.Text("shardId", shard_id.ToString());
    event.Text("eventSourceARN", stream_arn);
    event.Name("isFinalInvokeForWindow")->append(window->is_final ? "true" : "false");
    event.Name("isWindowTerminatedEarly")->append(window->terminated_early ? "true" : "false");
  }
  event.End();
  return text;
}

std::string_view ToString(MappingState state) {
  switch (state) {
    case MappingState::kCreating:
      return "Creating";
    case MappingState::kEnabled:
      return "Enabled";
    case MappingState::kDisabling:
      return "Disabling";
    case MappingState::kDisabled:
      return "Disabled";
    case MappingState::kUpdating:
      return "Updating";
    case MappingState::kDeleting:
      return "Deleting";
  }
  return "";
}

}  // namespace banyan::inline v0_1
