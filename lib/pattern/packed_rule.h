// SPDX-License-Identifier: Apache-2.0
//
// lib/pattern/packed_rule.h -- floor 2: a rule as the rule index keeps it, in one block of memory.
//
//   | PackedRule | Extras? | Filing... | SubRule... | conditions, values, numbers | literals, id |
//   | text |
//
//   sub-rule -> its conditions -> their values -> literals, by offsets from the block's beginning
//
// R1  A block is complete before anybody sees it and does not change then, but for the links of its
//     filings and the two versions.
// R2  A reader at version v sees the rule if added <= v < removed.
// R3  Sub-rules of one "$or" share the values of a leaf, and literals lie in the rule's text where
//     it has them as they are.
//
// Why not the compiled pattern as it is: a rule of one condition takes ten times the space there,
// and a hundred thousand of them are what this is for. Values that are rare or complicated do point
// into it (kOther), so that there is one reading of them.
#ifndef BANYAN_LIB_PATTERN_PACKED_RULE_H_
#define BANYAN_LIB_PATTERN_PACKED_RULE_H_

#include <atomic>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <string_view>
#include <vector>

#include "absl/types/span.h"
#include "pattern/compiled_pattern.h"
#include "pattern/key_table.h"
#include "pattern/lookup_key.h"

namespace banyan::inline v0_1::internal {

// One element of a leaf array.
struct PackedValue {
  enum Op : uint32_t {
    // Tests of a string against the literal; `negated`: anything but that passes.
    kText,
    kPrefix,
    kSuffix,
    kFoldedText,  // the literal is ASCII in small letters, as FoldedText::Ascii() has it
    kFoldedPrefix,
    kFoldedSuffix,
    // The others.
    kNumber,   // a double
    kRange,    // a PackedRange
    kTrue,     // ValueKind::kTrue and so on
    kFalse,    //
    kNull,     //
    kPresent,  //
    kAbsent,   // never true of a value
    kOther,    // a pointer to a ValuePattern
  };
  uint32_t op : 7;
  uint32_t negated : 1;
  uint32_t size : 24;  // of a literal
  uint32_t offset;     // of the literal, double, PackedRange or pointer

  // How the values of a long condition are sorted: texts by their literals, numbers by their
  // values, then the others.
  enum Group { kTexts, kNumbers, kOthers };
  Group group() const {
    if (negated) return kOthers;
    return op == kText ? kTexts : op == kNumber ? kNumbers : kOthers;
  }
};

struct PackedRange {
  double low, high;  // infinite: open to that side
  bool low_included, high_included;
};

struct PackedCondition {
  uint32_t path;  // id of the node
  uint32_t values_offset;
  uint32_t value_count : 30;
  uint32_t is_long : 1;  // its values are sorted, see PackedValue::Group
  uint32_t accepts_absence : 1;
};

struct PackedSubRule {
  uint32_t slot;  // a small number, its own
  uint32_t conditions_offset;
  uint32_t condition_count;
};

// Where the index finds a sub-rule.
struct Place {
  uint32_t key = 0;       // kRange: offset of the PackedRange
  uint32_t path = 0;      // id of the node it is filed at
  uint32_t sub_rule = 0;  // index
  uint32_t slot = 0;      // the sub-rule's
  uint32_t length : 24 = 0;
  KeyKind kind : 8 = KeyKind::kAlways;
};

// A sub-rule in its place: under one key, or in one range tree.
struct Filing : Link {
  uint32_t offset = 0;  // from the beginning of the rule
  Place place;
};
static_assert(sizeof(Filing) == 40);  // of each rule, so no room is wasted here

// What a rule looks at.
enum class RuleInput : uint8_t {
  kJson,
  kAttributes,
  kNothing,  // it matches whatever comes
};

class PackedRule {
 public:
  static constexpr uint64_t kNever = UINT64_MAX;

  struct Parts {
    RuleInput input = RuleInput::kNothing;
    std::shared_ptr<const CompiledPattern> pattern;  // null for kNothing
    std::string_view id;
    bool keep_text = false;
    std::shared_ptr<const void> payload;
  };
  // A filing before there is a rule.
  struct Plan {
    Place place;
    const NumberRange* range = nullptr;  // for kRange
    double number = 0;                   // for kNumber
  };
  // paths[s][c]: id of the node of condition c in sub-rule s. slots: one for each sub-rule.
  static PackedRule* Make(Parts parts, absl::Span<const std::vector<uint32_t>> paths,
                          absl::Span<const uint32_t> slots, absl::Span<const Plan> plans);
  static void Destroy(PackedRule* rule);

  PackedRule(const PackedRule&) = delete;
  PackedRule& operator=(const PackedRule&) = delete;

  static const PackedRule& Of(const Filing& filing) {
    return *reinterpret_cast<const PackedRule*>(reinterpret_cast<const char*>(&filing) -
                                                filing.offset);
  }

  // Fetches the rule of a filing, which for a simple one is all that its verification reads. Where
  // it begins is not known before the filing is here, so this takes the lines around that.
  static void PrefetchAround(const Link& link) {
    constexpr int kLine = 64;
    const char* at = reinterpret_cast<const char*>(&link);
    for (int line = -1; line <= 2; ++line) __builtin_prefetch(at + line * kLine);
  }

  bool VisibleAt(uint64_t version) const {
    return added_.load(std::memory_order_relaxed) <= version &&
           version < removed_.load(std::memory_order_relaxed);
  }
  uint64_t added() const { return added_.load(std::memory_order_relaxed); }
  void SetAdded(uint64_t version) { added_.store(version, std::memory_order_relaxed); }
  void SetRemoved(uint64_t version) { removed_.store(version, std::memory_order_relaxed); }

  std::string_view id() const { return {At<char>(id_offset_), id_size_}; }
  std::string_view text() const { return {At<char>(bytes_ - text_size_), text_size_}; }
  RuleInput input() const { return static_cast<RuleInput>(input_); }
  const void* payload() const { return has_extras_ ? extras().payload.get() : nullptr; }

  absl::Span<const PackedSubRule> sub_rules() const {
    return {At<PackedSubRule>(FilingsOffset(has_extras_) + filing_count_ * sizeof(Filing)),
            sub_rule_count_};
  }
  absl::Span<Filing> filings() {
    return {const_cast<Filing*>(At<Filing>(FilingsOffset(has_extras_))), filing_count_};
  }
  absl::Span<const PackedCondition> conditions(const PackedSubRule& sub_rule) const {
    return {At<PackedCondition>(sub_rule.conditions_offset), sub_rule.condition_count};
  }
  absl::Span<const PackedValue> values(const PackedCondition& condition) const {
    return {At<PackedValue>(condition.values_offset), condition.value_count};
  }
  std::string_view literal(const PackedValue& value) const {
    return {At<char>(value.offset), value.size};
  }
  double number(const PackedValue& value) const { return *At<double>(value.offset); }
  const PackedRange& range(const PackedValue& value) const {
    return *At<PackedRange>(value.offset);
  }
  const ValuePattern& other(const PackedValue& value) const {
    return **At<const ValuePattern*>(value.offset);
  }
  const PackedRange& range_at(uint64_t offset) const {
    return *At<PackedRange>(static_cast<size_t>(offset));
  }

  // The block, and about what a pattern takes that is kept for kOther.
  size_t bytes() const;

 private:
  PackedRule() = default;
  ~PackedRule() = default;

  template <typename T>
  const T* At(size_t offset) const {
    return reinterpret_cast<const T*>(reinterpret_cast<const char*>(this) + offset);
  }

  // Both are rare.
  struct Extras {
    std::shared_ptr<const void> payload;
    std::shared_ptr<const CompiledPattern> pattern;  // for kOther
  };
  const Extras& extras() const { return *At<Extras>(sizeof(PackedRule)); }

  static constexpr size_t FilingsOffset(bool has_extras) {
    return sizeof(PackedRule) + (has_extras ? sizeof(Extras) : 0);
  }

  std::atomic<uint64_t> added_{kNever};
  std::atomic<uint64_t> removed_{kNever};
  uint32_t bytes_ = 0;
  uint32_t sub_rule_count_ : 29 = 0;
  uint32_t input_ : 2 = 0;
  uint32_t has_extras_ : 1 = 0;
  uint32_t filing_count_ = 0;
  uint32_t text_size_ = 0;  // the text is the end of the block
  uint32_t id_offset_ = 0, id_size_ = 0;
};

}  // namespace banyan::inline v0_1::internal

#endif  // BANYAN_LIB_PATTERN_PACKED_RULE_H_
