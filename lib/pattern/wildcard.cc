// SPDX-License-Identifier: Apache-2.0
#include "pattern/wildcard.h"

#include <algorithm>
#include <map>
#include <set>
#include <utility>

#include "base/strings.h"

namespace banyan::inline v0_1::internal {
namespace {

// A star among the bytes of a text: no UTF-8 contains this one.
constexpr char kStar = '\xFF';

// Byte strings as nodes of a tree: two equal strings are one node.
class StringTree {
 public:
  static constexpr size_t kRoot = 0;

  size_t Child(size_t node, char byte) {
    const auto [entry, is_new] = children_.try_emplace({node, byte}, parents_.size());
    if (is_new) parents_.push_back({node, byte});
    return entry->second;
  }
  // The node of the longest proper suffix that is in the tree. Called for short strings first.
  size_t LongestSuffix(size_t node, const std::vector<size_t>& suffix_of) const {
    const auto [parent, byte] = parents_[node];
    if (parent == kRoot) return kRoot;
    for (size_t at = suffix_of[parent];; at = suffix_of[at]) {
      const auto child = children_.find({at, byte});
      if (child != children_.end()) return child->second;
      if (at == kRoot) return kRoot;
    }
  }
  size_t size() const { return parents_.size(); }
  size_t parent(size_t node) const { return parents_[node].first; }

 private:
  std::map<std::pair<size_t, char>, size_t> children_;
  std::vector<std::pair<size_t, char>> parents_ = {{kRoot, '\0'}};
};

// The measure over those patterns whose first literal is a prefix of `start`.
size_t ComplexityFrom(std::string_view start,
                      const std::vector<std::vector<std::string>>& patterns) {
  std::map<std::string, size_t> stars;  // different prefixes that end in a star, numbered
  std::set<std::pair<size_t, size_t>>
      ends;  // the others: number of the last star, node of the rest
  StringTree tree;
  for (const std::vector<std::string>& literals : patterns) {
    if (!start.starts_with(literals[0])) continue;
    std::string prefix = literals[0];
    for (size_t i = 1; i < literals.size(); ++i) {
      prefix.push_back(kStar);
      const size_t star = stars.try_emplace(prefix, stars.size()).first->second;
      size_t node = StringTree::kRoot;
      for (const char c : literals[i]) {
        node = tree.Child(node, c);
        ends.emplace(star, node);
      }
      prefix += literals[i];
    }
  }
  // matched[n]: how many prefixes end in the string of n or in a suffix of it, so that a string
  // ending in n matches them all. Suffixes are shorter, so nodes go by length.
  std::vector<size_t> length(tree.size()), matched(tree.size()), suffix_of(tree.size());
  std::vector<size_t> order;
  for (size_t node = 1; node < tree.size(); ++node) {
    length[node] = length[tree.parent(node)] + 1;  // a parent is older than its children
    order.push_back(node);
  }
  std::stable_sort(order.begin(), order.end(),
                   [&length](size_t a, size_t b) { return length[a] < length[b]; });
  for (const auto& end : ends) ++matched[end.second];
  size_t most = 0;
  for (const size_t node : order) {
    suffix_of[node] = tree.LongestSuffix(node, suffix_of);
    matched[node] += matched[suffix_of[node]];
    most = std::max(most, matched[node]);
  }
  return stars.size() + most;
}

}  // namespace

std::optional<Wildcard> Wildcard::Parse(std::string_view text, std::string* error) {
  Wildcard wildcard;
  wildcard.literals_.emplace_back();
  for (size_t i = 0; i < text.size(); ++i) {
    // Positions are the service's: bytes, with the opening quote as number 0.
    if (text[i] == '*') {
      if (i > 0 && text[i - 1] == '*' && wildcard.literals_.back().empty()) {
        *error = StrCat("Consecutive wildcard characters at pos ", i);
        return std::nullopt;
      }
      wildcard.literals_.emplace_back();
      continue;
    }
    if (text[i] == '\\') {
      if (i + 1 == text.size() || (text[i + 1] != '*' && text[i + 1] != '\\')) {
        *error = StrCat("Invalid escape character at pos ", i + 1);
        return std::nullopt;
      }
      ++i;
    }
    wildcard.literals_.back().push_back(text[i]);
  }
  return wildcard;
}

bool Wildcard::Matches(std::string_view value) const {
  if (literals_.size() == 1) return value == literals_[0];
  const std::string& first = literals_.front();
  const std::string& last = literals_.back();
  if (value.size() < first.size() + last.size()) return false;
  if (!value.starts_with(first) || !value.ends_with(last)) return false;
  value.remove_prefix(first.size());
  value.remove_suffix(last.size());
  // Between the ends each literal may take the earliest place: that leaves most to the next ones.
  for (size_t i = 1; i + 1 < literals_.size(); ++i) {
    const size_t at = value.find(literals_[i]);
    if (at == std::string_view::npos) return false;
    value.remove_prefix(at + literals_[i].size());
  }
  return true;
}

size_t WildcardComplexity(absl::Span<const Wildcard* const> wildcards) {
  std::vector<std::vector<std::string>> patterns;
  std::set<std::string> starts;
  for (const Wildcard* wildcard : wildcards) {
    if (wildcard->literals().size() == 1) continue;
    std::vector<std::string>& literals = patterns.emplace_back(wildcard->literals());
    literals.front().insert(0, 1, '"');
    literals.back().push_back('"');
    starts.insert(literals.front());
  }
  size_t most = wildcards.empty() ? 0 : 1;
  for (const std::string& start : starts) most = std::max(most, ComplexityFrom(start, patterns));
  return most;
}

}  // namespace banyan::inline v0_1::internal
