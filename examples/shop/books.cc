// SPDX-License-Identifier: Apache-2.0
#include "books.h"

#include <string_view>

#include "order.h"

namespace shop {
namespace {

constexpr uint16_t Bit(Desk desk) {
  return static_cast<uint16_t>(1u << static_cast<unsigned>(desk));
}

template <typename... Desks>
constexpr uint16_t Bits(Desks... desks) {
  return static_cast<uint16_t>((0u | ... | Bit(desks)));
}

constexpr uint16_t kOfBus = Bits(Desk::kPayment, Desk::kInventory, Desk::kShipping,
                                 Desk::kNotification, Desk::kReceipts, Desk::kOrderLog);
constexpr uint16_t kOfTopic = Bits(Desk::kEmail, Desk::kSms, Desk::kPush, Desk::kVipDesk);
constexpr uint16_t kOfStream = Bits(Desk::kClicks);

// Who ought to get an event of the bus. Says in C++ what the modules' rules say as patterns; if the
// two disagree, the books do not balance.
uint16_t WantedOfBus(const OrderEvent& event) {
  const Order& order = event.order;
  if (event.type == "OrderPlaced") {
    unsigned wanted = Bit(Desk::kOrderLog);
    wanted |= order.cents > 0 ? Bit(Desk::kPayment) : Bit(Desk::kShipping);
    if (order.parcels > 0) wanted |= Bit(Desk::kInventory);
    return static_cast<uint16_t>(wanted);
  }
  if (event.type == "PaymentTaken") return Bits(Desk::kShipping, Desk::kReceipts);
  if (event.type == "StockReserved") return Bit(Desk::kShipping);
  if (event.type == "OrderShipped") return Bit(Desk::kNotification);
  return 0;
}

uint16_t WantedOfTopic(const Order& order) {
  unsigned wanted = 0;
  if (order.channel == "email") wanted |= Bit(Desk::kEmail);
  if (order.channel == "sms") wanted |= Bit(Desk::kSms);
  if (order.channel == "push") wanted |= Bit(Desk::kPush);
  if (order.cents >= 50'000) wanted |= Bit(Desk::kVipDesk);
  return static_cast<uint16_t>(wanted);
}

}  // namespace

banyan::TapVerdict Books::Accepted(const banyan::AcceptedMessage& message) {
  // ARNs name the service third: arn:aws:events:REGION:ACCOUNT:event-bus/shop
  Entry entry;
  if (message.resource_arn.starts_with("arn:aws:events:")) {
    entry.offered = kOfBus;
    const absl::StatusOr<OrderEvent> event = ParseEvent(message.body.view());
    if (event.ok()) entry.wanted = WantedOfBus(*event);
  } else if (message.resource_arn.starts_with("arn:aws:sns:")) {
    entry.offered = kOfTopic;
    const absl::StatusOr<Order> order = ParseOrder(message.body.view());
    if (order.ok()) entry.wanted = WantedOfTopic(*order);
  } else if (message.resource_arn.starts_with("arn:aws:kinesis:")) {
    entry.offered = entry.wanted = kOfStream;
  }
  banyan::MutexLock lock(&mu_);
  entries_[message.event_id] = entry;
  return banyan::TapVerdict::kDeliver;
}

void Books::Mark(Desk desk, banyan::Id event, DeskSet Entry::*place) {
  banyan::MutexLock lock(&mu_);
  Entry& entry = entries_[event];  // one that was never accepted is made here, and is stray
  const unsigned seen = entry.settled | entry.dead | entry.resting;
  entry.repeated = static_cast<DeskSet>(entry.repeated | (seen & Bit(desk)));
  entry.*place = static_cast<DeskSet>(entry.*place | Bit(desk));
}

std::array<Books::Account, kDesks> Books::Close() const {
  std::array<Account, kDesks> accounts;
  banyan::MutexLock lock(&mu_);
  for (const auto& [event, entry] : entries_) {
    for (size_t i = 0; i < kDesks; ++i) {
      Account& account = accounts[i];
      const uint16_t desk = Bit(static_cast<Desk>(i));
      const bool arrived = ((entry.settled | entry.dead | entry.resting) & desk) != 0;
      if ((entry.repeated & desk) != 0) ++account.repeated;
      if ((entry.offered & desk) == 0) {
        if (arrived) ++account.stray;
        continue;
      }
      ++account.published;
      if ((entry.wanted & desk) == 0) {
        ++account.filtered;
        if (arrived) ++account.stray;
      } else if ((entry.settled & desk) != 0) {
        ++account.settled;
      } else if ((entry.dead & desk) != 0) {
        ++account.dead;
      } else if ((entry.resting & desk) != 0) {
        ++account.resting;
      } else {
        ++account.missing;
      }
    }
  }
  return accounts;
}

}  // namespace shop
