// SPDX-License-Identifier: Apache-2.0
//
// lib/message/readers.h -- floor 1: who reads queues and streams for as long as somebody holds it:
// consumers, workers, mappings. They are no resources and have no place in the broker's registry;
// here the broker finds them when it counts, and when it draws who gets what.
//
// Kept weakly: being listed keeps nobody alive, and one that is gone costs its place in the list
// until as many have come as were there when it was last gone through.
//
// Threads   Any. A reader is asked under no lock of the list.
#ifndef BANYAN_LIB_MESSAGE_READERS_H_
#define BANYAN_LIB_MESSAGE_READERS_H_

#include <algorithm>
#include <cstddef>
#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "absl/base/thread_annotations.h"
#include "banyan/mutex.h"

namespace banyan::inline v0_1 {

struct BrokerMetrics;

namespace internal {

class SourceReader {
 public:
  virtual ~SourceReader() = default;

  enum class Kind { kConsumer, kWorker, kMapping };
  struct Wiring {
    Kind kind = Kind::kConsumer;
    std::string name = {};
    std::string source = {};    // ARN
    std::string failures = {};  // ARN of where it sends what it gives up; empty: nowhere
    bool enabled = true;
  };
  // Nothing: it has ended.
  virtual std::optional<Wiring> GetWiring() const = 0;

  // Readers of the same name and source count as one.
  virtual void AddTo(BrokerMetrics* metrics) const { static_cast<void>(metrics); }
};

class SourceReaders {
 public:
  void Add(std::weak_ptr<const SourceReader> reader) {
    MutexLock lock(&mu_);
    if (readers_.size() >= sweep_at_) {
      std::erase_if(readers_, [](const auto& listed) { return listed.expired(); });
      sweep_at_ = std::max(kSweepAtLeast, 2 * readers_.size());
    }
    readers_.push_back(std::move(reader));
  }

  // In the order in which they came.
  std::vector<std::shared_ptr<const SourceReader>> All() const {
    std::vector<std::shared_ptr<const SourceReader>> all;
    MutexLock lock(&mu_);
    for (const auto& listed : readers_) {
      if (std::shared_ptr<const SourceReader> reader = listed.lock())
        all.push_back(std::move(reader));
    }
    return all;
  }

 private:
  static constexpr size_t kSweepAtLeast = 16;

  mutable Mutex mu_;
  std::vector<std::weak_ptr<const SourceReader>> readers_ ABSL_GUARDED_BY(mu_);
  size_t sweep_at_ ABSL_GUARDED_BY(mu_) = kSweepAtLeast;
};

}  // namespace internal
}  // namespace banyan::inline v0_1

#endif  // BANYAN_LIB_MESSAGE_READERS_H_
