// SPDX-License-Identifier: Apache-2.0
#include "pattern/range_tree.h"

#include <algorithm>
#include <functional>
#include <memory>
#include <new>

#include "base/check.h"

namespace banyan::inline v0_1::internal {

RangeTree::~RangeTree() {
  Node* root = root_.load(std::memory_order_acquire);
  if (root != nullptr) DeleteBelow(root);
}

bool RangeTree::Insert(double low, double high, void* what) {
  BANYAN_CHECK(low <= high, "a range begins before it ends, and both are numbers");
  const Range range{low, high, what};
  if (Contains(range)) return false;
  Node* const root = root_.load(std::memory_order_relaxed);
  if (root == nullptr) {
    Publish(NewNode(0, &range, 1));
    return true;
  }
  const Nodes grown = InsertBelow(root, range);
  if (grown.count == 1) {
    Publish(grown.node[0]);
  } else {
    const Branch halves[] = {BranchTo(grown.node[0]), BranchTo(grown.node[1])};
    Publish(NewNode(root->level + 1, halves, 2));
  }
  return true;
}

bool RangeTree::Remove(double low, double high, void* what) {
  const Range range{low, high, what};
  if (!Contains(range)) return false;
  Node* root = RemoveBelow(root_.load(std::memory_order_relaxed), range);
  if (root != nullptr && root->level > 0 && root->count == 1) {
    Node* const only = root->items<Branch>()->below;
    DeleteUnseen(root);
    root = only;
  }
  Publish(root);
  return true;
}

void RangeTree::CheckInvariants() const {
  const Node* root = root_.load(std::memory_order_seq_cst);
  const size_t bytes = root == nullptr ? 0 : CheckBelow(*root, true);
  BANYAN_CHECK(bytes == bytes_, "every node is accounted for");
}

// Answers the bytes of the node and all below it.
size_t RangeTree::CheckBelow(const Node& node, bool is_root) {
  const size_t least = !is_root ? kLeast : node.level == 0 ? 1 : 2;
  BANYAN_CHECK(node.count >= least && node.count <= kMost, "R3");
  size_t bytes = BytesOf(node);
  if (node.level == 0) {
    const Range* ranges = node.items<Range>();
    for (size_t i = 1; i < node.count; ++i) BANYAN_CHECK(Less(ranges[i - 1], ranges[i]), "R1");
    return bytes;
  }
  const Branch* branches = node.items<Branch>();
  for (size_t i = 0; i < node.count; ++i) {
    const Branch& branch = branches[i];
    BANYAN_CHECK(i == 0 || Less(branches[i - 1].least, branch.least), "R1");
    BANYAN_CHECK(branch.below->level + 1 == node.level, "leaves are at one depth");
    const Branch exact = BranchTo(branch.below);
    BANYAN_CHECK(!Less(exact.least, branch.least) && !Less(branch.least, exact.least), "R2");
    BANYAN_CHECK(exact.highest == branch.highest, "R2");
    bytes += CheckBelow(*branch.below, false);
    // The greatest range below lies before the next branch: it is the last one all the way down.
    const Node* last = branch.below;
    while (last->level > 0) last = last->items<Branch>()[last->count - 1].below;
    BANYAN_CHECK(
        i + 1 == node.count || Less(last->items<Range>()[last->count - 1], branches[i + 1].least),
        "R1");
  }
  return bytes;
}

bool RangeTree::Less(const Range& a, const Range& b) {
  if (a.low != b.low) return a.low < b.low;
  if (a.high != b.high) return a.high < b.high;
  return std::less<>()(a.what, b.what);
}

size_t RangeTree::BytesOf(const Node& node) {
  return sizeof(Node) + node.count * (node.level == 0 ? sizeof(Range) : sizeof(Branch));
}

RangeTree::Branch RangeTree::BranchTo(Node* node) {
  if (node->level == 0) {
    const Range* ranges = node->items<Range>();
    double highest = ranges[0].high;
    for (size_t i = 1; i < node->count; ++i) highest = std::max(highest, ranges[i].high);
    return {ranges[0], highest, node};
  }
  const Branch* branches = node->items<Branch>();
  double highest = branches[0].highest;
  for (size_t i = 1; i < node->count; ++i) highest = std::max(highest, branches[i].highest);
  return {branches[0].least, highest, node};
}

// The last branch that begins no later than the range; the first, if none does.
size_t RangeTree::BranchFor(const Node& node, const Range& range) {
  const Branch* first = node.items<Branch>();
  const Branch* after = std::upper_bound(
      first + 1, first + node.count, range,
      [](const Range& sought, const Branch& branch) { return Less(sought, branch.least); });
  return static_cast<size_t>(after - first) - 1;
}

bool RangeTree::Contains(const Range& range) const {
  const Node* node = root_.load(std::memory_order_relaxed);
  if (node == nullptr) return false;
  while (node->level > 0) node = node->items<Branch>()[BranchFor(*node, range)].below;
  const Range* first = node->items<Range>();
  return std::binary_search(first, first + node->count, range, &Less);
}

// A copy of what is below the node, with the range.
RangeTree::Nodes RangeTree::InsertBelow(Node* node, const Range& range) {
  replaced_.push_back(node);
  if (node->level == 0) {
    std::array<Range, kMost + 1> ranges;
    const Range* first = node->items<Range>();
    const Range* last = first + node->count;
    const Range* place = std::lower_bound(first, last, range, &Less);
    Range* end = std::copy(first, place, ranges.data());
    *end++ = range;
    std::copy(place, last, end);
    return NewNodes(0, ranges.data(), node->count + size_t{1}, kMost);
  }
  std::array<Branch, kMost + 1> branches;
  const Branch* first = node->items<Branch>();
  const size_t changed = BranchFor(*node, range);
  const Nodes grown = InsertBelow(first[changed].below, range);
  Branch* end = std::copy(first, first + changed, branches.data());
  for (size_t i = 0; i < grown.count; ++i) *end++ = BranchTo(grown.node[i]);
  std::copy(first + changed + 1, first + node->count, end);
  return NewNodes(node->level, branches.data(), node->count - 1 + grown.count, kMost);
}

// A copy of what is below the node, without the range, which is there. Null: nothing is left. It
// may have one item less than R3 asks for; whoever holds the branch to it mends that.
RangeTree::Node* RangeTree::RemoveBelow(Node* node, const Range& range) {
  replaced_.push_back(node);
  if (node->level == 0) {
    if (node->count == 1) return nullptr;
    std::array<Range, kMost> ranges;
    const Range* first = node->items<Range>();
    const Range* last = first + node->count;
    const Range* place = std::lower_bound(first, last, range, &Less);
    std::copy(place + 1, last, std::copy(first, place, ranges.data()));
    return NewNode(0, ranges.data(), node->count - size_t{1});
  }
  std::array<Branch, kMost> branches;
  const Branch* first = node->items<Branch>();
  const size_t changed = BranchFor(*node, range);
  Node* const shrunk = RemoveBelow(first[changed].below, range);  // not null: it had kLeast (R3)
  if (shrunk->count >= kLeast) {
    std::copy(first, first + node->count, branches.data());
    branches[changed] = BranchTo(shrunk);
    return NewNode(node->level, branches.data(), node->count);
  }
  // With its neighbour, of which there is one (R3), it makes one or two that are large enough.
  const size_t left = changed > 0 ? changed - 1 : 0;
  Node* const neighbour = first[changed > 0 ? changed - 1 : 1].below;
  Node* const pair[] = {changed > 0 ? neighbour : shrunk, changed > 0 ? shrunk : neighbour};
  const Nodes joined =
      shrunk->level == 0 ? Join<Range>(pair[0], pair[1]) : Join<Branch>(pair[0], pair[1]);
  replaced_.push_back(neighbour);
  DeleteUnseen(shrunk);
  Branch* end = std::copy(first, first + left, branches.data());
  for (size_t i = 0; i < joined.count; ++i) *end++ = BranchTo(joined.node[i]);
  std::copy(first + left + 2, first + node->count, end);
  return NewNode(node->level, branches.data(), node->count - 2 + joined.count);
}

template <typename Item>
RangeTree::Nodes RangeTree::Join(Node* left, Node* right) {
  std::array<Item, kMost + kLeast> items;
  Item* middle = std::copy_n(left->items<Item>(), left->count, items.data());
  std::copy_n(right->items<Item>(), right->count, middle);
  return NewNodes(left->level, items.data(), left->count + size_t{right->count}, kMostJoined);
}

template <typename Item>
RangeTree::Node* RangeTree::NewNode(uint32_t level, const Item* items, size_t count) {
  auto* node = new (::operator new(sizeof(Node) + count * sizeof(Item)))
      Node{.level = level, .count = static_cast<uint32_t>(count)};
  std::uninitialized_copy_n(items, count, node->items<Item>());
  bytes_ += BytesOf(*node);
  return node;
}

// One node, or two halves if there are more than `most` items.
template <typename Item>
RangeTree::Nodes RangeTree::NewNodes(uint32_t level, const Item* items, size_t count, size_t most) {
  if (count <= most) return {{NewNode(level, items, count), nullptr}, 1};
  const size_t half = count / 2;
  return {{NewNode(level, items, half), NewNode(level, items + half, count - half)}, 2};
}

// One that no reader has seen.
void RangeTree::DeleteUnseen(Node* node) {
  bytes_ -= BytesOf(*node);
  ::operator delete(node);
}

void RangeTree::DeleteBelow(Node* node) {
  if (node->level > 0) {
    for (size_t i = 0; i < node->count; ++i) DeleteBelow(node->items<Branch>()[i].below);
  }
  DeleteUnseen(node);
}

void RangeTree::Publish(Node* root) {
  root_.store(root, std::memory_order_seq_cst);
  for (Node* node : replaced_) {
    const size_t bytes = BytesOf(*node);
    bytes_ -= bytes;
    retirer_.Retire(
        node, [](void* unseen) { ::operator delete(unseen); }, bytes);
  }
  replaced_.clear();
}

}  // namespace banyan::inline v0_1::internal
