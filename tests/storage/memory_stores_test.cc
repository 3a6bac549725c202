// SPDX-License-Identifier: Apache-2.0
//
// The stores in memory do what every store has to do.
#include "store_suites.h"

namespace banyan {
namespace {

struct MemoryLeases {
  std::unique_ptr<internal::LeaseStore> Make(int64_t leases_max) {
    return internal::NewMemoryLeaseStore(leases_max);
  }
};
struct MemoryOutboxes {
  std::unique_ptr<internal::Outbox> Make(const internal::OutboxOptions& options) {
    return internal::NewMemoryOutbox(options);
  }
};
struct MemoryDedupWindows {
  std::unique_ptr<internal::DedupWindow> Make(int64_t keys_max) {
    return internal::NewMemoryDedupWindow(keys_max);
  }
};

INSTANTIATE_TYPED_TEST_SUITE_P(Memory, LeaseStoreSuite, MemoryLeases);
INSTANTIATE_TYPED_TEST_SUITE_P(Memory, OutboxSuite, MemoryOutboxes);
INSTANTIATE_TYPED_TEST_SUITE_P(Memory, DedupWindowSuite, MemoryDedupWindows);

// The last reference to a message may run its owner's release function, which may call back.
TEST(MemoryOutboxTest, ReleasesMessagesUnderNoLock) {
  std::unique_ptr<internal::Outbox> outbox = internal::NewMemoryOutbox();
  int64_t depth_seen = -1;
  internal::MessageParts parts;
  parts.body = Payload::Adopt("abc", 3, [&] { depth_seen = outbox->Depth().messages; });
  ASSERT_THAT(outbox->Append("p", internal::MakeMessage(std::move(parts))), testing::IsOk());
  ASSERT_THAT(outbox->Advance("p", 1), testing::IsOk());
  EXPECT_EQ(depth_seen, 0);
}

}  // namespace
}  // namespace banyan
