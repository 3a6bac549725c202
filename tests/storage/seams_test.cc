// SPDX-License-Identifier: Apache-2.0
//
// A store can be written outside of lib/storage: each class overrides everything its interface has,
// with `override` to the letter, so that a changed signature stops the build. What a store has to
// do is in store_suites.h.
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "banyan/testing/matchers.h"
#include "gtest/gtest.h"
#include "storage/dedup_window.h"
#include "storage/lease_store.h"
#include "storage/outbox.h"

namespace banyan::internal {
namespace {

class SeamLeaseStore final : public LeaseStore {
 public:
  absl::StatusOr<std::optional<Lease>> Get(std::string_view, std::string_view) override {
    return std::nullopt;
  }
  absl::StatusOr<std::optional<Lease>> Put(std::string_view, Lease lease) override { return lease; }
  absl::StatusOr<bool> Remove(std::string_view, std::string_view, int64_t) override {
    return false;
  }
  absl::StatusOr<std::vector<Lease>> List(std::string_view) override {
    return absl::UnavailableError("the table's server is down");
  }
  absl::Status RemoveTables(std::string_view) override { return absl::OkStatus(); }
};

class SeamOutbox final : public Outbox {
 public:
  absl::StatusOr<int64_t> Append(std::string_view, MessageRef) override { return 1; }
  absl::StatusOr<std::vector<OutboxEntry>> Read(std::string_view, int64_t) override {
    return absl::UnavailableError("the disk is gone");
  }
  absl::Status Advance(std::string_view, int64_t) override { return absl::OkStatus(); }
  absl::StatusOr<std::vector<std::string>> Partitions() override {
    return std::vector<std::string>{"p"};
  }
  OutboxDepth Depth() override { return {.messages = 1}; }
};

class SeamDedupWindow final : public DedupWindow {
 public:
  absl::StatusOr<std::optional<FirstSeen>> Remember(std::string_view, const FirstSeen& first,
                                                    Instant, absl::Duration) override {
    return first;
  }
  void Clear() override {}
  int64_t size() override { return 1; }
};

// To make one is to prove that nothing was left pure; a store that is not memory can also fail.
TEST(StoreSeamsTest, EveryStoreCanBeImplementedFromOutside) {
  SeamLeaseStore leases;
  EXPECT_THAT(static_cast<LeaseStore&>(leases).List("t"),
              testing::StatusIs(absl::StatusCode::kUnavailable));
  SeamOutbox outbox;
  EXPECT_THAT(static_cast<Outbox&>(outbox).Read("p", 1),
              testing::StatusIs(absl::StatusCode::kUnavailable));
  SeamDedupWindow window;
  EXPECT_EQ(static_cast<DedupWindow&>(window).size(), 1);
}

}  // namespace
}  // namespace banyan::internal
