// SPDX-License-Identifier: Apache-2.0
//
// Books: the shop's own accounts of what became of every message, kept beside the library's and
// without asking it.
//
//   the tap       tells of every message that was accepted; plain C++ decides who ought to get it
//   the modules   tell which message they settled
//   the last look through dead-letter and unread queues tells what is still there
//
// For every message and every subscription one thing must be true in the end: it was filtered out,
// or settled, or rests in the dead-letter queue, or rests in the queue.
//
// Threads   Every method may be called from any thread.
#ifndef BANYAN_EXAMPLES_SHOP_BOOKS_H_
#define BANYAN_EXAMPLES_SHOP_BOOKS_H_

#include <array>
#include <cstddef>
#include <cstdint>
#include <string>
#include <unordered_map>

#include "banyan/id.h"
#include "banyan/mutex.h"
#include "banyan/tap.h"

namespace shop {

// Whoever gets messages: five rules of the bus, four subscriptions of the topic, and the reader of
// the stream.
enum class Desk {
  kPayment,
  kInventory,
  kShipping,
  kNotification,
  kReceipts,
  kOrderLog,  // into the stream, beside the clicks
  kEmail,
  kSms,
  kPush,
  kVipDesk,
  kClicks,
};
inline constexpr size_t kDesks = 11;

// Names of rules and queues, too.
inline constexpr std::array<const char*, kDesks> kDeskNames = {
    "payment", "inventory", "shipping", "notification", "receipts", "order-log",
    "email",   "sms",       "push",     "vip-desk",     "clicks"};

class Books : public banyan::Tap {
 public:
  banyan::TapVerdict Accepted(const banyan::AcceptedMessage& message) override;

  void Settled(Desk desk, banyan::Id event) { Mark(desk, event, &Entry::settled); }
  void FoundDead(Desk desk, banyan::Id event) { Mark(desk, event, &Entry::dead); }
  void FoundResting(Desk desk, banyan::Id event) { Mark(desk, event, &Entry::resting); }

  // One subscription's account: published = filtered + settled + dead + resting + missing.
  struct Account {
    int64_t published = 0;
    int64_t filtered = 0;
    int64_t settled = 0;
    int64_t dead = 0;
    int64_t resting = 0;
    int64_t missing = 0;   // ought to have arrived, and is nowhere
    int64_t stray = 0;     // arrived, and ought not to have
    int64_t repeated = 0;  // came more than once, as "at least once" allows; apart from the sum

    int64_t wanted() const { return published - filtered; }
    bool balances() const { return missing == 0 && stray == 0; }
  };
  std::array<Account, kDesks> Close() const;

 private:
  using DeskSet = uint16_t;  // one bit per Desk
  struct Entry {
    DeskSet offered = 0;  // subscriptions of the bus, topic or stream that accepted it
    DeskSet wanted = 0;
    DeskSet settled = 0;
    DeskSet dead = 0;
    DeskSet resting = 0;
    DeskSet repeated = 0;
  };
  struct IdHash {
    size_t operator()(const banyan::Id& id) const { return static_cast<size_t>(id.hi ^ id.lo); }
  };

  void Mark(Desk desk, banyan::Id event, DeskSet Entry::*place);

  mutable banyan::Mutex mu_;
  std::unordered_map<banyan::Id, Entry, IdHash> entries_ ABSL_GUARDED_BY(mu_);
};

}  // namespace shop

#endif  // BANYAN_EXAMPLES_SHOP_BOOKS_H_
