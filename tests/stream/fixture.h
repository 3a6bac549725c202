// SPDX-License-Identifier: Apache-2.0
//
// What the tests of the stream room share: a stream without a broker, on simulated time.
#ifndef BANYAN_TESTS_STREAM_FIXTURE_H_
#define BANYAN_TESTS_STREAM_FIXTURE_H_

#include <memory>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "banyan/stream.h"
#include "banyan/testing/simulated_runtime.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "message/environment.h"
#include "shared_testing.h"
#include "stream/core.h"
#include "stream/validate.h"

namespace banyan::testing {

inline std::vector<std::string> DataOf(const RecordBatch& batch) {
  std::vector<std::string> data;
  for (const Record& record : batch) data.emplace_back(record.data());
  return data;
}

// Limits under which a test can fill a shard with little.
inline Limits SmallLimits() {
  Limits limits;
  limits.stream.record_bytes_floor = 1;
  limits.stream.retention_min = absl::Milliseconds(1);
  return limits;
}

// And under which a stream takes its time to become active.
inline Limits SlowLimits() {
  Limits limits = SmallLimits();
  limits.stream.transition_time = absl::Seconds(10);
  return limits;
}

class StreamTest : public ::testing::Test {
 protected:
  static constexpr ShardId kShard0 = {0};
  static constexpr ShardId kShard1 = {1};

  explicit StreamTest(const Limits& limits = SmallLimits())
      : env_(std::make_shared<internal::Environment>(runtime_, limits, 7)) {}

  Stream MakeStream(StreamOptions options = {}, std::string name = "clicks") {
    EXPECT_EQ(internal::ValidateStreamName(name, env_->limits), absl::OkStatus());
    EXPECT_EQ(internal::ValidateStreamOptions(options, env_->limits), absl::OkStatus());
    return Stream(internal::StreamCore::Create(env_, std::move(name), options));
  }

  // A stream of one shard that holds little: records of at most 32 KiB, 256 KiB in all.
  Stream MakeSmallStream() {
    return MakeStream({.record_bytes_max = 32 << 10, .shard_bytes_max = 256 << 10});
  }

  static PutResult Put(const Stream& stream, std::string_view data, std::string_view key = "k") {
    absl::StatusOr<PutResult> put = stream.Put({.partition_key = key, .data = data});
    EXPECT_EQ(put.status(), absl::OkStatus());
    return put.value_or(PutResult());
  }

  static ShardIterator IteratorAt(const Stream& stream, const StartAt& start,
                                  ShardId shard = kShard0) {
    absl::StatusOr<ShardIterator> iterator = stream.GetShardIterator(shard, start);
    EXPECT_EQ(iterator.status(), absl::OkStatus());
    return iterator.value_or(ShardIterator());
  }

  static RecordBatch Get(const Stream& stream, const ShardIterator& iterator,
                         int64_t limit = 10'000) {
    absl::StatusOr<RecordBatch> batch = stream.GetRecords(iterator, limit);
    EXPECT_EQ(batch.status(), absl::OkStatus());
    return batch.value_or(RecordBatch());
  }

  static RecordBatch GetAt(const Stream& stream, const StartAt& start, ShardId shard = kShard0) {
    return Get(stream, IteratorAt(stream, start, shard));
  }

  SimulatedRuntime runtime_;
  std::shared_ptr<internal::Environment> env_;
};

}  // namespace banyan::testing

#endif  // BANYAN_TESTS_STREAM_FIXTURE_H_
