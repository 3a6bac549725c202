// SPDX-License-Identifier: Apache-2.0
//
// What the tests of several rooms share: what rests in a queue, how AWS names an error,
// and threads that begin at once.
#ifndef BANYAN_TESTS_SHARED_TESTING_H_
#define BANYAN_TESTS_SHARED_TESTING_H_

#include <atomic>
#include <functional>
#include <string>
#include <string_view>
#include <thread>
#include <utility>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "banyan/attributes.h"
#include "banyan/error.h"
#include "banyan/queue.h"
#include "gtest/gtest.h"

namespace banyan {

inline std::vector<std::string> BodiesOf(const std::vector<Received>& received) {
  std::vector<std::string> bodies;
  for (const Received& one : received) bodies.emplace_back(one.body());
  return bodies;
}

// All that can be received now, in order; it is deleted.
inline std::vector<Received> Drain(const Queue& queue) {
  std::vector<Received> all;
  for (;;) {
    const absl::StatusOr<std::vector<Received>> batch = queue.Receive({.max_messages = 10});
    EXPECT_TRUE(batch.ok()) << batch.status();
    if (!batch.ok() || batch->empty()) return all;
    for (const Received& one : *batch) {
      EXPECT_TRUE(one.Delete().ok());
      all.push_back(one);
    }
  }
}
inline std::vector<std::string> DrainBodies(const Queue& queue) { return BodiesOf(Drain(queue)); }

// All that rests, whether or not it can be received; it stays.
inline std::vector<std::string> PeekBodies(const Queue& queue) {
  return BodiesOf(queue.Peek(10'000).value());
}

// "(none)" if it has no such attribute.
inline std::string AttributeOf(const Received& received, std::string_view name) {
  const AttributeValue* value = received.attributes().Find(name);
  return value == nullptr ? "(none)" : value->value;
}

// The code AWS would have shown, or what C++ calls it: "OK", "INTERNAL: ...".
inline std::string CodeOf(const absl::Status& status) {
  const AwsErrorRow* row = FindAwsError(status);
  return row == nullptr ? status.ToString() : std::string(row->code);
}
inline std::string TextOf(const absl::Status& status) { return std::string(status.message()); }

// Runs `body` with 0, 1, ... on so many threads, none of which begins before all are there: else the
// first may be done before the last is born, and nothing happened at once.
inline void AtOnce(int threads, const std::function<void(int)>& body) {
  std::atomic<int> missing{threads};
  std::vector<std::thread> all;
  for (int thread = 0; thread < threads; ++thread) {
    all.emplace_back([&, thread] {
      --missing;
      while (missing.load() > 0) std::this_thread::yield();
      body(thread);
    });
  }
  for (std::thread& thread : all) thread.join();
}

}  // namespace banyan

#endif  // BANYAN_TESTS_SHARED_TESTING_H_
