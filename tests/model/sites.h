// SPDX-License-Identifier: Apache-2.0
//
// tests/model/sites.h -- the atomic operations of lib/stream/shard_log.h and .cc that are more than
// relaxed, by the names they bear there in comments (`// order: publish`). The model runs with these
// orders; a test compares them with the sources.
#ifndef BANYAN_TESTS_MODEL_SITES_H_
#define BANYAN_TESTS_MODEL_SITES_H_

#include <array>
#include <string_view>
#include <vector>

#include "explorer.h"

namespace banyan::model {

enum class Site {
  // A record, from its writer to its readers and to whoever uses its memory again.
  kPublish,
  kReadSlot,
  kTrimSlot,
  kCompleteSlot,
  // Memory, from its readers to whoever uses it again or gives it back.
  kUnpin,
  kSpare,
  kGiveBack,
  // A segment, from whoever brings it in to readers and writers.
  kLink,
  kPin,
  kOpen,
  kClaim,
  kCurrentStore,
  kCurrentLoad,
  // The ring.
  kEndStore,
  kEndLoad,
  kEntrySegmentStore,
  kEntrySegmentLoad,
  kFirstStore,
  kFirstLoad,
  // The end.
  kSeal,
  kSealLoad,
  // Who sleeps and who wakes.
  kWatch,
  kWatchEnd,
  kWatchSeal,
  kWatchSlot,
  kLookForWatch,
  // Orders that the code has and the model finds nobody to need.
  kTakeWatch,
  kEntryBaseStore,
  kEntryBaseLoad,
  kEndAgain,
  kHorizonStore,
  kHorizonLoad,
  kUnlink,
  kClose,
  kCurrentClear,
  kTailUnderLock,
  kTailOfPinned,
  kCount
};

struct SiteInfo {
  Site site;
  std::string_view tag;
  Order order;
  // Each of these must break a scenario, unless `covered` says what makes them enough.
  std::vector<Order> weaker;
  std::string_view covered;
};

const std::vector<SiteInfo>& Sites();

// The order of every site: that of the code until weakened.
class Orders {
 public:
  Orders();
  Order operator[](Site site) const { return orders_[static_cast<size_t>(site)]; }
  void Set(Site site, Order order) { orders_[static_cast<size_t>(site)] = order; }

 private:
  std::array<Order, static_cast<size_t>(Site::kCount)> orders_;
};

}  // namespace banyan::model

#endif  // BANYAN_TESTS_MODEL_SITES_H_
