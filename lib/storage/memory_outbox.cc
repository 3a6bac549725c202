// SPDX-License-Identifier: Apache-2.0
#include <algorithm>
#include <deque>
#include <map>
#include <utility>

#include "absl/base/thread_annotations.h"
#include "banyan/mutex.h"
#include "base/strings.h"
#include "storage/outbox.h"

namespace banyan::inline v0_1::internal {

namespace {

class MemoryOutbox final : public Outbox {
 public:
  explicit MemoryOutbox(OutboxOptions options) : options_(options) {}

  absl::StatusOr<int64_t> Append(std::string_view partition, MessageRef message) override {
    if (partition.empty()) return absl::InvalidArgumentError("outbox: the partition has no name");
    if (!message) return absl::InvalidArgumentError("outbox: there is no message");
    const auto bytes = static_cast<int64_t>(message->bytes());
    MutexLock lock(&mu_);
    if (depth_.messages >= options_.messages_max || bytes > options_.bytes_max - depth_.bytes) {
      return absl::ResourceExhaustedError(
          StrCat("outbox: full, with ", depth_.messages, " messages of ", depth_.bytes, " bytes"));
    }
    auto at = partitions_.find(partition);
    if (at == partitions_.end())
      at = partitions_.emplace(std::string(partition), Partition()).first;
    at->second.held.push_back(std::move(message));
    ++depth_.messages;
    depth_.bytes += bytes;
    return at->second.end() - 1;
  }

  absl::StatusOr<std::vector<OutboxEntry>> Read(std::string_view partition,
                                                int64_t max_messages) override {
    std::vector<OutboxEntry> entries;
    MutexLock lock(&mu_);
    const auto at = partitions_.find(partition);
    if (at == partitions_.end()) return entries;
    int64_t position = at->second.cursor;
    for (const MessageRef& message : at->second.held) {
      if (static_cast<int64_t>(entries.size()) >= max_messages) break;
      entries.push_back({position++, message});
    }
    return entries;
  }

  absl::Status Advance(std::string_view partition, int64_t position) override {
    std::vector<MessageRef> done;  // dropped after the lock: the last reference runs user code
    MutexLock lock(&mu_);
    const auto at = partitions_.find(partition);
    const int64_t end = at == partitions_.end() ? 1 : at->second.end();
    if (position >= end) {
      return absl::OutOfRangeError(StrCat("outbox: position ", position, " of partition ",
                                          partition, " has not been given yet"));
    }
    if (at == partitions_.end()) return absl::OkStatus();
    Partition& p = at->second;
    while (p.cursor <= position) {
      --depth_.messages;
      depth_.bytes -= static_cast<int64_t>(p.held.front()->bytes());
      done.push_back(std::move(p.held.front()));
      p.held.pop_front();
      ++p.cursor;
    }
    return absl::OkStatus();
  }

  absl::StatusOr<std::vector<std::string>> Partitions() override {
    std::vector<std::string> names;
    MutexLock lock(&mu_);
    for (const auto& [name, partition] : partitions_) {
      if (!partition.held.empty()) names.push_back(name);
    }
    return names;
  }

  OutboxDepth Depth() override {
    MutexLock lock(&mu_);
    return depth_;
  }

 private:
  struct Partition {
    std::deque<MessageRef> held;
    int64_t cursor = 1;  // position of held.front()
    int64_t end() const { return cursor + static_cast<int64_t>(held.size()); }
  };

  const OutboxOptions options_;
  Mutex mu_;
  std::map<std::string, Partition, std::less<>> partitions_ ABSL_GUARDED_BY(mu_);
  OutboxDepth depth_ ABSL_GUARDED_BY(mu_);
};

}  // namespace

std::unique_ptr<Outbox> NewMemoryOutbox(OutboxOptions options) {
  return std::make_unique<MemoryOutbox>(options);
}

}  // namespace banyan::inline v0_1::internal
