// SPDX-License-Identifier: Apache-2.0
#include "pattern/rule_index.h"

#include <algorithm>
#include <array>
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

// Filed under these of the two roots.
constexpr uint64_t kNeedsNoValue = 0;
constexpr uint64_t kNeedsNothing = 1;

void DestroyRule(void* rule) { PackedRule::Destroy(static_cast<PackedRule*>(rule)); }

// Stands in Epochs for "no reader can still see this rule": it is time to take it out (I4).
void TakeOut(void*) { BANYAN_CHECK(false, "I4: a mark, not called"); }

// `literal` is in small letters.
bool EqualFolded(std::string_view literal, std::string_view text) {
  for (size_t i = 0; i < literal.size(); ++i) {
    if (FoldAscii(text[i]) != literal[i]) return false;
  }
  return true;
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

}  // namespace

// ---- Reading

// An event that was not looked at for long lies far away. Its beginning, where most of what rules
// ask for stands, is fetched in one go, not line after line as the scan comes to it.
void Prefetch(const CheckedEvent& event) {
  constexpr size_t kLine = 64;
  constexpr size_t kFetchMax = 1024;
  const std::string_view json = event.json();
  const size_t end = std::min(json.size(), kFetchMax);
  for (size_t i = 0; i < end; i += kLine) __builtin_prefetch(json.data() + i);
}

// One look at one event.
class RuleIndex::Reader {
 public:
  Reader(const RuleIndex& index, uint64_t version, Scratch* scratch)
      : index_(index), version_(version), scratch_(*scratch) {
    scratch_.event.Clear();
    scratch_.candidates.clear();
    scratch_.matched.clear();
    scratch_.walked.clear();
    scratch_.numbers.clear();
    scratch_.leaves.clear();
    scratch_.searched.clear();
    scratch_.steps_left = kStepsOfAllMax;
    // Two values an event; 0 is for slots that were never tried.
    if (scratch_.stamp > std::numeric_limits<uint32_t>::max() - 4) {
      std::fill(scratch_.stamps.begin(), scratch_.stamps.end(), 0);
      scratch_.stamp = 0;
    }
    scratch_.stamp += 2;
  }

  void LookAt(const CheckedEvent& event) {
    Prefetch(event);
    const PathNode& root = index_.paths_.json_root();
    Note(LookupKey(root.key_base(), KeyKind::kAlways, kNeedsNoValue, 0));
    scratch_.event.ScanJson(event, root,
                            [this](const PathNode& node, FoundValue& value) { Ask(node, value); });
  }

  void LookAt(const Attributes& attributes) {
    const PathNode& root = index_.paths_.attributes_root();
    Note(LookupKey(root.key_base(), KeyKind::kAlways, kNeedsNoValue, 0));
    scratch_.event.ScanAttributes(
        attributes, root, [this](const PathNode& node, FoundValue& value) { Ask(node, value); });
  }

  void TakeUnconditional() {
    Note(LookupKey(index_.paths_.json_root().key_base(), KeyKind::kAlways, kNeedsNothing, 0));
  }

  // Oldest first.
  const std::vector<Scratch::Match>& Verdict() {
    WalkNoted();
    LookIntoRanges();
    std::vector<Scratch::Match>& matched = scratch_.matched;
    for (const Scratch::Candidate& candidate : scratch_.candidates) {
      uint32_t& stamp = StampOf(candidate.rule->sub_rules().front().slot);
      if (stamp == scratch_.stamp + 1) continue;
      if (!Holds(*candidate.rule, *candidate.sub_rule)) continue;
      stamp = scratch_.stamp + 1;
      matched.push_back({.added = candidate.rule->added(), .rule = candidate.rule});
    }
    // A chain begins with its newest filing, so turning the list round often is all.
    std::reverse(matched.begin(), matched.end());
    const auto older = [](const Scratch::Match& a, const Scratch::Match& b) {
      return a.added < b.added;
    };
    if (!std::is_sorted(matched.begin(), matched.end(), older)) {
      std::sort(matched.begin(), matched.end(), older);
    }
    return matched;
  }

 private:
  void Ask(const PathNode& node, FoundValue& value) {
    ForEachKey(
        node, value, [this](uint64_t key) { Note(key); },
        [this](const RangeTree& ranges, double number) {
          scratch_.numbers.push_back({&ranges, number});
        });
  }

  // Looking up a key and going to what is filed there each wait for memory when there are many
  // rules. So keys are collected while the scan goes on, and what they lead to is fetched for all
  // of them before the first is visited.
  void Note(uint64_t key) {
    if (noted_ == keys_.size()) WalkNoted();
    index_.table_.Prefetch(key);
    keys_[noted_++] = key;
  }

  void WalkNoted() {
    struct Chain {
      uint64_t key;
      const Link* link;
    };
    std::array<Chain, kNotedMax> chains;
    size_t count = 0;
    for (size_t i = 0; i < noted_; ++i) {
      const Link* link = index_.table_.Find(keys_[i]);
      if (link == nullptr) continue;
      PackedRule::PrefetchAround(*link);
      chains[count++] = {keys_[i], link};
    }
    noted_ = 0;
    for (size_t i = 0; i < count; ++i) Walk(chains[i].key, chains[i].link);
  }

  // All numbers of a path at once, so that each range is looked at once however many there are.
  void LookIntoRanges() {
    std::vector<Scratch::Number>& numbers = scratch_.numbers;
    if (numbers.size() > 1) {
      std::sort(
          numbers.begin(), numbers.end(), [](const Scratch::Number& a, const Scratch::Number& b) {
            return a.ranges != b.ranges ? std::less<>()(a.ranges, b.ranges) : a.number < b.number;
          });
    }
    const auto consider = [this](void* what) { Consider(*static_cast<const Filing*>(what)); };
    for (size_t begin = 0; begin < numbers.size();) {
      const RangeTree& ranges = *numbers[begin].ranges;
      std::vector<double>& sorted = scratch_.sorted;
      sorted.clear();
      for (; begin < numbers.size() && numbers[begin].ranges == &ranges; ++begin) {
        if (sorted.empty() || sorted.back() != numbers[begin].number) {
          sorted.push_back(numbers[begin].number);
        }
      }
      if (sorted.size() == 1) {
        ranges.ForEach(sorted[0], consider);
      } else {
        ranges.ForEachOfAny(sorted, consider);
      }
    }
  }

  void Walk(uint64_t key, const Link* link) {
    if (!scratch_.walked.empty() && scratch_.walked.contains(key)) return;
    int length = 0;
    for (; link != nullptr; link = link->next.load(std::memory_order_seq_cst)) {
      Consider(*reinterpret_cast<const Filing*>(link));
      ++length;
    }
    if (length > kLongChain) scratch_.walked.insert(key);  // I5
  }

  void Consider(const Filing& filing) {
    const uint32_t slot = filing.place.slot;
    uint32_t& stamp = StampOf(slot);
    if (stamp >= scratch_.stamp) return;
    // Only visible rules stamp: the slots of those are theirs alone.
    const PackedRule& rule = PackedRule::Of(filing);
    if (!rule.VisibleAt(version_)) return;
    stamp = scratch_.stamp;
    scratch_.candidates.push_back({&rule, &rule.sub_rules()[filing.place.sub_rule]});
  }

  // Does the sub-rule hold (I2)? As match.h has it.
  bool Holds(const PackedRule& rule, const PackedSubRule& sub_rule) {
    const absl::Span<const PackedCondition> conditions = rule.conditions(sub_rule);
    int in_arrays = 0;
    bool is_open = false;  // a condition that only absence from the chosen elements can satisfy
    for (const PackedCondition& condition : conditions) {
      const uint32_t first = scratch_.event.First(condition.path);
      if (first == FoundValue::kNoMore) {
        if (!condition.accepts_absence) return false;
        continue;
      }
      const bool is_in_arrays = scratch_.event.InArrays(condition.path);
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
    if (rule.sub_rules().size() > 1 && scratch_.event.At(first).next != FoundValue::kNoMore) {
      const auto [known, is_new] =
          scratch_.leaves.try_emplace(rule.values(condition).data(), false);
      if (is_new) known->second = LookForOne(rule, condition, first);
      return known->second;
    }
    return LookForOne(rule, condition, first);
  }

  bool LookForOne(const PackedRule& rule, const PackedCondition& condition, uint32_t first) {
    for (uint32_t v = first; v != FoundValue::kNoMore; v = scratch_.event.At(v).next) {
      if (Satisfies(rule, condition, scratch_.event.At(v))) return true;
    }
    return false;
  }

  // Each condition may hold alone; two or more have fields in arrays.
  bool HoldTogether(const PackedRule& rule, absl::Span<const PackedCondition> conditions) {
    const std::optional<bool> simple = HoldInOneArray(rule, conditions);
    if (simple.has_value()) return *simple;
    ScannedEvent& event = scratch_.event;
    // What one rule may cost, and what all may: a hard question in one rule must not take the answer
    // from the others, nor many of them the thread.
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
      index_.searches_given_up_.fetch_add(1, std::memory_order_relaxed);
    }
    return answer == ElementSearch::Answer::kYes;
  }

  // The usual case: all fields in question lie directly in the elements of one array of objects.
  // Then some element must satisfy all conditions. nullopt: it is not that case.
  std::optional<bool> HoldInOneArray(const PackedRule& rule,
                                     absl::Span<const PackedCondition> conditions) {
    ScannedEvent& event = scratch_.event;
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

  static constexpr size_t kNotedMax = 64;

  const RuleIndex& index_;
  const uint64_t version_;
  Scratch& scratch_;
  std::array<uint64_t, kNotedMax> keys_;  // the first noted_
  size_t noted_ = 0;
};

void RuleIndex::Scratch::GiveBack() {
  event.GiveBack();
  checked = EventChecker::Blank();
  Free(&candidates);
  Free(&matched);
  Free(&walked);
  Free(&elements);
  Free(&other_elements);
  Free(&numbers);
  Free(&sorted);
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
  const CheckedEvent* event = input.event;
  if (event == nullptr && input.json != nullptr &&
      index_.json_rules_.load(std::memory_order_relaxed) > 0) {
    bool beyond_limits = false;
    if (scratch.checker.Check(*input.json, index_.limits_, &scratch.checked, nullptr,
                              &beyond_limits)) {
      event = &scratch.checked;
    } else if (refused != nullptr) {
      *refused = beyond_limits ? Refusal::kBeyondLimits : Refusal::kNoObject;
    }
  }
  Reader reader(index_, version_, &scratch);
  reader.TakeUnconditional();
  if (event != nullptr && index_.json_rules_.load(std::memory_order_relaxed) > 0)
    reader.LookAt(*event);
  if (input.attributes != nullptr && !input.attributes->empty() &&
      index_.attribute_rules_.load(std::memory_order_relaxed) > 0) {
    reader.LookAt(*input.attributes);
  }
  const std::vector<Scratch::Match>& matched = reader.Verdict();
  for (const Scratch::Match& match : matched) visit(*match.rule);
  const size_t count = matched.size();
  // A giant's memory is not kept for the next event, which may never come.
  if ((event != nullptr && event->json().size() > kLargeEvent) || scratch.event.IsLarge()) {
    scratch.GiveBack();
  }
  return count;
}

void RuleIndex::ForEachRule(absl::FunctionRef<void(const PackedRule&)> visit) const {
  const Readers::Pin pin(epochs_);
  std::vector<const PackedRule*> rules;
  {
    MutexLock lock(&mu_);
    rules.assign(rules_.begin(), rules_.end());
  }
  for (const PackedRule* rule : rules) visit(*rule);
}

// ---- Writing

RuleIndex::RuleIndex(const Limits& limits)
    : limits_(limits), paths_(epochs_, Mix64(reinterpret_cast<uintptr_t>(this))), table_(epochs_) {}

RuleIndex::~RuleIndex() {
  std::vector<Retired> dead;
  {
    MutexLock lock(&mu_);
    Tidy(&dead);
    for (PackedRule* rule : rules_) {
      Unfile(rule);
      dead.push_back({rule, DestroyRule});
    }
    rules_.clear();
    epochs_.Collect(&dead);  // what Unfile() left
  }
  for (const Retired& gone : dead) gone.destroy(gone.object);
}

bool RuleIndex::Put(const NewRule& fresh) noexcept {
  std::vector<Retired> dead;
  {
    MutexLock lock(&mu_);
    const auto there = rules_.find(fresh.id);
    PackedRule* old = there == rules_.end() ? nullptr : *there;
    if (old == nullptr && static_cast<int64_t>(rules_.size()) >= limits_.pattern.rules_max) {
      return false;
    }
    PackedRule* made = Make(fresh);
    if (old != nullptr) rules_.erase(there);
    rules_.insert(made);
    Publish(made, old);
    Tidy(&dead);
  }
  for (const Retired& gone : dead) gone.destroy(gone.object);
  return true;
}

bool RuleIndex::Remove(std::string_view id) noexcept {
  std::vector<Retired> dead;
  {
    MutexLock lock(&mu_);
    const auto there = rules_.find(id);
    if (there == rules_.end()) return false;
    PackedRule* old = *there;
    rules_.erase(there);
    Publish(nullptr, old);
    Tidy(&dead);
  }
  for (const Retired& gone : dead) gone.destroy(gone.object);
  return true;
}

void RuleIndex::Close() noexcept {
  std::vector<Retired> dead;
  {
    MutexLock lock(&mu_);
    const uint64_t next = version_.load(std::memory_order_relaxed) + 1;
    closed_at_.store(next, std::memory_order_relaxed);
    for (PackedRule* rule : rules_) rule->SetRemoved(next);
    rule_count_.store(0, std::memory_order_relaxed);
    version_.store(next, std::memory_order_seq_cst);
    for (PackedRule* rule : rules_) epochs_.Retire(rule, TakeOut, 0);
    rules_.clear();
    Tidy(&dead);
  }
  for (const Retired& gone : dead) gone.destroy(gone.object);
}

size_t RuleIndex::MemoryBytes() noexcept {
  std::vector<Retired> dead;
  size_t bytes = sizeof(*this);
  {
    MutexLock lock(&mu_);
    Tidy(&dead);
    bytes += rule_bytes_ + paths_.bytes() + table_.bytes() + slots_.bytes() +
             rules_.capacity() * (sizeof(PackedRule*) + 1) + epochs_.retired_bytes();
  }
  for (const Retired& gone : dead) gone.destroy(gone.object);
  return bytes;
}

PackedRule* RuleIndex::Make(const NewRule& fresh) {
  PathNode* root =
      fresh.input == RuleInput::kAttributes ? paths_.attributes_root() : paths_.json_root();
  std::vector<std::vector<uint32_t>> paths;
  std::vector<uint32_t> slots;
  std::vector<PackedRule::Plan> plans;
  const auto file_at_root = [&](uint64_t need) {
    Place& place = plans.emplace_back().place;
    place.path = root->id();
    place.kind = KeyKind::kAlways;
    place.key = LookupKey(root->key_base(), KeyKind::kAlways, need, 0);
    place.sub_rule = static_cast<uint32_t>(slots.size()) - 1;
  };
  if (fresh.pattern == nullptr) {
    paths.emplace_back();
    slots.push_back(slots_.Take());
    file_at_root(kNeedsNothing);
  } else {
    for (const SubRule& sub_rule : fresh.pattern->sub_rules()) {
      std::vector<uint32_t>& ids = paths.emplace_back();
      slots.push_back(slots_.Take());
      std::optional<Places> best;
      for (const Condition& condition : sub_rule.conditions) {
        const PathNode* node = paths_.Refer(root, condition.path);
        ids.push_back(node->id());
        std::optional<Places> found = PlacesOf(condition, *node);
        if (!found.has_value()) continue;
        if (plans.size() + found->plans.size() > kFilingsMax) {
          // "$or" times long lists: one place for all values of the path, or the rule would be
          // thousands of times its text.
          found = Places{.plans = {PlaceOfAnyValue(*node)}, .cost = kCostOfAnyValue};
        }
        for (const PackedRule::Plan& plan : found->plans) {
          if (plan.range == nullptr) found->cost += table_.Crowd(plan.place.key);
        }
        if (!best.has_value() || found->cost < best->cost) best = std::move(found);
      }
      if (!best.has_value()) {
        file_at_root(kNeedsNoValue);
        continue;
      }
      for (PackedRule::Plan& plan : best->plans) {
        plan.place.sub_rule = static_cast<uint32_t>(slots.size()) - 1;
        plans.push_back(plan);
      }
    }
  }
  return PackedRule::Make({.input = fresh.input,
                           .pattern = fresh.pattern,
                           .id = fresh.id,
                           .keep_text = fresh.keep_text,
                           .payload = fresh.payload},
                          paths, slots, plans);
}

void RuleIndex::Publish(PackedRule* added, PackedRule* removed) {
  const uint64_t next = version_.load(std::memory_order_relaxed) + 1;
  if (added != nullptr) {
    added->SetAdded(next);
    File(added);
  }
  if (removed != nullptr) removed->SetRemoved(next);
  rule_count_.fetch_add((added != nullptr ? 1 : 0) - (removed != nullptr ? 1 : 0),
                        std::memory_order_relaxed);
  version_.store(next, std::memory_order_seq_cst);
  if (removed != nullptr) epochs_.Retire(removed, TakeOut, 0);
}

void RuleIndex::File(PackedRule* rule) {
  for (Filing& filing : rule->filings()) {
    if (filing.place.kind == KeyKind::kAlways) {
      table_.Add(filing.place.key, &filing.link);
      continue;
    }
    PathNode* node = paths_.At(filing.place.path);
    if (filing.place.kind == KeyKind::kRange) {
      const PackedRange& range = rule->range_at(filing.place.key);
      paths_.Ranges(node)->Insert(range.low, range.high, &filing);
    } else {
      table_.Add(filing.place.key, &filing.link);
    }
    // After the first filing of its kind readers look for it.
    paths_.AddFiling(node, filing.place.kind, filing.place.length);
  }
  if (rule->input() == RuleInput::kJson) json_rules_.fetch_add(1, std::memory_order_relaxed);
  if (rule->input() == RuleInput::kAttributes) {
    attribute_rules_.fetch_add(1, std::memory_order_relaxed);
  }
  rule_bytes_ += rule->bytes();
}

void RuleIndex::Unfile(PackedRule* rule) {
  for (Filing& filing : rule->filings()) {
    if (filing.place.kind == KeyKind::kAlways) {
      table_.Remove(filing.place.key, &filing.link);
      continue;
    }
    PathNode* node = paths_.At(filing.place.path);
    paths_.RemoveFiling(node, filing.place.kind, filing.place.length);
    if (filing.place.kind == KeyKind::kRange) {
      const PackedRange& range = rule->range_at(filing.place.key);
      paths_.Ranges(node)->Remove(range.low, range.high, &filing);
    } else {
      table_.Remove(filing.place.key, &filing.link);
    }
  }
  for (const PackedSubRule& sub_rule : rule->sub_rules()) {
    for (const PackedCondition& condition : rule->conditions(sub_rule)) {
      paths_.Release(paths_.At(condition.path));
    }
    slots_.GiveBack(sub_rule.slot);
  }
  if (rule->input() == RuleInput::kJson) json_rules_.fetch_sub(1, std::memory_order_relaxed);
  if (rule->input() == RuleInput::kAttributes) {
    attribute_rules_.fetch_sub(1, std::memory_order_relaxed);
  }
  rule_bytes_ -= rule->bytes();
}

void RuleIndex::Tidy(std::vector<Retired>* dead) {
  std::vector<Retired> ready;
  epochs_.Collect(&ready);
  while (!ready.empty()) {
    bool again = false;
    for (const Retired& gone : ready) {
      if (gone.destroy != TakeOut) {
        dead->push_back(gone);
        continue;
      }
      auto* rule = static_cast<PackedRule*>(gone.object);
      Unfile(rule);
      epochs_.Retire(rule, DestroyRule, rule->bytes());
      again = true;
    }
    ready.clear();
    if (again) epochs_.Collect(&ready);
    if (again && rule_bytes_ == 0) {
      // As good as new: what was sized for many rules goes with the last.
      Free(&rules_);
      slots_ = NumberPool();
      paths_.ForgetIds();
    }
  }
}

}  // namespace banyan::inline v0_1::internal
