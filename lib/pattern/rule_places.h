// SPDX-License-Identifier: Apache-2.0
//
// lib/pattern/rule_places.h -- floor 2: under which keys a value of an event finds a rule.
//
//   a sub-rule     state = ["paid", "sent"]  and  total > 100
//   is filed at    text "paid" and text "sent" of state, or at the range of total: where it is less
//                  crowded
//
// L1  If a value satisfies a condition, it produces one of the keys of each element of the
//     condition that it satisfies, or lies in its range. (The converse does not hold: a hit is a
//     candidate.)
// L2  A condition that accepts absence gives no keys: an event without the field would find none.
//
// This file makes the keys of rules (PlacesOf) and those of values (ForEachKey); the two must agree
// on L1.
#ifndef BANYAN_LIB_PATTERN_RULE_PLACES_H_
#define BANYAN_LIB_PATTERN_RULE_PLACES_H_

#include <algorithm>
#include <bit>
#include <cstdint>
#include <optional>
#include <string_view>
#include <vector>

#include "pattern/compiled_pattern.h"
#include "pattern/event_scan.h"
#include "pattern/ip.h"
#include "pattern/packed_rule.h"
#include "pattern/path_tree.h"

namespace banyan::inline v0_1::internal {

// Longer prefixes and suffixes are filed by so many bytes.
inline constexpr size_t kAffixMax = 255;

struct Places {
  std::vector<PackedRule::Plan> plans;  // their sub_rule is left to the caller
  // About how many events in a thousand get here, as far as the operators tell.
  uint64_t cost = 0;
};

// The places of one condition on the path of `node`; nullopt where there are none (L2).
std::optional<Places> PlacesOf(const Condition& condition, const PathNode& node);
// The one place that all values of a path produce.
PackedRule::Plan PlaceOfAnyValue(const PathNode& node);

// -0 and 0 are one number.
inline uint64_t HashOfNumber(double number) {
  return std::bit_cast<uint64_t>(number == 0 ? 0.0 : number);  // LookupKey() mixes
}

uint64_t HashOfAddress(const IpAddress& address);

// Calls hit(key) for each key of the value, and in_ranges(access, number) if there are ranges to
// look it up in. Where all numbers and ranges are listed (Access::few_ranges), numbers have no
// keys.
template <typename Hit, typename InRanges>
void ForEachKey(const PathNode& node, FoundValue& value, const Hit& hit, const InRanges& in_ranges);

// ---- The rest is how.

// The keys of a string.
template <typename Hit>
class TextKeys {
 public:
  TextKeys(uint64_t base, std::string_view text, const Hit& hit)
      : base_(base), text_(text), hit_(hit) {}

  // All that the value is worth. Probes of one kind come in ascending lengths; what is longer than
  // the value is not looked at, or a thousand lengths would cost the shortest value a thousand
  // steps.
  void ProbeAll(const std::vector<Access::Probe>& probes) {
    for (auto probe = probes.begin(); probe != probes.end();) {
      if (probe->length <= text_.size() || probe->kind == KeyKind::kBlock) {
        Probe(probe->kind, probe->length);
        ++probe;
      } else {
        probe = std::upper_bound(
            probe, probes.end(), probe->kind,
            [](KeyKind kind, const Access::Probe& other) { return kind < other.kind; });
      }
    }
  }

 private:
  void Probe(KeyKind kind, size_t length) {
    switch (kind) {
      case KeyKind::kText:
        return hit_(LookupKey(base_, kind, 0, HashOf(text_)));
      case KeyKind::kPrefix:
      case KeyKind::kSuffix:
      case KeyKind::kFoldedPrefix:
      case KeyKind::kFoldedSuffix:
        return Affix(kind, length);
      case KeyKind::kFoldedText:
        return hit_(LookupKey(base_, kind, 0, AffixHashes(text_, false, true).Of(text_.size())));
      case KeyKind::kGram:
        for (size_t i = 0; i + length <= text_.size(); ++i) {
          hit_(LookupKey(base_, kind, length, LoadUpTo8(text_.data() + i, length)));
        }
        return;
      case KeyKind::kAddress:
        if (const auto& address = Address()) {
          hit_(LookupKey(base_, kind, 0, HashOfAddress(*address)));
        }
        return;
      case KeyKind::kBlock:
        if (const auto& address = Address()) {
          hit_(LookupKey(base_, kind, length,
                         HashOfAddress(Masked(*address, static_cast<int>(length)))));
        }
        return;
      default:
        return;
    }
  }

  void Affix(KeyKind kind, size_t length) {
    if (kind != affix_kind_) {
      affix_kind_ = kind;
      affixes_.emplace(text_, kind == KeyKind::kSuffix || kind == KeyKind::kFoldedSuffix,
                       kind == KeyKind::kFoldedPrefix || kind == KeyKind::kFoldedSuffix);
    }
    hit_(LookupKey(base_, kind, length, affixes_->Of(length)));
  }

  const std::optional<IpAddress>& Address() {
    if (!address_read_) {
      address_read_ = true;
      address_ = ParseIpAddress(text_);
    }
    return address_;
  }

  const uint64_t base_;
  const std::string_view text_;
  const Hit& hit_;
  KeyKind affix_kind_ = KeyKind::kPresent;  // none of the four
  std::optional<AffixHashes> affixes_;
  bool address_read_ = false;
  std::optional<IpAddress> address_;
};

template <typename Hit, typename InRanges>
void ForEachKey(const PathNode& node, FoundValue& value, const Hit& hit,
                const InRanges& in_ranges) {
  const Access* access = node.access();
  if (access == nullptr) return;
  const uint64_t base = node.key_base();
  if (access->Has(KeyKind::kPresent)) hit(LookupKey(base, KeyKind::kPresent, 0, 0));
  switch (value.kind) {
    case ValueKind::kString: {
      TextKeys<Hit> keys(base, value.text, hit);
      keys.ProbeAll(access->probes);
      break;
    }
    case ValueKind::kNumber:
      if (access->Has(KeyKind::kNumberText)) {
        hit(LookupKey(base, KeyKind::kNumberText, 0, HashOf(value.text)));
      }
      if (!access->Has(KeyKind::kNumber) && access->ranges == nullptr) break;
      if (!value.ReadNumber()) break;
      if (access->Has(KeyKind::kNumber) && access->few_ranges.empty()) {
        hit(LookupKey(base, KeyKind::kNumber, 0, HashOfNumber(value.number)));
      }
      if (access->ranges != nullptr || !access->few_ranges.empty()) {
        in_ranges(*access, value.number);
      }
      break;
    case ValueKind::kTrue:
    case ValueKind::kFalse:
    case ValueKind::kNull:
      if (access->Has(KeyKind::kLiteral)) {
        hit(LookupKey(base, KeyKind::kLiteral, 0, static_cast<uint64_t>(value.kind)));
      }
      break;
  }
}

}  // namespace banyan::inline v0_1::internal

#endif  // BANYAN_LIB_PATTERN_RULE_PLACES_H_
