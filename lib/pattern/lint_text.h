// SPDX-License-Identifier: Apache-2.0
//
// lib/pattern/lint_text.h -- floor 2: what is known about the strings that pass a test, without
// trying one.
//
//   {"wildcard": "ab*c"}   0 -a-> 1 -b-> 2 -c-> 3        (2 has a loop: any byte)
//   {"equals-ignore-case": "x1"}   0 -x|X-> 1 -1-> 2
//
// The strings of a test are the ways through a chain of states. Two questions are asked of two
// chains: is every string of this one a string of that one, and may they have a string in common?
//
// T1  An answer that makes a claim is proved: Implies() and Excludes() are true only if no string
//     contradicts them. "False" means "not proved", and is also the answer when the work would be
//     too much.
// T2  States are numbered so that an edge leads to a later state, or is a loop. The last state is
//     the only one where a string may end.
// T3  Implies() looks for a simulation: for each edge of the inner chain an edge of the outer one.
//     That proves inclusion, and misses some (`a*` and `a` together cover what neither does alone).
// T4  The chain of an address or block holds more strings than are addresses: it may stand for them
//     where a superset is sound (inner side of Implies, both sides of Excludes).
#ifndef BANYAN_LIB_PATTERN_LINT_TEXT_H_
#define BANYAN_LIB_PATTERN_LINT_TEXT_H_

#include <cstddef>
#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "absl/types/span.h"
#include "pattern/value_pattern.h"

namespace banyan::inline v0_1::internal {

// How much comparing a linter may still do. Not proved is always a sound answer, so running out is
// no error, but it must be said.
class LintBudget {
 public:
  explicit LintBudget(int64_t steps) : left_(steps) {}

  // False: there is not that much left, and from now on there is nothing.
  bool Spend(size_t steps) {
    left_ = static_cast<int64_t>(steps) <= left_ ? left_ - static_cast<int64_t>(steps) : -1;
    return left_ >= 0;
  }
  bool exhausted() const { return left_ < 0; }
  int64_t left() const { return left_ < 0 ? 0 : left_; }

 private:
  int64_t left_;
};

class TextShape {
 public:
  struct Bytes {  // from low to high
    unsigned char low;
    unsigned char high;
  };

  // Empty at first: the only string is "". Each call appends.
  TextShape& Then(std::string_view text);
  TextShape& ThenEither(std::string_view a, std::string_view b);  // neither is empty
  TextShape& ThenOneOf(absl::Span<const Bytes> bytes);
  TextShape& ThenAnyNumberOf(absl::Span<const Bytes> bytes);
  TextShape& ThenAnything();

  size_t size() const { return edges_.size(); }

  // Is every string of `inner` a string of `outer`? Proved, see T1.
  static bool Includes(const TextShape& outer, const TextShape& inner, LintBudget* budget);
  // Have they no string in common? Proved, see T1.
  static bool AreDisjoint(const TextShape& a, const TextShape& b, LintBudget* budget);

 private:
  struct Edge {
    uint32_t to;
    Bytes bytes;
  };
  void Add(uint32_t from, uint32_t to, Bytes bytes) { edges_[from].push_back({to, bytes}); }
  uint32_t last() const { return static_cast<uint32_t>(edges_.size() - 1); }

  std::vector<std::vector<Edge>> edges_ = std::vector<std::vector<Edge>>(1);  // by state
};

// A test and what is known about it.
class LintText {
 public:
  explicit LintText(const TextTest& test);

  const TextTest& test() const { return *test_; }
  // The only string that passes, if there is just one.
  const std::optional<std::string>& exact() const { return exact_; }
  // What every string that passes begins and ends with.
  const std::string& front() const { return front_; }
  const std::string& back() const { return back_; }
  // Made when first asked for. A superset for addresses (T4).
  const TextShape& shape() const;

  // Each string that passes this test passes the other one.
  bool Implies(const LintText& other, LintBudget* budget) const;
  // No string passes both.
  bool Excludes(const LintText& other, LintBudget* budget) const;
  // The same for the strings of a shape.
  bool HoldsFor(const TextShape& shape, LintBudget* budget) const;
  bool FailsFor(const TextShape& shape, LintBudget* budget) const;

 private:
  const TextTest* test_;  // in a leaf, which outlives the lint
  std::optional<std::string> exact_;
  std::string front_;
  std::string back_;
  mutable std::shared_ptr<const TextShape> shape_;
};

}  // namespace banyan::inline v0_1::internal

#endif  // BANYAN_LIB_PATTERN_LINT_TEXT_H_
