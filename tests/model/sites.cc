// SPDX-License-Identifier: Apache-2.0
#include "sites.h"

namespace banyan::model {

const std::vector<SiteInfo>& Sites() {
  constexpr Order kRelaxed = Order::kRelaxed;
  constexpr Order kAcquire = Order::kAcquire;
  constexpr Order kRelease = Order::kRelease;
  constexpr Order kAcqRel = Order::kAcqRel;
  constexpr Order kSeqCst = Order::kSeqCst;
  constexpr std::string_view kByUnlink =
      "Whoever is misled by a base of the next round pins a segment that was unlinked before, and "
      "so acquires from `unlink` that first_ has moved; or is refused.";
  static const auto& sites = *new std::vector<SiteInfo>{
      {Site::kPublish, "publish", kSeqCst, {kAcqRel, kRelaxed}, {}},
      {Site::kReadSlot, "read slot", kAcquire, {kRelaxed}, {}},
      {Site::kTrimSlot, "trim slot", kAcquire, {kRelaxed}, {}},
      {Site::kCompleteSlot, "complete slot", kAcquire, {kRelaxed}, {}},
      {Site::kUnpin, "unpin", kRelease, {kRelaxed}, {}},
      {Site::kSpare, "spare", kAcquire, {kRelaxed}, {}},
      {Site::kGiveBack, "give back", kAcquire, {kRelaxed}, {}},
      {Site::kLink, "link", kRelease, {kRelaxed}, {}},
      {Site::kPin, "pin", kAcquire, {kRelaxed}, {}},
      {Site::kOpen, "open", kRelease, {kRelaxed}, {}},
      {Site::kClaim, "claim", kAcquire, {kRelaxed}, {}},
      {Site::kCurrentStore, "current", kRelease, {kRelaxed}, {}},
      {Site::kCurrentLoad, "look at current", kAcquire, {kRelaxed}, {}},
      {Site::kEndStore, "end", kSeqCst, {kRelease, kRelaxed}, {}},
      {Site::kEndLoad, "look at end", kAcquire, {kRelaxed}, {}},
      {Site::kEntrySegmentStore, "entry segment", kRelease, {kRelaxed}, {}},
      {Site::kEntrySegmentLoad, "look at entry segment", kAcquire, {kRelaxed}, {}},
      {Site::kFirstStore, "first", kRelease, {kRelaxed}, {}},
      {Site::kFirstLoad, "look at first", kAcquire, {kRelaxed}, {}},

      {Site::kSeal, "seal", kSeqCst, {kRelease, kRelaxed}, {}},
      {Site::kSealLoad, "look at seal", kAcquire, {kRelaxed}, {}},
      {Site::kWatch, "watch", kSeqCst, {kRelease, kRelaxed}, {}},
      {Site::kWatchEnd, "watch end", kSeqCst, {kAcquire, kRelaxed}, {}},
      {Site::kWatchSeal, "watch seal", kSeqCst, {kAcquire, kRelaxed}, {}},
      {Site::kWatchSlot, "watch slot", kSeqCst, {kAcquire, kRelaxed}, {}},
      {Site::kLookForWatch, "look for watch", kSeqCst, {kAcquire, kRelaxed}, {}},

      {Site::kTakeWatch,
       "take watch",
       kSeqCst,
       {kRelaxed},
       "The load before it has looked; this one step only decides which of several wakes."},
      {Site::kEntryBaseStore, "entry base", kRelease, {kRelaxed}, kByUnlink},
      {Site::kEntryBaseLoad, "look at entry base", kAcquire, {kRelaxed}, kByUnlink},
      {Site::kEndAgain,
       "look at end again",
       kAcquire,
       {kRelaxed},
       "Only the number counts; the next round of Find acquires anew."},
      {Site::kHorizonStore,
       "horizon",
       kRelease,
       {kRelaxed},
       "Only the number counts: what lies below it is kept from readers by first_ and holders."},
      {Site::kHorizonLoad,
       "look at horizon",
       kAcquire,
       {kRelaxed},
       "As above; and who has acquired first_ can read no older horizon."},
      {Site::kUnlink,
       "unlink",
       kRelease,
       {kRelaxed},
       "Whoever finds holders at 0 and acts on it holds mu_, as did whoever unlinked; who pins "
       "what "
       "was unlinked and then looks again has acquired from `entry base`."},
      {Site::kClose,
       "close",
       kAcqRel,
       {kAcquire, kRelease, kRelaxed},
       "That it is one step makes the count final. Who closed before held mu_; claims release "
       "nothing; and a writer that finds the flag goes through mu_."},
      {Site::kCurrentClear,
       "clear current",
       kRelease,
       {kRelaxed},
       "A null pointer is not followed."},
      {Site::kTailUnderLock,
       "tail under mu_",
       kAcquire,
       {kRelaxed},
       "Segments are opened and closed under mu_, and claims release nothing. Records are acquired "
       "slot by slot."},
      {Site::kTailOfPinned,
       "tail of a pinned segment",
       kAcquire,
       {kRelaxed},
       "The pin has acquired base and cleared slots; records are acquired slot by slot."},
  };
  return sites;
}

Orders::Orders() {
  orders_.fill(Order::kRelaxed);
  for (const SiteInfo& info : Sites()) Set(info.site, info.order);
}

}  // namespace banyan::model
