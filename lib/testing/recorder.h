// SPDX-License-Identifier: Apache-2.0
//
// lib/testing/recorder.h -- floor 7: a journal that keeps the story of every message.
//
//   order_   1 1 2 1 3 2 ...       whose change came when; the oldest is dropped first
//   stories_ 1 -> body, changes    a change is in exactly one story
//   index_   (resource, id) -> 1   under every resource the message was in
//
// R1  A story begins with a message's first change and goes on where the message is moved: kMoved
//     enters it under its destination, too.
// R2  A message accepted anew under a known name, but not by a move, is another message: a broker
//     that was reset gives its ids again.
// R3  Bodies are copied. A reference would keep the sender's buffer, and its last release runs the
//     sender's code: here that would be under the lock of a queue.
#ifndef BANYAN_LIB_TESTING_RECORDER_H_
#define BANYAN_LIB_TESTING_RECORDER_H_

#include <cstdint>
#include <deque>
#include <map>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "absl/base/thread_annotations.h"
#include "banyan/attributes.h"
#include "banyan/id.h"
#include "banyan/mutex.h"
#include "banyan/testing/test_broker.h"
#include "message/journal.h"

namespace banyan::inline v0_1::testing::internal {

using v0_1::internal::Change;
using v0_1::internal::ChangeRecord;

// A ChangeRecord that keeps its texts.
struct RecordedChange {
  Change change;
  std::string resource;     // ARN
  std::string destination;  // ARN; of kMoved
  Instant at;
  int64_t receive_count = 0;
  int64_t deadline_ns = 0;
};

// The resource's ARN, and its id of the message. A stream's ids are its own only.
using MessageName = std::pair<std::string, Id>;

struct Story {
  Id message_id;
  Id event_id;
  std::string body;
  Attributes attributes;
  int64_t bytes = 0;
  bool cut_short = false;
  std::vector<MessageName> names;      // under which the index knows it
  std::deque<RecordedChange> changes;  // never empty

  // In the words of the public header.
  MessageStory InWords(Instant now) const;
};

class Recorder final : public v0_1::internal::Journal {
 public:
  explicit Recorder(RecordingOptions options) : options_(options) {}

  void Append(const ChangeRecord& record) override;

  std::vector<Story> Stories() const;  // in the order of their first changes
  int64_t recorded() const;
  int64_t dropped() const;

 private:
  // The number of the story that `record` goes on with; 0 if it belongs to none that is known.
  uint64_t FindStory(const ChangeRecord& record, const MessageName& name) const
      ABSL_EXCLUSIVE_LOCKS_REQUIRED(mu_);
  uint64_t BeginStory(const ChangeRecord& record) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mu_);
  void Enter(MessageName name, uint64_t number) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mu_);
  void DropOldestChange() ABSL_EXCLUSIVE_LOCKS_REQUIRED(mu_);

  const RecordingOptions options_;

  mutable Mutex mu_;
  std::deque<uint64_t> order_ ABSL_GUARDED_BY(mu_);
  std::map<uint64_t, Story> stories_ ABSL_GUARDED_BY(mu_);
  std::map<MessageName, uint64_t> index_ ABSL_GUARDED_BY(mu_);
  uint64_t last_story_ ABSL_GUARDED_BY(mu_) = 0;
  int64_t bytes_ ABSL_GUARDED_BY(mu_) = 0;
  int64_t recorded_ ABSL_GUARDED_BY(mu_) = 0;
  int64_t dropped_ ABSL_GUARDED_BY(mu_) = 0;
};

// "00:00:30.000"
std::string TimeText(int64_t uptime_ns);

// What a person calls the resource of this ARN: "jobs", "stream/clicks".
std::string_view NameIn(std::string_view arn);

}  // namespace banyan::inline v0_1::testing::internal

#endif  // BANYAN_LIB_TESTING_RECORDER_H_
