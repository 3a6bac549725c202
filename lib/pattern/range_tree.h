// SPDX-License-Identifier: Apache-2.0
//
// lib/pattern/range_tree.h -- floor 2, the pattern room: which ranges of numbers hold this number?
// Read without a lock while one writer inserts and removes.
//
//   root_ --> inner | (1,9)..9 | (4,5)..7 |         least range and highest bound below
//                      /            \               (level 1)
//         leaf | (1,9) (2,3) |   | (4,5) (4,7) |    ranges by low, high, pointer
//                                                   (level 0)
//
// A B+-tree that is copied where it changes: what readers can reach never changes but for root_.
//
// R1  A node's ranges, and an inner node's branches, are in order and none twice.
// R2  A branch tells exactly the least range and the highest bound below it.
// R3  A node but the root has kLeast to kMost items; an inner root has two or more; no empty nodes.
//
// A search for x goes to the right until a branch begins above x, and down where the highest bound
// reaches x. Each node that it enters has an answer below it or lies on the one way down to x: with
// k answers it enters at most (k + 1) * height nodes, and few more than the k / kLeast leaves where
// answers lie together. The height for a million ranges is 4 or 5.
//
// A reader takes the root once, so it sees the tree of one moment. Replaced nodes are retired after
// the root is stored, seq_cst both ways (E1 of base/epoch.h); the pointers inside never change.
//
// Not a centred interval tree: its balance under insertion needs rotations that rebuild lists.
// Not intervals cut at each other's ends: one that spans all others would be filed n times.
//
// Bound     24 bytes for each range, about 4 for the nodes around it: nodes are as large as what is
//           in them.
// Threads   ForEach: any, with a pin. All else: one writer at a time, by a lock of the caller's.
#ifndef BANYAN_LIB_PATTERN_RANGE_TREE_H_
#define BANYAN_LIB_PATTERN_RANGE_TREE_H_

#include <algorithm>
#include <array>
#include <atomic>
#include <cstddef>
#include <cstdint>
#include <vector>

#include "absl/types/span.h"
#include "base/epoch.h"

namespace banyan::inline v0_1::internal {

class RangeTree {
 public:
  // `retirer` outlives the tree.
  explicit RangeTree(Retirer& retirer) : retirer_(retirer) {}
  ~RangeTree();  // no reader is left
  RangeTree(const RangeTree&) = delete;
  RangeTree& operator=(const RangeTree&) = delete;

  // Calls visit(what) for each range with low <= x <= high. For none if x is not a number.
  template <typename F>
  void ForEach(double x, F&& visit) const {
    const Node* root = root_.load(std::memory_order_seq_cst);
    if (root != nullptr) Visit(*root, x, visit);
  }

  // Calls visit(what), once, for each range in which at least one of the numbers lies. `sorted` is
  // ascending. However many numbers and ranges there are, each range is looked at once at most.
  template <typename F>
  void ForEachOfAny(absl::Span<const double> sorted, F&& visit) const {
    const Node* root = root_.load(std::memory_order_seq_cst);
    if (root != nullptr) VisitAny(*root, sorted, visit);
  }

  // Both bounds belong to the range, and may be infinite; low <= high. False: this very range with
  // this `what` is in the tree already.
  bool Insert(double low, double high, void* what);

  // False: there is no such range.
  bool Remove(double low, double high, void* what);

  size_t bytes() const { return bytes_; }

  // Walks everything and aborts if R1 to R3 do not hold. For tests.
  void CheckInvariants() const;

 private:
  static constexpr size_t kMost = 32;
  static constexpr size_t kLeast = 8;
  // Two nodes are made one only if that leaves room, so that the next insertion does not undo it.
  static constexpr size_t kMostJoined = 24;

  struct Node;

  struct Range {
    double low;
    double high;
    void* what;
  };

  struct Branch {
    Range least;
    double highest;
    Node* below;
  };

  // The items follow it in the same piece of memory: ranges in a leaf, else branches.
  struct alignas(Branch) Node {
    uint32_t level;  // above the leaves
    uint32_t count;

    template <typename Item>
    const Item* items() const {
      return reinterpret_cast<const Item*>(this + 1);
    }
    template <typename Item>
    Item* items() {
      return reinterpret_cast<Item*>(this + 1);
    }
  };

  // What comes in place of a node.
  struct Nodes {
    std::array<Node*, 2> node;
    size_t count;
  };

  template <typename F>
  static void Visit(const Node& node, double x, F& visit) {
    if (node.level == 0) {
      const Range* range = node.items<Range>();
      for (const Range* end = range + node.count; range != end && range->low <= x; ++range) {
        if (x <= range->high) visit(range->what);
      }
    } else {
      const Branch* branch = node.items<Branch>();
      for (const Branch* end = branch + node.count; branch != end && branch->least.low <= x;
           ++branch) {
        if (x <= branch->highest) Visit(*branch->below, x, visit);
      }
    }
  }

  template <typename F>
  static void VisitAny(const Node& node, absl::Span<const double> sorted, F& visit) {
    const auto some_within = [sorted](double low, double high) {
      const auto first = std::lower_bound(sorted.begin(), sorted.end(), low);
      return first != sorted.end() && *first <= high;
    };
    if (node.level == 0) {
      const Range* range = node.items<Range>();
      for (const Range* end = range + node.count; range != end; ++range) {
        if (some_within(range->low, range->high)) visit(range->what);
      }
    } else {
      const Branch* branch = node.items<Branch>();
      for (const Branch* end = branch + node.count; branch != end; ++branch) {
        if (some_within(branch->least.low, branch->highest))
          VisitAny(*branch->below, sorted, visit);
      }
    }
  }

  static bool Less(const Range& a, const Range& b);
  static size_t BytesOf(const Node& node);
  static Branch BranchTo(Node* node);
  static size_t BranchFor(const Node& node, const Range& range);

  bool Contains(const Range& range) const;
  static size_t CheckBelow(const Node& node, bool is_root);
  Nodes InsertBelow(Node* node, const Range& range);
  Node* RemoveBelow(Node* node, const Range& range);
  template <typename Item>
  Nodes Join(Node* left, Node* right);

  template <typename Item>
  Node* NewNode(uint32_t level, const Item* items, size_t count);
  template <typename Item>
  Nodes NewNodes(uint32_t level, const Item* items, size_t count, size_t most);
  void DeleteUnseen(Node* node);
  void DeleteBelow(Node* node);
  void Publish(Node* root);

  Retirer& retirer_;
  std::atomic<Node*> root_{nullptr};  // null: empty
  size_t bytes_ = 0;
  std::vector<Node*> replaced_;  // by the change that is under way
};

}  // namespace banyan::inline v0_1::internal

#endif  // BANYAN_LIB_PATTERN_RANGE_TREE_H_
