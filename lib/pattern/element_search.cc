// SPDX-License-Identifier: Apache-2.0
#include "pattern/element_search.h"

#include <algorithm>

#include "base/check.h"

namespace banyan::inline v0_1::internal {

void SortOnce(std::vector<uint32_t>* elements) {
  std::sort(elements->begin(), elements->end());
  elements->erase(std::unique(elements->begin(), elements->end()), elements->end());
}

ElementTree::ElementTree(const ElementTable& table, const std::vector<uint32_t>& targets) {
  std::vector<uint32_t> involved = targets;
  absl::flat_hash_set<uint32_t> seen;
  for (const uint32_t target : targets) {
    for (uint32_t e = target; seen.insert(e).second && e != kOutside;) {
      e = table[e].parent;
      involved.push_back(e);
    }
  }
  SortOnce(&involved);
  elements_ = std::move(involved);
  for (const uint32_t e : elements_) {
    if (e == kOutside) continue;
    const ElementTable::Element& element = table[e];
    std::vector<Fork>& forks = forks_[element.parent];
    // Document order: the involved elements of one array follow each other among their siblings.
    if (forks.empty() || forks.back().array != element.array) {
      forks.push_back({.array = element.array, .elements = {}});
    }
    forks.back().elements.push_back(e);
  }
  is_target_.assign(elements_.size(), false);
  for (const uint32_t target : targets) is_target_[IndexOf(target)] = true;
}

size_t ElementTree::IndexOf(uint32_t e) const {
  return static_cast<size_t>(std::lower_bound(elements_.begin(), elements_.end(), e) -
                             elements_.begin());
}

template <typename Visit>
bool ElementTree::AnyConsistent(const std::vector<uint32_t>& pins, int64_t* steps,
                                const Visit& visit) const {
  if (elements_.empty()) return false;
  std::vector<uint32_t> open = {kOutside};
  while (!open.empty()) {
    if (--*steps <= 0) return false;
    const uint32_t e = open.back();
    open.pop_back();
    if (is_target_[IndexOf(e)] && visit(e)) return true;
    const auto forks = forks_.find(e);
    if (forks == forks_.end()) continue;
    for (const Fork& fork : forks->second) {
      const uint32_t pin = pins[fork.array];
      if (pin == kOutside) {
        open.insert(open.end(), fork.elements.rbegin(), fork.elements.rend());
      } else if (std::binary_search(fork.elements.begin(), fork.elements.end(), pin)) {
        open.push_back(pin);
      }
    }
  }
  return false;
}

void ElementSearch::Add(size_t index, bool accepts_absence, const std::vector<uint32_t>& satisfied,
                        const std::vector<uint32_t>& all) {
  Step step{.index = index,
            .accepts_absence = accepts_absence,
            .choices = ElementTree(table_, satisfied),
            .all = ElementTree(table_, all)};
  steps_left_ -=
      static_cast<int64_t>(4 * (step.choices.elements().size() + step.all.elements().size()));
  for (const ElementTree* tree : {&step.choices, &step.all}) {
    for (const uint32_t e : tree->elements()) {
      if (e != kOutside) last_use_[table_[e].array] = steps_.size();
    }
  }
  steps_.push_back(std::move(step));
}

ElementSearch::Answer ElementSearch::Run() {
  if (steps_left_ > 0 && From(0, {})) return Answer::kYes;
  return steps_left_ > 0 ? Answer::kNo : Answer::kGaveUp;
}

// Can the conditions from `s` on be satisfied beside the pins? `chosen` are the innermost
// elements that were pinned for the conditions before, as far as they were live then.
bool ElementSearch::From(size_t s, std::vector<uint32_t> chosen) {
  if (s == steps_.size()) return true;
  furthest_ = std::max(furthest_, s);
  const std::pair<size_t, std::vector<uint32_t>> state(s, LivePins(s, std::move(chosen)));
  if (dead_ends_.contains(state)) return false;
  const Step& step = steps_[s];
  const std::vector<uint32_t>& live = state.second;

  std::vector<uint32_t> choices;
  step.choices.AnyConsistent(pins_, &steps_left_, [&choices](uint32_t e) {
    choices.push_back(e);
    return false;
  });
  for (const uint32_t e : choices) {
    if (steps_left_ <= 0) return false;
    const size_t pinned_before = pinned_.size();
    Pin(e);
    std::vector<uint32_t> next = live;
    next.push_back(e);
    const bool found = From(s + 1, std::move(next));
    Unpin(pinned_before);
    if (found) return true;
  }
  if (step.accepts_absence &&
      !step.all.AnyConsistent(pins_, &steps_left_, [](uint32_t) { return true; }) &&
      steps_left_ > 0 && From(s + 1, live)) {
    return true;
  }
  if (steps_left_ > 0) dead_ends_.insert(state);
  return false;
}

// The chosen elements as far as conditions from `s` on can tell them apart (M2), innermost ones
// only.
std::vector<uint32_t> ElementSearch::LivePins(size_t s, std::vector<uint32_t> chosen) {
  steps_left_ -= static_cast<int64_t>(chosen.size()) + 1;
  for (uint32_t& e : chosen) {
    while (e != kOutside && last_use_[table_[e].array] < s) {
      e = table_[e].parent;
      --steps_left_;
    }
  }
  SortOnce(&chosen);
  size_t kept = 0;
  for (size_t i = 0; i < chosen.size(); ++i) {
    const bool is_around_next = i + 1 < chosen.size() && chosen[i + 1] <= table_[chosen[i]].last;
    if (chosen[i] != kOutside && !is_around_next) chosen[kept++] = chosen[i];
  }
  chosen.resize(kept);
  return chosen;
}

void ElementSearch::Pin(uint32_t e) {
  for (; e != kOutside; e = table_[e].parent) {
    uint32_t& pin = pins_[table_[e].array];
    if (pin == e) return;  // so are all around it
    BANYAN_DCHECK(pin == kOutside, "M1: a choice contradicts no pin");
    pin = e;
    pinned_.push_back(e);
    --steps_left_;
  }
}

void ElementSearch::Unpin(size_t keep) {
  for (; pinned_.size() > keep; pinned_.pop_back()) {
    pins_[table_[pinned_.back()].array] = kOutside;
  }
}

}  // namespace banyan::inline v0_1::internal
