// SPDX-License-Identifier: Apache-2.0
#include "pattern/path_tree.h"

#include <algorithm>
#include <array>
#include <new>
#include <tuple>

#include "base/check.h"

namespace banyan::inline v0_1::internal {
namespace {

auto Order(const Access::Probe& probe) { return std::tuple(probe.kind, probe.length); }

template <typename T>
void Delete(void* object) {
  delete static_cast<T*>(object);
}

}  // namespace

// ---- Reading

const PathNode::Children::Few PathNode::Children::kMany = {.count = 0};

PathNode::Children::Few* PathNode::Children::Few::New(uint32_t count) {
  const Few head = {.count = count};
  return new (::operator new(head.bytes())) Few(head);
}

const PathNode* PathNode::Children::FindAmongMany(std::string_view name) const {
  for (const Link* link = node_->tree_->names_.Find(PathTree::NameKey(*node_, name));
       link != nullptr; link = link->next.load(std::memory_order_seq_cst)) {
    const auto* node = static_cast<const PathNode*>(link);
    if (node->parent_ == node_ && node->name_ == name) return node;
  }
  return nullptr;
}

// ---- Writing

PathTree::PathTree(Retirer& retirer, uint64_t seed)
    : retirer_(retirer), seed_(seed), names_(retirer) {
  for (std::unique_ptr<PathNode>* root : {&json_root_, &attributes_root_}) {
    const uint32_t id = ids_.Take();
    root->reset(new PathNode(this, nullptr, "", id, KeyBase(id)));
    by_id_.push_back(root->get());
  }
}

PathTree::~PathTree() {
  BANYAN_CHECK(json_root_->references_ == 0 && attributes_root_->references_ == 0,
               "P1: rules that are gone have released their paths");
}

PathNode* PathTree::Refer(PathNode* root, std::string_view path) {
  PathNode* node = root;
  while (true) {
    const size_t dot = std::min(path.find('.'), path.size());
    node = Child(node, path.substr(0, dot));
    if (dot == path.size()) break;
    path.remove_prefix(dot + 1);
  }
  ++node->references_;
  node->wanted_.fetch_add(1, std::memory_order_relaxed);
  return node;
}

void PathTree::Release(PathNode* node) {
  node->wanted_.fetch_sub(1, std::memory_order_relaxed);
  --node->references_;
  while (node->references_ == 0 && node->parent_ != nullptr) {
    PathNode* parent = node->parent_;
    Unlink(node);
    --parent->references_;
    node = parent;
  }
}

PathNode* PathTree::Child(PathNode* parent, std::string_view name) {
  if (const PathNode* there = parent->children().Find(name)) return const_cast<PathNode*>(there);
  const uint32_t id = ids_.Take();
  auto* child = new PathNode(this, parent, name, id, KeyBase(id));
  if (by_id_.size() <= child->id_) by_id_.resize(child->id_ + 1);
  by_id_[child->id_] = child;
  bytes_ += child->bytes();
  ++parent->references_;
  ++parent->child_count_;
  using Few = PathNode::Children::Few;
  const Few* few = parent->few_.load(std::memory_order_relaxed);
  if (few == &PathNode::Children::kMany) {
    names_.Add(NameKey(*parent, name), child);
  } else if (parent->child_count_ <= Few::kMax) {
    Few* more = Few::New(parent->child_count_);
    if (few != nullptr) std::copy_n(few->entries(), few->count, more->entries());
    more->entries()[more->count - 1] = {TagOf(name), RawName(name), child};
    Replace(parent, few, more);
  } else {
    for (uint32_t i = 0; i < few->count; ++i) {
      PathNode* node = few->entries()[i].node;
      names_.Add(NameKey(*parent, node->name_), node);
    }
    names_.Add(NameKey(*parent, name), child);
    Replace(parent, few, &PathNode::Children::kMany);
  }
  return child;
}

void PathTree::Replace(PathNode* parent, const PathNode::Children::Few* before,
                       const PathNode::Children::Few* after) {
  using Few = PathNode::Children::Few;
  parent->few_.store(after, std::memory_order_seq_cst);
  if (after != nullptr && after != &PathNode::Children::kMany) bytes_ += after->bytes();
  if (before == nullptr || before == &PathNode::Children::kMany) return;
  bytes_ -= before->bytes();
  retirer_.Retire(const_cast<Few*>(before), Few::Delete, before->bytes());
}

void PathTree::Unlink(PathNode* node) {
  using Few = PathNode::Children::Few;
  PathNode* parent = node->parent_;
  --parent->child_count_;
  const Few* few = parent->few_.load(std::memory_order_relaxed);
  if (few == &PathNode::Children::kMany) {
    names_.Remove(NameKey(*parent, node->name_), node);
    if (parent->child_count_ == 0) Replace(parent, few, nullptr);
  } else {
    Few* fewer = nullptr;
    if (few->count > 1) {
      fewer = Few::New(few->count - 1);
      std::remove_copy_if(few->entries(), few->entries() + few->count, fewer->entries(),
                          [node](const Few::Entry& entry) { return entry.node == node; });
    }
    Replace(parent, few, fewer);
  }
  BANYAN_CHECK(node->filings_.empty() && node->access_.load(std::memory_order_relaxed) == nullptr,
               "P1: nothing is filed under a path that nobody asks for");
  bytes_ -= node->bytes();
  by_id_[node->id_] = nullptr;
  ids_.GiveBack(node->id_);
  retirer_.Retire(node, Delete<PathNode>, node->bytes());
}

void PathTree::ForgetIds() {
  BANYAN_CHECK(json_root_->references_ == 0 && attributes_root_->references_ == 0,
               "ids are in use");
  ids_ = NumberPool();
  for (PathNode* root : {json_root_.get(), attributes_root_.get()}) {
    BANYAN_CHECK(ids_.Take() == root->id_, "the roots' ids are the first");
  }
  by_id_ = {json_root_.get(), attributes_root_.get()};
}

size_t PathTree::bytes() const {
  size_t bytes = bytes_ + names_.bytes() + ids_.bytes() + by_id_.capacity() * sizeof(by_id_[0]);
  for (const PathNode* node : by_id_) {
    if (node != nullptr && node->ranges_ != nullptr) bytes += node->ranges_->bytes();
  }
  return bytes;
}

bool PathTree::CountFiling(PathNode* node, KeyKind kind, uint32_t length, int change) {
  const Access::Probe probe = {kind, length};
  auto& filings = node->filings_;
  auto place = std::lower_bound(
      filings.begin(), filings.end(), probe,
      [](const auto& there, const Access::Probe& p) { return Order(there.probe) < Order(p); });
  if (place == filings.end() || Order(place->probe) != Order(probe)) {
    place = filings.insert(place, {probe, 0});
  }
  BANYAN_CHECK(change > 0 || place->count > 0, "P3: every filing was announced");
  place->count += static_cast<uint32_t>(change);
  if (place->count > 0) return change > 0 && place->count == 1;
  filings.erase(place);
  return true;
}

void PathTree::AddFiling(PathNode* node, KeyKind kind, uint32_t length) {
  if (CountFiling(node, kind, length, 1)) PublishAccess(node);
}

void PathTree::RemoveFiling(PathNode* node, KeyKind kind, uint32_t length) {
  if (CountFiling(node, kind, length, -1)) PublishAccess(node);
}

void PathTree::AddRange(PathNode* node, KeyKind kind, const Access::Range& range) {
  bool is_news = CountFiling(node, kind, 0, 1);
  if (!node->has_many_ranges_) {
    is_news = true;
    if (node->few_ranges_.size() < Access::kFewRanges) {
      node->few_ranges_.push_back(range);
    } else {
      node->few_ranges_.clear();
      node->has_many_ranges_ = true;
    }
  }
  if (is_news) PublishAccess(node);
}

void PathTree::RemoveRange(PathNode* node, KeyKind kind, const void* what) {
  bool is_news = CountFiling(node, kind, 0, -1);
  is_news = std::erase_if(node->few_ranges_,
                          [what](const Access::Range& range) { return range.what == what; }) > 0 ||
            is_news;
  const bool is_empty = std::none_of(
      node->filings_.begin(), node->filings_.end(), [](const PathNode::Filings& filings) {
        return filings.probe.kind == KeyKind::kNumber || filings.probe.kind == KeyKind::kRange;
      });
  if (is_empty) node->has_many_ranges_ = false;
  if (is_news) PublishAccess(node);
}

RangeTree* PathTree::Ranges(PathNode* node) {
  if (node->ranges_ == nullptr) node->ranges_ = std::make_unique<RangeTree>(retirer_);
  return node->ranges_.get();
}

void PathTree::PublishAccess(PathNode* node) {
  const Access* before = node->access_.load(std::memory_order_relaxed);
  Access* after = nullptr;
  if (!node->filings_.empty()) {
    after = new Access;
    for (const auto& filings : node->filings_) {
      after->probes.push_back(filings.probe);
      after->kinds |= 1u << static_cast<unsigned>(filings.probe.kind);
    }
    if (after->Has(KeyKind::kRange)) after->ranges = node->ranges_.get();
    after->few_ranges = node->few_ranges_;
  }
  const auto size_of = [](const Access* access) {
    return access == nullptr ? 0
                             : sizeof(*access) + access->probes.capacity() * sizeof(Access::Probe) +
                                   access->few_ranges.capacity() * sizeof(Access::Range);
  };
  bytes_ += size_of(after);
  bytes_ -= size_of(before);
  node->access_.store(after, std::memory_order_seq_cst);
  if (before != nullptr) {
    retirer_.Retire(const_cast<Access*>(before), Delete<Access>, size_of(before));
  }
}

}  // namespace banyan::inline v0_1::internal
