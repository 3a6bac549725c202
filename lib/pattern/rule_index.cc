// SPDX-License-Identifier: Apache-2.0
//
// lib/pattern/rule_index.cc -- floor 2: the writing half. rule_match.cc reads.
#include "pattern/rule_index.h"

#include <functional>
#include <optional>
#include <utility>

#include "base/check.h"
#include "pattern/rule_places.h"

namespace banyan::inline v0_1::internal {
namespace {

void DestroyRule(void* rule) { PackedRule::Destroy(static_cast<PackedRule*>(rule)); }

// Stands in Epochs for "no reader can still see this rule": it is time to take it out (I4).
void TakeOut(void*) { BANYAN_CHECK(false, "I4: a mark, not called"); }

uint32_t AlwaysKey(const PathNode& root, uint64_t need) {
  return LookupKey(root.key_base(), KeyKind::kAlways, need, 0);
}

}  // namespace

RuleIndex::RuleIndex(const Limits& limits)
    : limits_(limits),
      paths_(epochs_, Mix64(reinterpret_cast<uintptr_t>(this))),
      table_(epochs_),
      rules_(0, ById{paths_.json_root()->key_base()}) {
  json_key_ = AlwaysKey(*paths_.json_root(), kNeedsNoValue);
  attributes_key_ = AlwaysKey(*paths_.attributes_root(), kNeedsNoValue);
  unconditional_key_ = AlwaysKey(*paths_.json_root(), kNeedsNothing);
}

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
    Plans plans;
    PackedRule* made = Make(fresh, &plans);
    if (old != nullptr) rules_.erase(there);
    rules_.insert(made);
    Publish(made, plans, old);
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
    Publish(nullptr, {}, old);
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

PackedRule* RuleIndex::Make(const NewRule& fresh, Plans* plans_out) {
  PathNode* root =
      fresh.input == RuleInput::kAttributes ? paths_.attributes_root() : paths_.json_root();
  std::vector<std::vector<uint32_t>> paths;
  std::vector<uint32_t> slots;
  Plans& plans = *plans_out;
  const auto file_at_root = [&](uint64_t need) {
    Place& place = plans.emplace_back().place;
    place.path = root->id();
    place.kind = KeyKind::kAlways;
    place.key = AlwaysKey(*root, need);
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

void RuleIndex::Publish(PackedRule* added, const Plans& plans, PackedRule* removed) {
  const uint64_t next = version_.load(std::memory_order_relaxed) + 1;
  if (added != nullptr) {
    added->SetAdded(next);
    File(added, plans);
  }
  if (removed != nullptr) removed->SetRemoved(next);
  rule_count_.fetch_add((added != nullptr ? 1 : 0) - (removed != nullptr ? 1 : 0),
                        std::memory_order_relaxed);
  version_.store(next, std::memory_order_seq_cst);
  if (removed != nullptr) epochs_.Retire(removed, TakeOut, 0);
}

void RuleIndex::File(PackedRule* rule, const Plans& plans) {
  const absl::Span<Filing> filings = rule->filings();
  for (size_t i = 0; i < filings.size(); ++i) {
    Filing& filing = filings[i];
    const Place& place = filing.place;
    if (place.kind == KeyKind::kAlways) {
      table_.Add(place.key, &filing);
      continue;
    }
    // After the first filing of its kind readers look for it.
    PathNode* node = paths_.At(place.path);
    if (place.kind == KeyKind::kRange) {
      const PackedRange& range = rule->range_at(place.key);
      paths_.Ranges(node)->Insert(range.low, range.high, &filing);
      paths_.AddRange(node, place.kind, {range.low, range.high, &filing});
    } else if (place.kind == KeyKind::kNumber) {
      table_.Add(place.key, &filing);
      paths_.AddRange(node, place.kind, {plans[i].number, plans[i].number, &filing});
    } else {
      table_.Add(place.key, &filing);
      paths_.AddFiling(node, place.kind, place.length);
    }
  }
  if (rule->input() == RuleInput::kJson) json_rules_.fetch_add(1, std::memory_order_relaxed);
  if (rule->input() == RuleInput::kAttributes) {
    attribute_rules_.fetch_add(1, std::memory_order_relaxed);
  }
  rule_bytes_ += rule->bytes();
}

void RuleIndex::Unfile(PackedRule* rule) {
  for (Filing& filing : rule->filings()) {
    const Place& place = filing.place;
    if (place.kind == KeyKind::kAlways) {
      table_.Remove(place.key, &filing);
      continue;
    }
    PathNode* node = paths_.At(place.path);
    if (place.kind == KeyKind::kRange) {
      paths_.RemoveRange(node, place.kind, &filing);
      const PackedRange& range = rule->range_at(place.key);
      paths_.Ranges(node)->Remove(range.low, range.high, &filing);
    } else if (place.kind == KeyKind::kNumber) {
      paths_.RemoveRange(node, place.kind, &filing);
      table_.Remove(place.key, &filing);
    } else {
      paths_.RemoveFiling(node, place.kind, place.length);
      table_.Remove(place.key, &filing);
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
      rules_ = decltype(rules_)(0, rules_.hash_function());
      slots_ = NumberPool();
      paths_.ForgetIds();
    }
  }
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

}  // namespace banyan::inline v0_1::internal
