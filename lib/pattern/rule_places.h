// SPDX-License-Identifier: Apache-2.0
//
// lib/pattern/rule_places.h -- floor 2: under which keys a value of an event finds a rule.
//
//   a sub-rule     state = ["paid", "sent"]  and  total > 100
//   is filed at    text "paid" and text "sent" of state, or at the range of total: where it is less
//                  crowded
//
// L1  If a value satisfies a condition, it produces one of the keys of each element of the condition
//     that it satisfies, or lies in its range. (The converse does not hold: a hit is a candidate.)
// L2  A condition that accepts absence gives no keys: an event without the field would find none.
//
// This file makes the keys of rules (PlacesOf) and those of values (ForEachKey); the two must agree
// on L1.
#ifndef BANYAN_LIB_PATTERN_RULE_PLACES_H_
#define BANYAN_LIB_PATTERN_RULE_PLACES_H_

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

// The places of one condition on the path `node`; nullopt where there are none (L2).
std::optional<Places> PlacesOf(const Condition& condition, uint32_t path);

// -0 and 0 are one number.
inline uint64_t HashOfNumber(double number) {
  return Mix64(std::bit_cast<uint64_t>(number == 0 ? 0.0 : number));
}

uint64_t HashOfAddress(const IpAddress& address);

// Calls hit(key) for each key of the value, and in_range(filing) for each range it lies in.
template <typename Hit, typename InRange>
void ForEachKey(const PathNode& node, FoundValue& value, const Hit& hit, const InRange& in_range);

// ---- The rest is how.

// The keys of a string.
template <typename Hit>
class TextKeys {
 public:
  TextKeys(uint32_t path, std::string_view text, const Hit& hit)
      : path_(path), text_(text), hit_(hit) {}

  // Probes of one kind come in ascending lengths.
  void Probe(KeyKind kind, size_t length) {
    switch (kind) {
      case KeyKind::kText:
        return hit_(LookupKey(path_, kind, 0, HashOf(text_)));
      case KeyKind::kPrefix:
      case KeyKind::kFoldedPrefix:
        return Affix(kind, length, [this](size_t i) { return text_[i]; });
      case KeyKind::kSuffix:
      case KeyKind::kFoldedSuffix:
        return Affix(kind, length, [this](size_t i) { return text_[text_.size() - 1 - i]; });
      case KeyKind::kFoldedText:
        if (length != text_.size()) return;
        return Affix(kind, length, [this](size_t i) { return text_[i]; });
      case KeyKind::kGram:
        for (size_t i = 0; i + length <= text_.size(); ++i) {
          hit_(LookupKey(path_, kind, length, LoadUpTo8(text_.data() + i, length)));
        }
        return;
      case KeyKind::kAddress:
        if (const auto& address = Address()) {
          hit_(LookupKey(path_, kind, 0, HashOfAddress(*address)));
        }
        return;
      case KeyKind::kBlock:
        if (const auto& address = Address()) {
          hit_(LookupKey(path_, kind, length,
                         HashOfAddress(Masked(*address, static_cast<int>(length)))));
        }
        return;
      default:
        return;
    }
  }

 private:
  template <typename ByteAt>
  void Affix(KeyKind kind, size_t length, const ByteAt& byte_at) {
    if (length > text_.size()) return;
    if (kind != rolling_kind_) {
      rolling_kind_ = kind;
      rolling_ = RollingHash();
      rolled_ = 0;
    }
    const bool folds = kind != KeyKind::kPrefix && kind != KeyKind::kSuffix;
    for (; rolled_ < length; ++rolled_) {
      rolling_.Add(folds ? FoldAscii(byte_at(rolled_)) : byte_at(rolled_));
    }
    hit_(LookupKey(path_, kind, length, rolling_.value()));
  }

  const std::optional<IpAddress>& Address() {
    if (!address_read_) {
      address_read_ = true;
      address_ = ParseIpAddress(text_);
    }
    return address_;
  }

  const uint32_t path_;
  const std::string_view text_;
  const Hit& hit_;
  KeyKind rolling_kind_ = KeyKind::kPresent;  // none that rolls
  RollingHash rolling_;
  size_t rolled_ = 0;
  bool address_read_ = false;
  std::optional<IpAddress> address_;
};

template <typename Hit, typename InRange>
void ForEachKey(const PathNode& node, FoundValue& value, const Hit& hit, const InRange& in_range) {
  const Access* access = node.access();
  if (access == nullptr) return;
  const uint32_t path = node.id();
  if (access->Has(KeyKind::kPresent)) hit(LookupKey(path, KeyKind::kPresent, 0, 0));
  switch (value.kind) {
    case ValueKind::kString: {
      TextKeys<Hit> keys(path, value.text, hit);
      for (const Access::Probe& probe : access->probes) keys.Probe(probe.kind, probe.length);
      break;
    }
    case ValueKind::kNumber:
      if (access->Has(KeyKind::kNumberText)) {
        hit(LookupKey(path, KeyKind::kNumberText, 0, HashOf(value.text)));
      }
      if (!access->Has(KeyKind::kNumber) && access->ranges == nullptr) break;
      if (!value.ReadNumber()) break;
      if (access->Has(KeyKind::kNumber)) {
        hit(LookupKey(path, KeyKind::kNumber, 0, HashOfNumber(value.number)));
      }
      if (access->ranges != nullptr) {
        access->ranges->ForEach(value.number,
                                [&](void* what) { in_range(*static_cast<const Filing*>(what)); });
      }
      break;
    case ValueKind::kTrue:
    case ValueKind::kFalse:
    case ValueKind::kNull:
      if (access->Has(KeyKind::kLiteral)) {
        hit(LookupKey(path, KeyKind::kLiteral, 0, static_cast<uint64_t>(value.kind)));
      }
      break;
  }
}

}  // namespace banyan::inline v0_1::internal

#endif  // BANYAN_LIB_PATTERN_RULE_PLACES_H_
