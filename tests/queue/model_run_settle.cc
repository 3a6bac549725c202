// SPDX-License-Identifier: Apache-2.0
//
// The operations on what was received, and on a queue as a whole.
#include <algorithm>

#include "base/strings.h"
#include "gmock/gmock.h"
#include "model_run.h"

namespace banyan::internal {
namespace {

using ::testing::Contains;

constexpr int64_t kAll = 10'000;  // of Peek

const char* BatchSizeFault(size_t size) {
  if (size == 0) return "AWS.SimpleQueueService.EmptyBatchRequest";
  if (size > 10) return "AWS.SimpleQueueService.TooManyEntriesInBatchRequest";
  return "OK";
}

}  // namespace

// --- settling ---------------------------------------------------------------------------------

void ModelRun::Delete(size_t handle) {
  if (model_.DeleteIsOpen(handle)) return;
  const ModelMessage& m = model_.messages[model_.handles[handle].message];
  const size_t giver = model_.handles[handle].queue;
  Log("Delete ", m.label, " by handle ", handle, " of ", name(giver));
  const Codes expected = model_.Delete(handle);
  const absl::Status status = Draw(2) == 0
                                  ? received_[handle].Delete()
                                  : real_[giver].Delete(received_[handle].receipt_handle());
  LogAnswer(AwsCode(status));
  ASSERT_THAT(expected, Contains(AwsCode(status))) << status;
}

std::vector<std::pair<std::string, std::optional<size_t>>> ModelRun::DrawHandleTexts(size_t queue) {
  const int size = Draw(20) == 0 ? DrawOf({0, 11}) : 1 + Draw(5);
  std::vector<std::pair<std::string, std::optional<size_t>>> texts;
  for (int i = 0; i < size; ++i) {
    const std::optional<size_t> handle = DrawHandle();
    if (!handle.has_value() || Draw(20) == 0) {
      texts.emplace_back("garbage", std::nullopt);
    } else if (model_.handles[*handle].queue == queue) {
      texts.emplace_back(received_[*handle].receipt_handle(), handle);
    } else if (Draw(4) == 0) {  // no handle of this queue
      texts.emplace_back(received_[*handle].receipt_handle(), std::nullopt);
    } else {
      --i;  // try again, but not for ever: the line above ends it
    }
  }
  return texts;
}

void ModelRun::DeleteBatch(size_t queue) {
  std::vector<std::pair<std::string, std::optional<size_t>>> entries = DrawHandleTexts(queue);
  std::vector<std::string> texts;
  std::vector<Received> objects;
  std::vector<Codes> expected;
  bool all_have_objects = true;
  Log("DeleteBatch in ", name(queue), ": handles");
  for (auto& [text, handle] : entries) {
    if (handle.has_value() && model_.DeleteIsOpen(*handle)) {
      text = "garbage";
      handle = std::nullopt;
    }
    texts.push_back(text);
    if (handle.has_value()) objects.push_back(received_[*handle]);
    all_have_objects = all_have_objects && handle.has_value();
    StrAppend(&log_.back(), " ", handle.has_value() ? StrCat(*handle) : "no handle");
  }
  const std::string fault = BatchSizeFault(entries.size());
  const bool by_object = all_have_objects && Draw(2) == 0;
  const absl::StatusOr<std::vector<absl::Status>> answers =
      by_object ? real_[queue].DeleteBatch(absl::MakeConstSpan(objects))
                : real_[queue].DeleteBatch(absl::MakeConstSpan(texts));
  LogAnswer(AwsCode(answers.status()));
  ASSERT_EQ(AwsCode(answers.status()), fault);
  if (!answers.ok()) return;
  ASSERT_EQ(answers->size(), entries.size());
  for (size_t i = 0; i < entries.size(); ++i) {
    const Codes codes = entries[i].second.has_value() ? model_.Delete(*entries[i].second)
                                                      : Codes{"ReceiptHandleIsInvalid"};
    LogAnswer(AwsCode((*answers)[i]));
    ASSERT_THAT(codes, Contains(AwsCode((*answers)[i]))) << "entry " << i << (*answers)[i];
  }
}

absl::Duration ModelRun::DrawVisibilityChange(size_t handle) {
  const absl::Duration left =
      absl::Hours(12) - (Now() - model_.handles[handle].received);  // of the twelve hours
  switch (Draw(16)) {
    case 0:
      return left;
    case 1:
      return left + absl::Nanoseconds(1);
    case 2:
      return DrawOf({absl::Seconds(-1), absl::Hours(12) + absl::Nanoseconds(1)});
    case 3:
    case 4:
    case 5:
      return absl::ZeroDuration();
    default:
      return absl::Seconds(Draw(20));
  }
}

void ModelRun::ChangeVisibility(size_t handle) {
  const absl::Duration from_now = DrawVisibilityChange(handle);
  if (model_.ChangeIsOpen(handle, from_now)) return;
  const ModelMessage& m = model_.messages[model_.handles[handle].message];
  const size_t giver = model_.handles[handle].queue;
  Log("ChangeVisibility of ", m.label, " by handle ", handle, " of ", name(giver), " to ",
      absl::FormatDuration(from_now));
  const Codes expected = model_.ChangeVisibility(handle, from_now);
  const absl::Status status =
      Draw(2) == 0 ? received_[handle].ChangeVisibility(from_now)
                   : real_[giver].ChangeVisibility(received_[handle].receipt_handle(), from_now);
  LogAnswer(AwsCode(status));
  ASSERT_THAT(expected, Contains(AwsCode(status))) << status;
}

void ModelRun::ChangeVisibilityBatch(size_t queue) {
  std::vector<VisibilityChange> changes;
  std::vector<std::optional<size_t>> handles;
  Log("ChangeVisibilityBatch in ", name(queue), ":");
  for (auto& [text, handle] : DrawHandleTexts(queue)) {
    absl::Duration from_now = absl::Seconds(Draw(20));
    if (handle.has_value()) {
      from_now = DrawVisibilityChange(*handle);
      if (model_.ChangeIsOpen(*handle, from_now)) from_now = absl::Hours(13);  // refused for sure
    }
    changes.push_back({text, from_now});
    handles.push_back(handle);
    StrAppend(&log_.back(), " handle ", handle.has_value() ? StrCat(*handle) : "garbage", " to ",
              absl::FormatDuration(from_now));
  }
  const std::string fault = BatchSizeFault(changes.size());
  const auto answers = real_[queue].ChangeVisibilityBatch(changes);
  LogAnswer(AwsCode(answers.status()));
  ASSERT_EQ(AwsCode(answers.status()), fault);
  if (!answers.ok()) return;
  ASSERT_EQ(answers->size(), changes.size());
  for (size_t i = 0; i < changes.size(); ++i) {
    const Codes codes = handles[i].has_value()
                            ? model_.ChangeVisibility(*handles[i], changes[i].from_now)
                            : Codes{"ReceiptHandleIsInvalid"};
    LogAnswer(AwsCode((*answers)[i]));
    ASSERT_THAT(codes, Contains(AwsCode((*answers)[i]))) << "entry " << i << (*answers)[i];
  }
}

void ModelRun::MoveToDeadLetterQueue(size_t handle) {
  if (model_.MoveIsOpen(handle)) return;
  const ModelMessage& m = model_.messages[model_.handles[handle].message];
  const std::string reason = Draw(2) == 0 ? "" : StrCat("reason ", log_.size());
  Log("MoveToDeadLetterQueue of ", m.label, " by handle ", handle, " of ",
      name(model_.handles[handle].queue));
  const bool expected = model_.MoveToDeadLetterQueue(handle, reason);
  const absl::Status status = received_[handle].MoveToDeadLetterQueue(reason);
  LogAnswer(AwsCode(status));
  ASSERT_EQ(status.code(), expected ? absl::StatusCode::kOk : absl::StatusCode::kInvalidArgument)
      << status;
}

// --- the queue as a whole -----------------------------------------------------------------------

void ModelRun::Redrive(size_t queue) {
  const bool fifo = model_.IsFifo(queue);
  // Whether those go that wait behind others of their group is not said.
  if (fifo && model_.Stats(queue).depth.in_flight > 0) return;
  const std::vector<size_t> candidates = model_.Redrivable(queue);
  // Nor whether what is sent back is delayed like what is sent.
  for (const size_t i : candidates) {
    if (model_.queues[*model_.messages[i].source].options.delay > absl::ZeroDuration()) return;
  }
  const int64_t most = fifo || Draw(2) == 0 ? INT64_MAX : 1 + Draw(3);
  const int64_t expected = std::min(most, static_cast<int64_t>(candidates.size()));
  Log("Redrive ", most, " of ", name(queue));
  const absl::StatusOr<int64_t> moved = real_[queue].Redrive(most);
  ASSERT_TRUE(moved.ok()) << moved.status();
  LogAnswer(*moved);
  std::string labels;
  for (const size_t i : candidates) StrAppend(&labels, " ", model_.messages[i].label);
  ASSERT_EQ(*moved, expected) << "of messages" << labels;
  std::set<size_t> stayed;
  if (expected < static_cast<int64_t>(candidates.size())) {
    for (const size_t i : Identify(queue, real_[queue].Peek(kAll).value())) stayed.insert(i);
  }
  int64_t gone = 0;
  for (const size_t a : candidates) {
    if (stayed.count(a) > 0) continue;
    ++gone;
    // The oldest first, whether by sending or by arrival.
    for (const size_t b : candidates) {
      const ModelMessage& went = model_.messages[a];
      const ModelMessage& left = model_.messages[b];
      if (stayed.count(b) == 0) continue;
      ASSERT_FALSE(left.sent < went.sent && left.arrived < went.arrived)
          << left.label << " is older than " << went.label;
    }
  }
  ASSERT_EQ(gone, expected);
  for (const size_t i : candidates) {
    if (stayed.count(i) == 0) model_.SendBack(i);
  }
}

void ModelRun::Purge(size_t queue) {
  Log("Purge ", name(queue));
  const absl::Status status = real_[queue].Purge();
  LogAnswer(AwsCode(status));
  ASSERT_EQ(AwsCode(status), model_.Purge(queue));
}

void ModelRun::SetOptions(size_t queue) {
  QueueOptions options = model_.queues[queue].options;
  std::string what;
  switch (Draw(options.fifo ? 8 : 6)) {
    case 0:
      options.retention = DrawOf({absl::Minutes(1), absl::Minutes(20), absl::Hours(96)});
      what = "retention " + absl::FormatDuration(options.retention);
      break;
    case 1:
      options.visibility_timeout = absl::Seconds(DrawOf({0, 5, 10, 30}));
      what = "visibility_timeout " + absl::FormatDuration(options.visibility_timeout);
      break;
    case 2:
      // Whether a dead letter is delayed is not said.
      if (IsDeadLetterQueue(queue) || model_.DelayIsOpen(queue)) return;
      options.delay = absl::Seconds(DrawOf({0, 0, 3, 7}));
      what = "delay " + absl::FormatDuration(options.delay);
      break;
    case 3:
      options.redrive = redrives_[queue];
      if (!options.redrive.has_value()) return;
      options.redrive->max_receive_count = 1 + Draw(4);
      what = StrCat("max_receive_count ", options.redrive->max_receive_count);
      if (Draw(3) > 0) break;
      options.redrive = std::nullopt;
      what = "no redrive";
      break;
    case 4:
      options.in_flight_max = DrawOf({1, 3, 6, 120'000});
      what = StrCat("in_flight_max ", options.in_flight_max);
      break;
    case 5:
      options.receive_wait = absl::Seconds(DrawOf({0, 0, 2}));
      what = "receive_wait " + absl::FormatDuration(options.receive_wait);
      break;
    case 6:
      options.content_based_deduplication = !options.content_based_deduplication;
      what = StrCat("content_based_deduplication ", options.content_based_deduplication);
      break;
    default:  // is taken and reported, and changes nothing
      options.deduplication_scope =
          DrawOf({DeduplicationScope::kQueue, DeduplicationScope::kMessageGroup});
      what = StrCat("deduplication_scope ", static_cast<int>(options.deduplication_scope));
  }
  Log("SetOptions of ", name(queue), ": ", what);
  const absl::Status status = real_[queue].SetOptions(options);
  ASSERT_TRUE(status.ok()) << status;
  ASSERT_EQ(*real_[queue].Options(), options);
  model_.SetOptions(queue, options);
}

}  // namespace banyan::internal
