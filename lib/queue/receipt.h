// SPDX-License-Identifier: Apache-2.0
//
// lib/queue/receipt.h -- floor 3, the queue room: what names one attempt at one message.
//
// Most receivers settle through Received and never see the text; it is made when asked for:
//
//   16 digits incarnation | 8 slot | 16 number | 8 attempt | 8 check       hexadecimal
//
// R1  The incarnation differs for every queue ever made in a broker, so a handle of a deleted
//     queue is not a handle of its successor by the same name.
// R2  The check digits tell a damaged or invented text; they are no secret.
#ifndef BANYAN_LIB_QUEUE_RECEIPT_H_
#define BANYAN_LIB_QUEUE_RECEIPT_H_

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "queue/slots.h"

namespace banyan::inline v0_1::internal {

struct Receipt {
  uint64_t incarnation = 0;
  SlotIndex slot = kNoSlot;
  uint64_t number = 0;   // of the message in its queue
  uint32_t attempt = 0;  // 1 at the first receive in this queue; 0: was only looked at

  std::string ToString() const;
  static std::optional<Receipt> Parse(std::string_view text);

  friend bool operator==(const Receipt&, const Receipt&) = default;
};

}  // namespace banyan::inline v0_1::internal

#endif  // BANYAN_LIB_QUEUE_RECEIPT_H_
