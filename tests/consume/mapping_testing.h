// SPDX-License-Identifier: Apache-2.0
//
// What the tests of stream mappings share: a handler that remembers its calls and answers as it is
// told, and what lies in a queue.
#ifndef BANYAN_TESTS_CONSUME_MAPPING_TESTING_H_
#define BANYAN_TESTS_CONSUME_MAPPING_TESTING_H_

#include <gmock/gmock.h>

#include <functional>
#include <map>
#include <set>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "banyan/mapping.h"
#include "banyan/topic.h"
#include "consumer_fixture.h"

namespace banyan {

inline std::string DataOf(const StreamBatch& batch) {
  std::string data;
  for (const Record& record : batch.records) {
    if (!data.empty()) data += ' ';
    data += record.data();
  }
  return data;
}

inline bool Has(const StreamBatch& batch, std::string_view data) {
  for (const Record& record : batch.records) {
    if (record.data() == data) return true;
  }
  return false;
}

// Names the records with this data as failed.
inline StreamBatchResult Failed(const StreamBatch& batch, std::string_view data) {
  StreamBatchResult result;
  for (const Record& record : batch.records) {
    if (record.data() == data) result.failures.push_back(record.sequence());
  }
  return result;
}

class MappingTest : public ConsumerTest {
 protected:
  using Answer = std::function<absl::StatusOr<StreamBatchResult>(const StreamBatch&)>;

  Stream MakeStream(int64_t shards = 1, std::string_view name = "clicks") {
    return broker_.CreateStream(name, {.shards = shards}).value();
  }

  PutResult Put(const Stream& stream, std::string_view data, std::string_view key = "k") {
    return stream.Put({.partition_key = key, .data = data}).value();
  }
  void PutAll(const Stream& stream, const std::vector<std::string>& all) {
    for (const std::string& data : all) Put(stream, data);
  }
  static std::string Key(int i) { return "key-" + std::to_string(i); }

  // Remembers each call in calls_, as its records' data, and when it was.
  StreamMapping Start(const Stream& stream, StreamMappingOptions options, Answer answer = nullptr) {
    return StreamMapping::Start(stream, std::move(options), Remembering(std::move(answer))).value();
  }
  StreamBatchHandler Remembering(Answer answer) {
    return [this, answer = std::move(answer)](
               const StreamBatch& batch) -> absl::StatusOr<StreamBatchResult> {
      calls_.push_back(DataOf(batch));
      times_.push_back(runtime_.Uptime());
      if (answer) return answer(batch);
      return StreamBatchResult();
    };
  }
  std::vector<std::string> TakeCalls() { return std::exchange(calls_, {}); }

  // Bodies, deleted.
  static std::vector<std::string> TakeAll(const Queue& queue) {
    std::vector<std::string> bodies;
    for (;;) {
      const std::vector<Received> some = queue.Receive({.max_messages = 10}).value();
      if (some.empty()) return bodies;
      for (const Received& message : some) {
        bodies.emplace_back(message.body());
        message.Delete().IgnoreError();
      }
    }
  }

  static void ExpectBalanced(const MappingMetrics& m) {
    EXPECT_EQ(m.polled_event_count, m.filtered_out_event_count + m.handled + m.dropped_event_count +
                                        m.on_failure_destination_delivered_event_count + m.in_hand);
  }

  static absl::Status Broken() { return absl::InternalError("broken"); }

  std::vector<std::string> calls_;
  std::vector<absl::Duration> times_;
};

}  // namespace banyan

#endif  // BANYAN_TESTS_CONSUME_MAPPING_TESTING_H_
