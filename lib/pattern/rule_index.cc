// SPDX-License-Identifier: Apache-2.0
#include "pattern/rule_index.h"

#include <algorithm>
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

bool Satisfies(const PackedRule& rule, const PackedValue& wanted, FoundValue& value) {
  switch (wanted.op) {
    case PackedValue::kText:
      return value.kind == ValueKind::kString && value.text == rule.literal(wanted);
    case PackedValue::kPrefix:
      return value.kind == ValueKind::kString && value.text.starts_with(rule.literal(wanted));
    case PackedValue::kSuffix:
      return value.kind == ValueKind::kString && value.text.ends_with(rule.literal(wanted));
    case PackedValue::kNotText:
      return value.kind != ValueKind::kString || value.text != rule.literal(wanted);
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

bool Satisfies(const PackedRule& rule, const PackedCondition& condition, FoundValue& value) {
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
    Walk(LookupKey(root.id(), KeyKind::kAlways, kNeedsNoValue, 0));
    scratch_.event.ScanJson(event, root,
                            [this](const PathNode& node, FoundValue& value) { Ask(node, value); });
  }

  void LookAt(const Attributes& attributes) {
    const PathNode& root = index_.paths_.attributes_root();
    Walk(LookupKey(root.id(), KeyKind::kAlways, kNeedsNoValue, 0));
    scratch_.event.ScanAttributes(
        attributes, root, [this](const PathNode& node, FoundValue& value) { Ask(node, value); });
  }

  void TakeUnconditional() {
    Walk(LookupKey(index_.paths_.json_root().id(), KeyKind::kAlways, kNeedsNothing, 0));
  }

  // Oldest first.
  const std::vector<const PackedRule*>& Verdict() {
    for (const Scratch::Candidate& candidate : scratch_.candidates) {
      uint32_t& stamp = StampOf(candidate.rule->sub_rules().front().slot);
      if (stamp == scratch_.stamp + 1) continue;
      if (!Holds(*candidate.rule, *candidate.sub_rule)) continue;
      stamp = scratch_.stamp + 1;
      scratch_.matched.push_back(candidate.rule);
    }
    std::vector<const PackedRule*>& matched = scratch_.matched;
    // A chain begins with its newest filing, so turning the list round often is all.
    std::reverse(matched.begin(), matched.end());
    const auto older = [](const PackedRule* a, const PackedRule* b) {
      return a->added() < b->added();
    };
    if (!std::is_sorted(matched.begin(), matched.end(), older)) {
      std::sort(matched.begin(), matched.end(), older);
    }
    return matched;
  }

 private:
  void Ask(const PathNode& node, FoundValue& value) {
    ForEachKey(
        node, value, [this](uint64_t key) { Walk(key); },
        [this](const Filing& filing) { Consider(filing); });
  }

  void Walk(uint64_t key) {
    const Link* link = index_.table_.Find(key);
    if (link == nullptr) return;
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
    ElementSearch search(event.elements());
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
    return search.Run() == ElementSearch::Answer::kYes;
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
        const auto end = std::set_intersection(common.begin(), common.end(), satisfied.begin(),
                                               satisfied.end(), common.begin());
        common.erase(end, common.end());
      }
      if (common.empty()) return false;
    }
    return true;
  }

  const RuleIndex& index_;
  const uint64_t version_;
  Scratch& scratch_;
};

size_t RuleIndex::Match(const Input& input, absl::FunctionRef<void(const PackedRule&)> visit,
                        bool* refused) const {
  return Moment(*this).Match(input, visit, refused);
}

size_t RuleIndex::Moment::Match(const Input& input,
                                absl::FunctionRef<void(const PackedRule&)> visit, bool* refused) {
  Scratch& scratch = pin_.scratch().Get();
  const CheckedEvent* event = input.event;
  if (event == nullptr && input.json != nullptr &&
      index_.json_rules_.load(std::memory_order_relaxed) > 0) {
    if (scratch.checker.Check(*input.json, index_.limits_, &scratch.checked)) {
      event = &scratch.checked;
    } else if (refused != nullptr) {
      *refused = true;
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
  const std::vector<const PackedRule*>& matched = reader.Verdict();
  for (const PackedRule* rule : matched) visit(*rule);
  return matched.size();
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

RuleIndex::RuleIndex(const Limits& limits) : limits_(limits), paths_(epochs_), table_(epochs_) {}

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

bool RuleIndex::Put(const NewRule& fresh) {
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

bool RuleIndex::Remove(std::string_view id) {
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

void RuleIndex::Close() {
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

size_t RuleIndex::MemoryBytes() {
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
    place.key = LookupKey(root->id(), KeyKind::kAlways, need, 0);
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
        ids.push_back(paths_.Refer(root, condition.path)->id());
        std::optional<Places> found = PlacesOf(condition, ids.back());
        if (!found.has_value()) continue;
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
      rules_ = {};
      slots_ = NumberPool();
      paths_.ForgetIds();
    }
  }
}

}  // namespace banyan::inline v0_1::internal
