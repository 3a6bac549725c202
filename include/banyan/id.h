// SPDX-License-Identifier: Apache-2.0
//
// Id: 128 bits that name a message or an event. Written as a UUID; the text is made when asked
// for, not when the message passes.
#ifndef BANYAN_ID_H_
#define BANYAN_ID_H_

#include <compare>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "banyan/export.h"

namespace banyan::inline v0_1 {

struct BANYAN_EXPORT Id {
  uint64_t hi = 0;
  uint64_t lo = 0;

  // "5fea7756-0ea4-451a-a703-a558b933e274"
  std::string ToString() const;

  // Thirty-two hexadecimal digits, without hyphens, as W3C trace context writes a trace id.
  std::string ToHex() const;

  // Reads ToString()'s form, either case of letters. Nothing else is an Id.
  static std::optional<Id> Parse(std::string_view text);

  bool IsZero() const { return hi == 0 && lo == 0; }
  friend auto operator<=>(const Id&, const Id&) = default;

  template <typename H>
  friend H AbslHashValue(H h, const Id& id) {
    return H::combine(std::move(h), id.hi, id.lo);
  }
};

}  // namespace banyan::inline v0_1

#endif  // BANYAN_ID_H_
