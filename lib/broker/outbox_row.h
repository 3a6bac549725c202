// SPDX-License-Identifier: Apache-2.0
//
// lib/broker/outbox_row.h -- floor 6: a request as the text that rests in the host's database, and
// back. The format is described at the end of banyan/outbox.h.
//
// A row may be years old, written by another version, or edited by hand: the reader takes nothing
// for granted, and what it does not know it refuses. A member passed over in silence could have been
// the group that keeps an order.
#ifndef BANYAN_LIB_BROKER_OUTBOX_ROW_H_
#define BANYAN_LIB_BROKER_OUTBOX_ROW_H_

#include <string>
#include <string_view>
#include <variant>

#include "absl/status/statusor.h"
#include "banyan/event_bus.h"
#include "banyan/id.h"
#include "banyan/queue.h"
#include "banyan/topic.h"

namespace banyan::inline v0_1::internal {

// What one row says: this request, to that resource.
struct OutboxLetter {
  Id id;
  std::string arn;
  std::variant<PublishRequest, SendRequest, EventEntry> request;
};

// UTF-8, no NUL.
std::string WriteOutboxRow(const OutboxLetter& letter);

// Errors  kDataLoss: what is wrong with it, and at which byte where that helps.
absl::StatusOr<OutboxLetter> ReadOutboxRow(std::string_view row);

}  // namespace banyan::inline v0_1::internal

#endif  // BANYAN_LIB_BROKER_OUTBOX_ROW_H_
