// SPDX-License-Identifier: Apache-2.0
//
// What the threads of a scenario do with the modelled log, and what must hold for them and at the end.
#include <algorithm>
#include <utility>

#include "shard_log_model.h"

namespace banyan::model {

Task<> ShardLogModel::Appends(std::vector<Value> records) {
  for (const Value record : records) {
    const AppendOutcome outcome = co_await Append(record);
    if (outcome == AppendOutcome::kClosed) co_return;
    if (shape_.watched) co_await WakeIfWatched();
  }
}

Task<> ShardLogModel::AppendsAndHoldsTheFirst(std::vector<Value> records) {
  co_await Appends(std::move(records));
  co_await Read(0, 1, &held_for_all_);
}

Task<> ShardLogModel::Reads(Value position, int times, size_t records_max) {
  const Value there_before = static_cast<Value>(stored_);  // nobody has done a step beside us yet
  const Value from = position;
  Batch held;
  bool gave_up = false;
  for (int i = 0; i < times && !gave_up; ++i) {
    Batch next;
    const ReadEnd end = co_await Read(position, records_max, &next);
    position = end.position;
    gave_up = next.gave_up;
    co_await LetGo(&held);
    held = std::move(next);
  }
  co_await LetGo(&held);
  if (gave_up || closed_) co_return;
  w_.Check(position >= std::min(there_before, from + static_cast<Value>(records_max) * times),
           "a record that was there before is not read");
}

Task<> ShardLogModel::AppendsThenReads(std::vector<Value> records) {
  for (const Value record : records) {
    co_await Append(record);
    Batch batch;
    const Value all = static_cast<Value>(stored_);  // this thread's and those before it
    const ReadEnd end = co_await Read(0, 100, &batch);
    if (!batch.gave_up) w_.Check(end.position == all, "what is acknowledged is not read");
    co_await LetGo(&batch);
  }
}

Task<> ShardLogModel::Closes() {
  w_.Write(children_, 1);
  co_await Close();
  if (shape_.watched) co_await WakeIfWatched();
}

Task<> ShardLogModel::Seals() {
  w_.Write(children_, 1);
  co_await Seal();
  if (shape_.watched) co_await WakeIfWatched();
}

Task<> ShardLogModel::Sleeps(Value position) {
  const bool sleeps = co_await Watch(position);
  if (sleeps) asleep_at_ = position;
}

Task<> ShardLogModel::CheckTheEnd() {
  w_.Check(stored_ == records_.size(), "L3: claimed, not published");
  w_.Check(records_.empty() || records_.rbegin()->first + 1 == static_cast<Value>(stored_),
           "L1: numbers are not dense");
  Batch batch;
  const ReadEnd read = co_await Read(0, 100, &batch);
  w_.Check(!batch.gave_up, "nobody is there, and Find finds nothing");
  const Value horizon = w_.Known(horizon_);
  w_.Check(horizon <= static_cast<Value>(stored_), "L6: the horizon is past the tip");
  if (!closed_) {
    auto seen = batch.records.begin();
    for (const auto& [position, record] : records_) {
      if (position < horizon || record < shape_.retained_from) continue;
      if (seen == batch.records.end() || seen->position != position) {
        co_return w_.Fail("a stored record is not read in its place");
      }
      ++seen;
    }
    w_.Check(seen == batch.records.end(), "a record is read twice");
  }
  if (asleep_at_ >= 0 && !woken_) {
    w_.Check(asleep_at_ >= read.position && !read.ended, "L9: somebody sleeps beside a record");
  }
  co_await LetGo(&batch);
  co_await LetGo(&held_for_all_);

  const Value first = co_await w_.Load(first_, Order::kRelaxed);
  const Value end = co_await w_.Load(end_, Order::kRelaxed);
  std::vector<Value> held(segments_.size());
  for (Value i = first; i < end; ++i) {
    const Value address = co_await w_.Load(EntryAt(i).segment, Order::kRelaxed);
    ++held[static_cast<size_t>(address) - 1];
  }
  for (size_t i = 0; i < segments_.size(); ++i) {
    const Value holders = co_await w_.Load(segments_[i].holders, Order::kRelaxed);
    w_.Check(holders == held[i], "L4: holders are miscounted");
  }
}

}  // namespace banyan::model
