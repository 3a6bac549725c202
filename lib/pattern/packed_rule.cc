// SPDX-License-Identifier: Apache-2.0
#include "pattern/packed_rule.h"

#include <algorithm>
#include <cstring>
#include <limits>
#include <new>
#include <optional>
#include <string>
#include <type_traits>
#include <utility>
#include <variant>

#include "absl/container/flat_hash_map.h"
#include "absl/container/flat_hash_set.h"
#include "base/check.h"

namespace banyan::inline v0_1::internal {
namespace {

// Values of a condition that are tried one by one.
constexpr size_t kShortMax = 8;

constexpr uint32_t kLiteralMax = (uint32_t{1} << 24) - 1;

// Bytes that grow from the end of the rule's head on; offsets count from its beginning.
class Block {
 public:
  struct TextPlace {
    size_t at;
    bool in_last;
  };

  Block() : bytes_(sizeof(PackedRule), '\0') {}

  template <typename T>
  size_t Add(const T& thing) {
    static_assert(std::is_trivially_copyable_v<T>);
    const size_t offset = Reserve<T>(1);
    Put(offset, thing);
    return offset;
  }
  template <typename T>
  size_t Reserve(size_t count) {
    bytes_.resize((bytes_.size() + alignof(T) - 1) / alignof(T) * alignof(T));
    const size_t offset = bytes_.size();
    bytes_.resize(offset + count * sizeof(T));
    return offset;
  }
  template <typename T>
  void Put(size_t offset, const T& thing) {
    std::memcpy(bytes_.data() + offset, &thing, sizeof(T));
  }
  template <typename T>
  T Get(size_t offset) const {
    T thing;
    std::memcpy(&thing, bytes_.data() + offset, sizeof(T));
    return thing;
  }
  // R3: a text that is there already is not stored again, and one that lies in `last` will be found
  // there when AddLast() has added it.
  TextPlace AddText(std::string_view text, std::string_view last) {
    // Only a short text is searched.
    constexpr size_t kSearchMax = 4096;
    if (last.size() <= kSearchMax) {
      const size_t there = last.find(text);
      if (there != std::string_view::npos) return {there, true};
    }
    if (text_begin_ == 0) text_begin_ = bytes_.size();
    if (bytes_.size() - text_begin_ <= kSearchMax) {
      const size_t there = bytes_.find(text, text_begin_);
      if (there != std::string::npos) return {there, false};
    }
    bytes_.append(text);
    return {bytes_.size() - text.size(), false};
  }
  void AddLast(std::string_view last) {
    last_begin_ = bytes_.size();
    bytes_.append(last);
  }
  uint32_t OffsetOf(TextPlace place) const {
    return static_cast<uint32_t>(place.at + (place.in_last ? last_begin_ : 0));
  }

  const std::string& bytes() const { return bytes_; }

 private:
  std::string bytes_;
  size_t text_begin_ = 0;  // where the texts begin
  size_t last_begin_ = 0;
};

PackedRange Packed(const NumberRange& range) {
  constexpr double kUnbounded = std::numeric_limits<double>::infinity();
  return {.low = range.low.value_or(-kUnbounded),
          .high = range.high.value_or(kUnbounded),
          .low_included = range.low_included,
          .high_included = range.high_included};
}

// What a value is stored as: its literal is added once all that needs alignment is in.
struct Draft {
  PackedValue value;
  std::optional<std::string> literal;
};

PackedValue ValueOf(PackedValue::Op op, size_t offset = 0) {
  return {.op = op & 0x7fu, .negated = 0, .size = 0, .offset = static_cast<uint32_t>(offset)};
}

// The test with its literal; nullopt if it is not one for which there is an op.
std::optional<Draft> DraftOf(const TextTest& test) {
  const auto with = [](PackedValue::Op op,
                       std::optional<std::string> literal) -> std::optional<Draft> {
    if (!literal.has_value() || literal->size() > kLiteralMax) return std::nullopt;
    PackedValue value = ValueOf(op);
    value.size = static_cast<uint32_t>(literal->size()) & kLiteralMax;
    return Draft{value, std::move(literal)};
  };
  if (const auto* equal = std::get_if<EqualTest>(&test)) {
    return with(PackedValue::kText, equal->text);
  }
  if (const auto* prefix = std::get_if<PrefixTest>(&test)) {
    return with(PackedValue::kPrefix, prefix->text);
  }
  if (const auto* suffix = std::get_if<SuffixTest>(&test)) {
    return with(PackedValue::kSuffix, suffix->text);
  }
  if (const auto* folded = std::get_if<EqualIgnoringCaseTest>(&test)) {
    return with(PackedValue::kFoldedText, folded->text.Ascii());
  }
  if (const auto* folded = std::get_if<PrefixIgnoringCaseTest>(&test)) {
    return with(PackedValue::kFoldedPrefix, folded->text.Ascii());
  }
  if (const auto* folded = std::get_if<SuffixIgnoringCaseTest>(&test)) {
    return with(PackedValue::kFoldedSuffix, folded->text.Ascii());
  }
  return std::nullopt;
}

Draft DraftOf(const ValuePattern& pattern, Block* block) {
  const auto with_data = [block](PackedValue::Op op, const auto& data) {
    return Draft{ValueOf(op, block->Add(data)), std::nullopt};
  };
  const auto bare = [](PackedValue::Op op) { return Draft{ValueOf(op), std::nullopt}; };
  if (const auto* test = std::get_if<TextTest>(&pattern)) {
    if (std::optional<Draft> draft = DraftOf(*test)) return *std::move(draft);
  } else if (const auto* number = std::get_if<NumberEqual>(&pattern)) {
    if (number->value.has_value()) return with_data(PackedValue::kNumber, *number->value);
  } else if (const auto* range = std::get_if<NumberRange>(&pattern)) {
    return with_data(PackedValue::kRange, Packed(*range));
  } else if (const auto* literal = std::get_if<Literal>(&pattern)) {
    return bare(literal->kind == ValueKind::kTrue    ? PackedValue::kTrue
                : literal->kind == ValueKind::kFalse ? PackedValue::kFalse
                                                     : PackedValue::kNull);
  } else if (std::holds_alternative<Present>(pattern)) {
    return bare(PackedValue::kPresent);
  } else if (std::holds_alternative<Absent>(pattern)) {
    return bare(PackedValue::kAbsent);
  } else if (const auto* listed = std::get_if<AnythingButText>(&pattern)) {
    std::optional<Draft> draft;
    if (listed->tests.size() == 1) draft = DraftOf(listed->tests.front());
    if (draft.has_value()) {
      draft->value.negated = 1;
      return *std::move(draft);
    }
  }
  const ValuePattern* where = &pattern;
  return with_data(PackedValue::kOther, where);
}

// Does some value become kOther? As DraftOf() will decide, which needs to know first.
bool HasOther(const CompiledPattern* pattern) {
  if (pattern == nullptr) return false;
  const auto is_other = [](const ValuePattern& value) {
    if (const auto* test = std::get_if<TextTest>(&value)) return !DraftOf(*test).has_value();
    if (const auto* number = std::get_if<NumberEqual>(&value)) return !number->value.has_value();
    if (const auto* listed = std::get_if<AnythingButText>(&value)) {
      return listed->tests.size() != 1 || !DraftOf(listed->tests.front()).has_value();
    }
    return std::holds_alternative<AnythingButNumber>(value);
  };
  const auto& sub_rules = pattern->sub_rules();
  return std::any_of(sub_rules.begin(), sub_rules.end(), [&](const SubRule& sub_rule) {
    return std::any_of(sub_rule.conditions.begin(), sub_rule.conditions.end(),
                       [&](const Condition& condition) {
                         const auto& values = condition.leaf->values;
                         return std::any_of(values.begin(), values.end(), is_other);
                       });
  });
}

// As PackedValue::Group says.
void SortDrafts(std::vector<Draft>* drafts, const Block& block) {
  std::stable_sort(drafts->begin(), drafts->end(), [&block](const Draft& a, const Draft& b) {
    if (a.value.group() != b.value.group()) return a.value.group() < b.value.group();
    switch (a.value.group()) {
      case PackedValue::kTexts:
        return *a.literal < *b.literal;
      case PackedValue::kNumbers:
        return block.Get<double>(a.value.offset) < block.Get<double>(b.value.offset);
      default:
        return false;
    }
  });
}

}  // namespace

PackedRule* PackedRule::Make(Parts parts, absl::Span<const std::vector<uint32_t>> paths,
                             absl::Span<const uint32_t> slots, absl::Span<const Plan> plans) {
  const bool has_other = HasOther(parts.pattern.get());
  const bool has_extras = parts.payload != nullptr || has_other;
  Block block;
  if (has_extras) block.Reserve<Extras>(1);
  const size_t filings_offset = block.Reserve<Filing>(plans.size());
  const size_t sub_rules_offset = block.Reserve<PackedSubRule>(slots.size());

  struct Values {
    size_t offset;
    std::vector<Draft> drafts;
  };
  absl::flat_hash_map<const LeafSyntax*, size_t> seen;  // R3
  std::vector<Values> all;
  for (size_t s = 0; s < slots.size(); ++s) {
    const size_t count = paths[s].size();
    const size_t offset = block.Reserve<PackedCondition>(count);
    block.Put(sub_rules_offset + s * sizeof(PackedSubRule),
              PackedSubRule{.slot = slots[s],
                            .conditions_offset = static_cast<uint32_t>(offset),
                            .condition_count = static_cast<uint32_t>(count)});
    for (size_t c = 0; c < count; ++c) {
      const Condition& condition = parts.pattern->sub_rules()[s].conditions[c];
      const std::vector<ValuePattern>& patterns = condition.leaf->values;
      const auto [known, is_new] = seen.try_emplace(condition.leaf.get(), all.size());
      if (is_new) {
        Values& values = all.emplace_back();
        values.offset = block.Reserve<PackedValue>(patterns.size());
        for (const ValuePattern& pattern : patterns) {
          values.drafts.push_back(DraftOf(pattern, &block));
        }
        if (patterns.size() > kShortMax) SortDrafts(&values.drafts, block);
      }
      block.Put(offset + c * sizeof(PackedCondition),
                PackedCondition{.path = paths[s][c],
                                .values_offset = static_cast<uint32_t>(all[known->second].offset),
                                .value_count = static_cast<uint32_t>(patterns.size()) & 0x3fffffff,
                                .is_long = patterns.size() > kShortMax,
                                .accepts_absence = condition.accepts_absence});
    }
  }
  std::vector<size_t> range_offsets;
  for (const Plan& plan : plans) {
    range_offsets.push_back(plan.range == nullptr ? 0 : block.Add(Packed(*plan.range)));
  }
  const std::string_view text =
      parts.keep_text && parts.pattern != nullptr ? parts.pattern->text() : std::string_view();
  std::vector<Block::TextPlace> places;
  for (const Values& values : all) {
    for (const Draft& draft : values.drafts) {
      if (draft.literal.has_value()) places.push_back(block.AddText(*draft.literal, text));
    }
  }
  const Block::TextPlace id_place = block.AddText(parts.id, text);
  block.AddLast(text);
  auto place = places.begin();
  for (Values& values : all) {
    for (size_t i = 0; i < values.drafts.size(); ++i) {
      Draft& draft = values.drafts[i];
      if (draft.literal.has_value()) draft.value.offset = block.OffsetOf(*place++);
      block.Put(values.offset + i * sizeof(PackedValue), draft.value);
    }
  }
  const std::string& bytes = block.bytes();
  BANYAN_CHECK(bytes.size() < UINT32_MAX, "limits keep a rule far below 4 GiB");

  char* memory = static_cast<char*>(::operator new(bytes.size()));
  std::memcpy(memory + sizeof(PackedRule), bytes.data() + sizeof(PackedRule),
              bytes.size() - sizeof(PackedRule));
  auto* rule = new (memory) PackedRule;
  rule->bytes_ = static_cast<uint32_t>(bytes.size());
  rule->sub_rule_count_ = static_cast<uint32_t>(slots.size()) & 0x1fffffff;
  rule->input_ = static_cast<uint32_t>(parts.input) & 3;
  rule->has_extras_ = has_extras;
  rule->filing_count_ = static_cast<uint32_t>(plans.size());
  rule->text_size_ = static_cast<uint32_t>(text.size());
  rule->id_offset_ = block.OffsetOf(id_place);
  rule->id_size_ = static_cast<uint32_t>(parts.id.size());
  for (size_t i = 0; i < plans.size(); ++i) {
    const size_t offset = filings_offset + i * sizeof(Filing);
    auto* filing = new (memory + offset) Filing;
    filing->offset = static_cast<uint32_t>(offset);
    filing->place = plans[i].place;
    filing->place.slot = slots[filing->place.sub_rule];
    if (plans[i].range != nullptr) filing->place.key = static_cast<uint32_t>(range_offsets[i]);
  }
  BANYAN_CHECK(
      filings_offset == FilingsOffset(has_extras) &&
          rule->sub_rules().data() == reinterpret_cast<PackedSubRule*>(memory + sub_rules_offset),
      "the parts lie where readers look for them");
  if (has_extras) {
    new (memory + sizeof(PackedRule))
        Extras{.payload = std::move(parts.payload),
               .pattern = has_other ? std::move(parts.pattern) : nullptr};
  }
  return rule;
}

size_t PackedRule::bytes() const {
  const CompiledPattern* pattern = has_extras_ ? extras().pattern.get() : nullptr;
  if (pattern == nullptr) return bytes_;
  size_t bytes = bytes_ + sizeof(*pattern) + pattern->text().capacity();
  absl::flat_hash_set<const LeafSyntax*> seen;
  for (const SubRule& sub_rule : pattern->sub_rules()) {
    bytes += sizeof(sub_rule);
    for (const Condition& condition : sub_rule.conditions) {
      bytes += sizeof(condition) + condition.path.capacity();
      if (!seen.insert(condition.leaf.get()).second) continue;
      bytes += sizeof(*condition.leaf) + condition.leaf->text.capacity() +
               condition.leaf->values.capacity() * sizeof(ValuePattern);
    }
  }
  return bytes;
}

void PackedRule::Destroy(PackedRule* rule) {
  if (rule->has_extras_) rule->extras().~Extras();
  rule->~PackedRule();
  ::operator delete(rule);
}

}  // namespace banyan::inline v0_1::internal
