// SPDX-License-Identifier: Apache-2.0
//
// lib/pattern/rule_match.cc -- floor 2: the reading half of RuleIndex. rule_index.h says what
// holds.
//
//   Scan            text -> values -> keys         while it reads, entries of the table are fetched
//   FollowKeys      keys -> chains of filings      while it looks, rules are fetched
//   Verifier        filings -> candidates -> matched rules
//
// Each step begins with what the step before has asked the memory for. One event alone still waits
// for most of it; many events take each step together, kTogether at a time, and wait little.
#include "pattern/rule_index.h"

#include <algorithm>
#include <array>
#include <bit>
#include <functional>
#include <limits>
#include <optional>
#include <utility>

#include "base/check.h"
#include "pattern/element_search.h"
#include "pattern/event_walk.h"
#include "pattern/rule_places.h"

namespace banyan::inline v0_1::internal {
namespace {

// `literal` is in small letters, and the text at least as long.
bool EqualFolded(std::string_view literal, std::string_view text) {
  size_t i = 0;
  for (; literal.size() - i > 8; i += 8) {
    if (FoldAscii(Load64(text.data() + i)) != Load64(literal.data() + i)) return false;
  }
  const size_t rest = literal.size() - i;
  return FoldAscii(LoadUpTo8(text.data() + i, rest)) == LoadUpTo8(literal.data() + i, rest);
}

bool Passes(uint32_t op, std::string_view literal, std::string_view text) {
  if (literal.size() > text.size()) return false;
  switch (op) {
    case PackedValue::kText:
      return text == literal;
    case PackedValue::kPrefix:
      return text.starts_with(literal);
    case PackedValue::kSuffix:
      return text.ends_with(literal);
    case PackedValue::kFoldedText:
      return text.size() == literal.size() && EqualFolded(literal, text);
    case PackedValue::kFoldedPrefix:
      return EqualFolded(literal, text);
    default:
      return EqualFolded(literal, text.substr(text.size() - literal.size()));
  }
}

bool Satisfies(const PackedRule& rule, const PackedValue& wanted, FoundValue& value) {
  switch (wanted.op) {
    case PackedValue::kText:
    case PackedValue::kPrefix:
    case PackedValue::kSuffix:
    case PackedValue::kFoldedText:
    case PackedValue::kFoldedPrefix:
    case PackedValue::kFoldedSuffix: {
      const bool passes =
          value.kind == ValueKind::kString && Passes(wanted.op, rule.literal(wanted), value.text);
      return passes != (wanted.negated != 0);
    }
    case PackedValue::kNumber:
      return value.kind == ValueKind::kNumber && value.ReadNumber() &&
             value.number == rule.number(wanted) && value.Comparable();
    case PackedValue::kRange: {
      if (value.kind != ValueKind::kNumber || !value.ReadNumber()) return false;
      const PackedRange& range = rule.range(wanted);
      const double number = value.number;
      const bool above = range.low_included ? number >= range.low : number > range.low;
      const bool below = range.high_included ? number <= range.high : number < range.high;
      return above && below && value.Comparable();
    }
    case PackedValue::kTrue:
      return value.kind == ValueKind::kTrue;
    case PackedValue::kFalse:
      return value.kind == ValueKind::kFalse;
    case PackedValue::kNull:
      return value.kind == ValueKind::kNull;
    case PackedValue::kPresent:
      return true;
    case PackedValue::kAbsent:
      return false;
    default:
      return Matches(rule.other(wanted), value.kind, value.text);
  }
}

// For conditions with many values: texts and numbers are found, not tried one by one.
bool SatisfiesOneOfMany(const PackedRule& rule, absl::Span<const PackedValue> values,
                        FoundValue& value) {
  const auto group_end = [](const PackedValue* begin, const PackedValue* end, int group) {
    return std::partition_point(
        begin, end, [group](const PackedValue& wanted) { return wanted.group() <= group; });
  };
  const PackedValue* const end = values.data() + values.size();
  const PackedValue* const texts_end = group_end(values.data(), end, PackedValue::kTexts);
  const PackedValue* const numbers_end = group_end(texts_end, end, PackedValue::kNumbers);
  if (value.kind == ValueKind::kString) {
    const PackedValue* at =
        std::lower_bound(values.data(), texts_end, value.text,
                         [&rule](const PackedValue& wanted, std::string_view text) {
                           return rule.literal(wanted) < text;
                         });
    if (at != texts_end && rule.literal(*at) == value.text) return true;
  } else if (value.kind == ValueKind::kNumber && value.ReadNumber()) {
    const PackedValue* at = std::lower_bound(
        texts_end, numbers_end, value.number,
        [&rule](const PackedValue& wanted, double number) { return rule.number(wanted) < number; });
    if (at != numbers_end && Satisfies(rule, *at, value)) return true;
  }
  return std::any_of(numbers_end, end,
                     [&](const PackedValue& wanted) { return Satisfies(rule, wanted, value); });
}

bool Satisfies(const PackedRule& rule, const PackedCondition& condition, FoundValue& value) {
  if (condition.is_long) return SatisfiesOneOfMany(rule, rule.values(condition), value);
  for (const PackedValue& wanted : rule.values(condition)) {
    if (Satisfies(rule, wanted, value)) return true;
  }
  return false;
}

// An event that was not looked at for long lies far away. Its beginning, where most of what rules
// ask for stands, is fetched in one go, not line after line as the scan comes to it.
void Prefetch(const CheckedEvent& event) {
  constexpr size_t kLine = 64;
  constexpr size_t kFetchMax = 1024;
  __builtin_prefetch(event.outline().jumps.data());
  const std::string_view json = event.json();
  const size_t end = std::min(json.size(), kFetchMax);
  for (size_t i = 0; i < end; i += kLine) __builtin_prefetch(json.data() + i);
}

}  // namespace

// ---- The first half: what an event's values point to. It changes nothing but *found.

class RuleIndex::Scan {
 public:
  Scan(const RuleIndex& index, Found* found) : index_(index), found_(*found) { found_.Clear(); }

  void TakeUnconditional() { Note(index_.unconditional_key_); }

  void LookAt(const CheckedEvent& event) {
    Note(index_.json_key_);
    found_.event.ScanJson(event, index_.paths_.json_root(),
                          [this](const PathNode& node, FoundValue& value) { Ask(node, value); });
  }

  void LookAt(const Attributes& attributes) {
    Note(index_.attributes_key_);
    found_.event.ScanAttributes(
        attributes, index_.paths_.attributes_root(),
        [this](const PathNode& node, FoundValue& value) { Ask(node, value); });
  }

 private:
  // Looking up a key and going to what is filed there each wait for memory when there are many
  // rules. So what a key needs is fetched when the key is known, and looked at when all are.
  void Note(uint32_t key) {
    index_.table_.Prefetch(key);
    found_.keys.push_back(key);
    if (found_.keys.size() == kKeysMax) index_.FollowKeys(&found_);
  }

  void Ask(const PathNode& node, FoundValue& value) {
    ForEachKey(
        node, value, [this](uint32_t key) { Note(key); },
        [this, &node](const Access& access, double number) {
          if (access.few_ranges.empty()) {
            found_.numbers.push_back({access.ranges, number});
          } else {
            NoteInFewRanges(node, access, number);
          }
        });
  }

  void NoteInFewRanges(const PathNode& node, const Access& access, double number) {
    uint32_t bits = 0;
    uint32_t bit = 1;
    for (const Access::Range& range : access.few_ranges) {
      const bool is_in = (range.low <= number) & (number <= range.high);  // & : nothing to predict
      bits |= is_in ? bit : 0;
      bit <<= 1;
    }
    // A writer may have put another list in the place of the one before.
    ScannedEvent::RangesHit& hit = found_.event.ranges_hit(node.id());
    if (hit.listed_by != &access) hit = {.listed_by = &access, .bits = 0};
    for (uint32_t fresh = bits & ~hit.bits; fresh != 0; fresh &= fresh - 1) {
      const Access::Range& range = access.few_ranges[static_cast<size_t>(std::countr_zero(fresh))];
      found_.in_ranges.push_back(static_cast<const Filing*>(range.what));
    }
    hit.bits |= bits;
  }

  const RuleIndex& index_;
  Found& found_;
};

void RuleIndex::FollowKeys(Found* found) const {
  std::vector<Chain>& chains = found->chains;
  const size_t fetch_max = table_.IsLarge() ? kFetchAhead : 0;
  for (const uint32_t key : found->keys) {
    const Link* newest = table_.Find(key);
    if (newest == nullptr) continue;
    if (chains.size() < fetch_max) PackedRule::PrefetchAround(*newest);
    chains.push_back({key, newest});
  }
  found->keys.clear();
  if (chains.size() < found->chains_max) return;
  // A large event says the same again and again, and there are no more chains than rules have keys.
  std::sort(chains.begin(), chains.end(),
            [](const Chain& a, const Chain& b) { return std::less<>()(a.newest, b.newest); });
  chains.erase(std::unique(chains.begin(), chains.end(),
                           [](const Chain& a, const Chain& b) { return a.newest == b.newest; }),
               chains.end());
  found->chains_max = std::max(kKeysMax, 2 * chains.size());
}

// All numbers of a path at once, so that each range is looked at once however many there are.
void RuleIndex::LookIntoRanges(Found* found) {
  std::vector<Number>& numbers = found->numbers;
  if (numbers.size() > 1) {
    std::sort(numbers.begin(), numbers.end(), [](const Number& a, const Number& b) {
      return a.ranges != b.ranges ? std::less<>()(a.ranges, b.ranges) : a.number < b.number;
    });
  }
  const auto note = [found](void* what) {
    const auto* filing = static_cast<const Filing*>(what);
    if (found->in_ranges.size() < kFetchAhead) PackedRule::PrefetchAround(*filing);
    found->in_ranges.push_back(filing);
  };
  for (size_t begin = 0; begin < numbers.size();) {
    const RangeTree& ranges = *numbers[begin].ranges;
    std::vector<double>& sorted = found->sorted;
    sorted.clear();
    for (; begin < numbers.size() && numbers[begin].ranges == &ranges; ++begin) {
      if (sorted.empty() || sorted.back() != numbers[begin].number) {
        sorted.push_back(numbers[begin].number);
      }
    }
    if (sorted.size() == 1) {
      ranges.ForEach(sorted[0], note);
    } else {
      ranges.ForEachOfAny(sorted, note);
    }
  }
}

// ---- The second half: which of the rules there hold.

class RuleIndex::Verifier {
 public:
  Verifier(uint64_t version, Scratch* scratch, Found* found, std::atomic<int64_t>* given_up)
      : version_(version),
        scratch_(*scratch),
        found_(*found),
        few_(found->chains.size() + found->in_ranges.size() <= 2 ? kFewCandidates : 0),
        given_up_(*given_up) {
    scratch_.Clear();
  }

  // Oldest first.
  const std::vector<Scratch::Match>& Verdict() {
    WalkChains();
    for (const Filing* filing : found_.in_ranges) Consider(*filing);
    std::vector<Scratch::Match>& matched = scratch_.matched;
    for (const Scratch::Candidate& candidate : scratch_.candidates) {
      const PackedRule& rule = *candidate.rule;
      // One of several sub-rules is enough.
      uint32_t* matched_mark = nullptr;
      if (rule.sub_rules().size() > 1) {
        matched_mark = &StampOf(rule.sub_rules().front().slot);
        if (*matched_mark == scratch_.stamp + 1) continue;
      }
      if (!Holds(rule, *candidate.sub_rule)) continue;
      if (matched_mark != nullptr) *matched_mark = scratch_.stamp + 1;
      matched.push_back({.added = rule.added(), .rule = &rule});
    }
    SortMatched();
    return matched;
  }

 private:
  // By version, which is by age. Rules that were put one after the other have versions that lie
  // close together, and those sort themselves: each has a place of its own in a row of bits.
  void SortMatched() {
    using Match = Scratch::Match;
    std::vector<Match>& matched = scratch_.matched;
    if (matched.size() < 2) return;
    uint64_t first = PackedRule::kNever;
    uint64_t last = 0;
    bool is_sorted = true;
    for (const Match& match : matched) {
      is_sorted = is_sorted && match.added >= last;
      first = std::min(first, match.added);
      last = std::max(last, match.added);
    }
    if (is_sorted) return;
    constexpr size_t kPlaces = 256;
    if (last - first >= kPlaces) {
      std::sort(matched.begin(), matched.end(),
                [](const Match& a, const Match& b) { return a.added < b.added; });
      return;
    }
    std::array<const PackedRule*, kPlaces> places;
    std::array<uint64_t, kPlaces / 64> bits = {};
    for (const Match& match : matched) {
      const size_t place = match.added - first;
      places[place] = match.rule;
      bits[place / 64] |= uint64_t{1} << place % 64;
    }
    size_t count = 0;
    for (size_t word = 0; word <= (last - first) / 64; ++word) {
      for (uint64_t rest = bits[word]; rest != 0; rest &= rest - 1) {
        const size_t place = word * 64 + static_cast<size_t>(std::countr_zero(rest));
        matched[count++] = {.added = first + place, .rule = places[place]};
      }
    }
  }

  void WalkChains() {
    const std::vector<Chain>& chains = found_.chains;
    for (size_t i = 0; i < chains.size(); ++i) {
      if (i + kFetchAhead < chains.size()) {
        PackedRule::PrefetchAround(*chains[i + kFetchAhead].newest);
      }
      Walk(chains[i].key, chains[i].newest);
    }
  }

  void Walk(uint32_t key, const Link* link) {
    if (!scratch_.walked.empty() && scratch_.walked.contains(key)) return;
    int length = 0;
    for (; link != nullptr; link = link->next.load(std::memory_order_seq_cst)) {
      Consider(static_cast<const Filing&>(*link));
      ++length;
    }
    if (length > kLongChain) scratch_.walked.insert(key);  // I5
  }

  void Consider(const Filing& filing) {
    if (scratch_.candidates.size() < few_) {
      ConsiderAmongFew(filing);
      return;
    }
    uint32_t& stamp = StampOf(filing.place.slot);
    if (stamp >= scratch_.stamp) return;
    // Only visible rules stamp: the slots of those are theirs alone.
    const PackedRule& rule = PackedRule::Of(filing);
    if (!rule.VisibleAt(version_)) return;
    stamp = scratch_.stamp;
    scratch_.candidates.push_back({&rule, &rule.sub_rules()[filing.place.sub_rule]});
  }

  // The same without a stamp, which would have to be fetched from memory.
  void ConsiderAmongFew(const Filing& filing) {
    std::vector<Scratch::Candidate>& candidates = scratch_.candidates;
    const PackedRule& rule = PackedRule::Of(filing);
    const PackedSubRule* sub_rule = &rule.sub_rules()[filing.place.sub_rule];
    for (const Scratch::Candidate& known : candidates) {
      if (known.sub_rule == sub_rule) return;
    }
    if (!rule.VisibleAt(version_)) return;
    candidates.push_back({&rule, sub_rule});
    if (candidates.size() < few_) return;
    for (const Scratch::Candidate& known : candidates) {
      StampOf(known.sub_rule->slot) = scratch_.stamp;
    }
  }

  // Does the sub-rule hold (I2)? As match.h has it.
  bool Holds(const PackedRule& rule, const PackedSubRule& sub_rule) {
    const absl::Span<const PackedCondition> conditions = rule.conditions(sub_rule);
    if (conditions.size() == 1) {
      // The usual case, of which the loop below would make the same. Nothing chose an element, so
      // absence from one is no way out.
      const uint32_t first = found_.event.First(conditions[0].path);
      if (first == FoundValue::kNoMore) return conditions[0].accepts_absence;
      return AnySatisfies(rule, conditions[0], first);
    }
    int in_arrays = 0;
    bool is_open = false;  // a condition that only absence from the chosen elements can satisfy
    for (const PackedCondition& condition : conditions) {
      const uint32_t first = found_.event.First(condition.path);
      if (first == FoundValue::kNoMore) {
        if (!condition.accepts_absence) return false;
        continue;
      }
      const bool is_in_arrays = found_.event.InArrays(condition.path);
      in_arrays += is_in_arrays;
      if (AnySatisfies(rule, condition, first)) continue;
      if (!is_in_arrays || !condition.accepts_absence) return false;
      is_open = true;
    }
    // With one condition in arrays no element was chosen before, so its field is absent nowhere.
    if (in_arrays < 2) return !is_open;
    return HoldTogether(rule, conditions);
  }

  // Valid until the next call.
  uint32_t& StampOf(uint32_t slot) {
    std::vector<uint32_t>& stamps = scratch_.stamps;
    if (slot >= stamps.size()) stamps.resize(slot + slot / 2 + 16);
    return stamps[slot];
  }

  bool AnySatisfies(const PackedRule& rule, const PackedCondition& condition, uint32_t first) {
    // The sub-rules of an "$or" share their surroundings: asked once.
    if (rule.sub_rules().size() > 1 && found_.event.At(first).next != FoundValue::kNoMore) {
      const auto [known, is_new] =
          scratch_.leaves.try_emplace(rule.values(condition).data(), false);
      if (is_new) known->second = LookForOne(rule, condition, first);
      return known->second;
    }
    return LookForOne(rule, condition, first);
  }

  bool LookForOne(const PackedRule& rule, const PackedCondition& condition, uint32_t first) {
    for (uint32_t v = first; v != FoundValue::kNoMore; v = found_.event.At(v).next) {
      if (Satisfies(rule, condition, found_.event.At(v))) return true;
    }
    return false;
  }

  // Each condition may hold alone; two or more have fields in arrays.
  bool HoldTogether(const PackedRule& rule, absl::Span<const PackedCondition> conditions) {
    const std::optional<bool> simple = HoldInOneArray(rule, conditions);
    if (simple.has_value()) return *simple;
    ScannedEvent& event = found_.event;
    // What one rule may cost, and what all may: a hard question in one rule must not take the
    // answer from the others, nor many of them the thread.
    int64_t& spent = scratch_.searched[&rule];
    const int64_t allowed = std::min(kStepsMax - spent, scratch_.steps_left);
    int64_t steps = allowed;
    ElementSearch search(event.elements(), &steps);
    for (size_t c = 0; c < conditions.size(); ++c) {
      const PackedCondition& condition = conditions[c];
      const uint32_t first = event.First(condition.path);
      if (first == FoundValue::kNoMore || !event.InArrays(condition.path)) continue;
      std::vector<uint32_t>& satisfied = scratch_.elements;
      std::vector<uint32_t>& all = scratch_.other_elements;
      satisfied.clear();
      all.clear();
      for (uint32_t v = first; v != FoundValue::kNoMore; v = event.At(v).next) {
        FoundValue& value = event.At(v);
        if (Satisfies(rule, condition, value)) satisfied.push_back(value.element);
        if (condition.accepts_absence) all.push_back(value.element);
      }
      SortOnce(&satisfied);
      SortOnce(&all);
      search.Add(c, condition.accepts_absence, satisfied, all);
    }
    const ElementSearch::Answer answer = search.Run();
    spent += allowed - steps;
    scratch_.steps_left -= allowed - steps;
    if (answer == ElementSearch::Answer::kGaveUp) {
      given_up_.fetch_add(1, std::memory_order_relaxed);
    }
    return answer == ElementSearch::Answer::kYes;
  }

  // The usual case: all fields in question lie directly in the elements of one array of objects.
  // Then some element must satisfy all conditions. nullopt: it is not that case.
  std::optional<bool> HoldInOneArray(const PackedRule& rule,
                                     absl::Span<const PackedCondition> conditions) {
    ScannedEvent& event = found_.event;
    std::vector<uint32_t>& common = scratch_.elements;
    std::vector<uint32_t>& satisfied = scratch_.other_elements;
    common.clear();
    bool is_first = true;
    for (const PackedCondition& condition : conditions) {
      const uint32_t first = event.First(condition.path);
      if (first == FoundValue::kNoMore || !event.InArrays(condition.path)) continue;
      if (condition.accepts_absence) return std::nullopt;
      satisfied.clear();
      for (uint32_t v = first; v != FoundValue::kNoMore; v = event.At(v).next) {
        FoundValue& value = event.At(v);
        const ElementTable::Element& element = event.elements()[value.element];
        if (value.element == kOutside || element.parent != kOutside || element.array != 0) {
          return std::nullopt;
        }
        if (!Satisfies(rule, condition, value)) continue;
        if (satisfied.empty() || satisfied.back() != value.element) {
          satisfied.push_back(value.element);  // document order: ascending
        }
      }
      if (is_first) {
        common.swap(satisfied);
        is_first = false;
      } else {
        std::erase_if(common, [&satisfied, at = size_t{0}](uint32_t element) mutable {
          while (at < satisfied.size() && satisfied[at] < element) ++at;
          return at == satisfied.size() || satisfied[at] != element;
        });
      }
      if (common.empty()) return false;
    }
    return true;
  }

  const uint64_t version_;
  Scratch& scratch_;
  Found& found_;
  const size_t few_;  // up to so many candidates are told apart by looking at them
  std::atomic<int64_t>& given_up_;
};

// ---- Both

void RuleIndex::Found::Clear() {
  event.Clear();
  keys.clear();
  chains.clear();
  chains_max = kKeysMax;
  in_ranges.clear();
  numbers.clear();
}

void RuleIndex::Found::GiveBack() {
  event.GiveBack();
  Free(&keys);
  Free(&chains);
  Free(&in_ranges);
  Free(&numbers);
  Free(&sorted);
}

void RuleIndex::Scratch::Clear() {
  candidates.clear();
  matched.clear();
  walked.clear();
  leaves.clear();
  searched.clear();
  steps_left = kStepsOfAllMax;
  // Two values an event; 0 is for slots that were never tried.
  if (stamp > std::numeric_limits<uint32_t>::max() - 4) {
    std::fill(stamps.begin(), stamps.end(), 0);
    stamp = 0;
  }
  stamp += 2;
}

void RuleIndex::Scratch::GiveBack() {
  checked = EventChecker::Blank();
  Free(&candidates);
  Free(&matched);
  Free(&walked);
  Free(&elements);
  Free(&other_elements);
  Free(&leaves);
  Free(&searched);
}

size_t RuleIndex::Match(const Input& input, absl::FunctionRef<void(const PackedRule&)> visit,
                        Refusal* refused) const {
  return Moment(*this).Match(input, visit, refused);
}

size_t RuleIndex::Moment::Match(const Input& input,
                                absl::FunctionRef<void(const PackedRule&)> visit,
                                Refusal* refused) {
  Scratch& scratch = pin_.scratch().Get();
  Found& found = scratch.found.front();
  const bool has_json_rules = index_.json_rules_.load(std::memory_order_relaxed) > 0;
  const CheckedEvent* event = input.event;
  if (event == nullptr && input.json != nullptr && has_json_rules) {
    bool beyond_limits = false;
    if (scratch.checker.Check(*input.json, index_.limits_, &scratch.checked, nullptr,
                              &beyond_limits)) {
      event = &scratch.checked;
    } else if (refused != nullptr) {
      *refused = beyond_limits ? Refusal::kBeyondLimits : Refusal::kNoObject;
    }
  } else if (event != nullptr && has_json_rules) {
    Prefetch(*event);
  }
  Scan scan(index_, &found);
  scan.TakeUnconditional();
  if (event != nullptr && has_json_rules) scan.LookAt(*event);
  if (input.attributes != nullptr && !input.attributes->empty() &&
      index_.attribute_rules_.load(std::memory_order_relaxed) > 0) {
    scan.LookAt(*input.attributes);
  }
  index_.FollowKeys(&found);
  LookIntoRanges(&found);
  const size_t size = event == nullptr ? 0 : event->json().size();
  return Decide(&scratch, &found, size, visit);
}

size_t RuleIndex::Moment::Match(absl::Span<const CheckedEvent> events,
                                absl::FunctionRef<void(size_t, const PackedRule&)> visit) {
  Scratch& scratch = pin_.scratch().Get();
  const bool has_json_rules = index_.json_rules_.load(std::memory_order_relaxed) > 0;
  if (has_json_rules) {
    for (const CheckedEvent& event : events.first(std::min(events.size(), kTogether))) {
      Prefetch(event);
    }
  }
  size_t matches = 0;
  for (size_t begin = 0; begin < events.size(); begin += kTogether) {
    const size_t count = std::min(kTogether, events.size() - begin);
    for (size_t i = 0; i < count; ++i) {
      Scan scan(index_, &scratch.found[i]);
      scan.TakeUnconditional();
      if (!has_json_rules) continue;
      if (begin + i + kTogether < events.size()) Prefetch(events[begin + i + kTogether]);
      scan.LookAt(events[begin + i]);
    }
    for (size_t i = 0; i < count; ++i) {
      index_.FollowKeys(&scratch.found[i]);
      LookIntoRanges(&scratch.found[i]);
    }
    for (size_t i = 0; i < count; ++i) {
      matches += Decide(&scratch, &scratch.found[i], events[begin + i].json().size(),
                        [&visit, e = begin + i](const PackedRule& rule) { visit(e, rule); });
    }
  }
  return matches;
}

size_t RuleIndex::Moment::Decide(Scratch* scratch, Found* found, size_t event_bytes,
                                 absl::FunctionRef<void(const PackedRule&)> visit) {
  Verifier verifier(version_, scratch, found, &index_.searches_given_up_);
  const std::vector<Scratch::Match>& matched = verifier.Verdict();
  for (const Scratch::Match& match : matched) visit(*match.rule);
  const size_t count = matched.size();
  // A giant's memory is not kept for the next event, which may never come.
  if (event_bytes > kLargeEvent || found->event.IsLarge()) {
    found->GiveBack();
    scratch->GiveBack();
  }
  return count;
}

}  // namespace banyan::inline v0_1::internal
