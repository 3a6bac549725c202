// SPDX-License-Identifier: Apache-2.0
//
// lib/pattern/path_tree.h -- floor 2: the paths that rules ask for, as a scan of an event walks
// them.
//
//   rules ask for   detail.state   detail.items.sku   source
//
//   root -+- detail -+- state        a name that is no child is skipped with all that is below it
//         |          `- items - sku
//         `- source
//
// P1  A node stays while a rule refers to it or to something below it. Ids of nodes that are gone
//     are used again. A reader may meet both owners of an id, but no rule that it sees refers to
//     either: the old one's are gone for it, the new one's not there yet.
// P2  Readers see a set of up to Few::kMax children as one immutable list, so a scan can count down
//     what it has still to find. Larger sets are found by key, one name at a time, and not counted.
// P3  `access` says which lookups a value at this node is worth: what kinds of key rules are filed
//     under there. It is immutable and replaced as a whole. It never says less than the rules that
//     a reader may see need.
//
// Threads   Find and all const members: any number of readers, who hold a pin of the Epochs behind
//           `retirer`. Everything else: one writer at a time.
#ifndef BANYAN_LIB_PATTERN_PATH_TREE_H_
#define BANYAN_LIB_PATTERN_PATH_TREE_H_

#include <algorithm>
#include <array>
#include <atomic>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "base/epoch.h"
#include "pattern/key_table.h"
#include "pattern/lookup_key.h"
#include "pattern/range_tree.h"

namespace banyan::inline v0_1::internal {

// Small numbers for things that come and go, used again.
class NumberPool {
 public:
  uint32_t Take() {
    if (free_.empty()) return next_++;
    const uint32_t number = free_.back();
    free_.pop_back();
    return number;
  }
  void GiveBack(uint32_t number) { free_.push_back(number); }
  size_t bytes() const { return free_.capacity() * sizeof(uint32_t); }

 private:
  uint32_t next_ = 0;
  std::vector<uint32_t> free_;
};

// Which lookups values at a path are worth (P3).
struct Access {
  struct Probe {
    KeyKind kind;
    uint32_t length;  // of the key's bytes, for kinds that come in lengths
  };
  std::vector<Probe> probes;          // ascending
  uint32_t kinds = 0;                 // one bit for each kind among them
  const RangeTree* ranges = nullptr;  // null: none

  // All numbers and ranges that rules are filed under here, if they are few: then a value is
  // compared with each of them, which is quicker than to look for it.
  struct Range {
    double low, high;  // both belong to it
    void* what;
  };
  static constexpr size_t kFewRanges = 8;
  std::vector<Range> few_ranges;

  bool Has(KeyKind kind) const { return (kinds >> static_cast<unsigned>(kind) & 1) != 0; }
};

class PathTree;

// The first bytes of a name and its length: tells most names apart, and short ones for certain.
inline constexpr size_t kTagBytes = 7;
// `word`: the eight bytes from the name's beginning on, whatever stands behind it.
inline uint64_t TagOf(uint64_t word, size_t size) {
  const size_t kept = std::min(size, kTagBytes);
  const uint64_t mask = (uint64_t{1} << (kept * 8)) - 1;
  return (word & mask) | uint64_t{std::min<size_t>(size, 255)} << 56;
}
inline uint64_t TagOf(std::string_view name) {
  return TagOf(LoadUpTo8(name.data(), std::min(name.size(), kTagBytes)), name.size());
}

// A name as it stands in a JSON text, up to and with its closing quote, as far as eight bytes show
// it.
struct RawName {
  explicit RawName(std::string_view name);
  bool Begins(uint64_t word) const { return ((word ^ bytes) & mask) == 0; }

  uint64_t bytes = 0;
  uint64_t mask = ~uint64_t{0};
};
inline RawName::RawName(std::string_view name) {
  // Written with escapes: no text has eight zeros, so this never begins.
  if (name.find('\\') != std::string_view::npos || name.find('"') != std::string_view::npos) return;
  const size_t shown = std::min(name.size(), sizeof(bytes));
  bytes = LoadUpTo8(name.data(), shown);
  if (shown == sizeof(bytes)) return;
  bytes |= uint64_t{'"'} << (8 * shown);
  mask >>= 8 * (sizeof(bytes) - 1 - shown);
}

// A Link of the tree's table of names, if its parent has many children.
class PathNode : private Link {
 public:
  // Set while a rule has a condition on exactly this path.
  bool wanted() const { return wanted_.load(std::memory_order_relaxed) > 0; }
  uint32_t id() const { return id_; }
  uint64_t key_base() const { return key_base_; }
  std::string_view name() const { return name_; }
  const Access* access() const { return access_.load(std::memory_order_seq_cst); }

  // A set of children as a scan goes through it: few, listed (P2), or many.
  class Children {
   public:
    static constexpr uint32_t kUncounted = UINT32_MAX;

    // Are all listed? Then FindRaw() serves.
    bool listed() const { return few_ != nullptr && few_ != &kMany; }
    // The child whose name stands at `name`, without escapes, and then its closing quote; null if
    // it is none of the listed ones. At least eight bytes are there, up to `end` if there are more.
    const PathNode* FindRaw(const char* name, const char* end) const;

    // Null: not a child.
    const PathNode* Find(std::string_view name) const { return Find(name, TagOf(name)); }
    const PathNode* Find(std::string_view name, uint64_t tag) const;
    bool empty() const { return few_ == nullptr; }
    // How many there are, if that is known.
    uint32_t count() const { return few_ == &kMany ? kUncounted : few_->count; }

   private:
    friend class PathNode;
    friend class PathTree;
    // The entries follow it in the same piece of memory: most nodes have one child.
    struct Few {
      static constexpr size_t kMax = 8;
      struct Entry {
        uint64_t tag;
        RawName raw;
        PathNode* node;
      };
      alignas(Entry) uint32_t count;

      const Entry* entries() const { return reinterpret_cast<const Entry*>(this + 1); }
      Entry* entries() { return reinterpret_cast<Entry*>(this + 1); }
      size_t bytes() const { return sizeof(Few) + count * sizeof(Entry); }
      static Few* New(uint32_t count);
      static void Delete(void* few) { ::operator delete(few); }
    };
    static_assert(sizeof(Few::Entry) % alignof(uint64_t) == 0);
    const PathNode* FindAmongMany(std::string_view name) const;

    static const Few kMany;  // stands for more than kMax

    const PathNode* node_ = nullptr;
    const Few* few_ = nullptr;  // null: none
  };
  Children children() const;

 private:
  friend class PathTree;
  friend class Children;
  PathNode(PathTree* tree, PathNode* parent, std::string_view name, uint32_t id, uint64_t key_base)
      : tree_(tree), parent_(parent), name_(name), id_(id), key_base_(key_base) {}

  size_t bytes() const { return sizeof(*this) + name_.capacity(); }

  PathTree* const tree_;
  PathNode* const parent_;
  const std::string name_;
  const uint32_t id_;
  const uint64_t key_base_;
  std::atomic<uint32_t> wanted_{0};
  std::atomic<const Children::Few*> few_{nullptr};
  std::atomic<const Access*> access_{nullptr};

  // The writer's.
  uint32_t references_ = 0;  // conditions on this path, and children
  uint32_t child_count_ = 0;
  struct Filings {
    Access::Probe probe;
    uint32_t count;
  };
  std::vector<Filings> filings_;  // ascending by probe
  std::unique_ptr<RangeTree> ranges_;
  std::vector<Access::Range> few_ranges_;  // all of them, unless
  bool has_many_ranges_ = false;           // there were more since there were none
};

class PathTree {
 public:
  // `seed`: any number; keys depend on it.
  PathTree(Retirer& retirer, uint64_t seed);
  ~PathTree();

  // Where a scan of JSON begins, and one of message attributes.
  const PathNode& json_root() const { return *json_root_; }
  const PathNode& attributes_root() const { return *attributes_root_; }
  PathNode* json_root() { return json_root_.get(); }
  PathNode* attributes_root() { return attributes_root_.get(); }

  // The node of a dotted path, made where it is missing, with one more reference.
  PathNode* Refer(PathNode* root, std::string_view path);
  // One reference less.
  void Release(PathNode* node);

  // A rule is filed under keys of this kind and length, or not any more. Before the first filing,
  // and after the last is out of all readers' sight.
  void AddFiling(PathNode* node, KeyKind kind, uint32_t length);
  void RemoveFiling(PathNode* node, KeyKind kind, uint32_t length);
  // The same for one of kNumber or kRange. `what` is what the tree or table has there.
  void AddRange(PathNode* node, KeyKind kind, const Access::Range& range);
  void RemoveRange(PathNode* node, KeyKind kind, const void* what);
  // The node's ranges, made where it has none. Readers look there while there are filings of
  // kRange.
  RangeTree* Ranges(PathNode* node);
  PathNode* At(uint32_t id) const { return by_id_[id]; }

  // When only the roots are left: forgets how many paths there once were.
  void ForgetIds();

  size_t bytes() const;

 private:
  friend class PathNode;
  PathNode* Child(PathNode* parent, std::string_view name);
  void Unlink(PathNode* node);
  // Another list of children in place of `before`, which is retired; null: none.
  void Replace(PathNode* parent, const PathNode::Children::Few* before,
               const PathNode::Children::Few* after);
  // Counts a filing; true if `access` is out of date now.
  static bool CountFiling(PathNode* node, KeyKind kind, uint32_t length, int change);
  void PublishAccess(PathNode* node);
  static uint32_t NameKey(const PathNode& parent, std::string_view name) {
    return static_cast<uint32_t>(SecretHash(name, parent.key_base()) >> 32);
  }
  uint64_t KeyBase(uint32_t id) const { return Mix64(seed_ + kMixStep * id); }

  Retirer& retirer_;
  const uint64_t seed_;
  NumberPool ids_;
  KeyTable names_;  // children of nodes with more than Few::kMax
  size_t bytes_ = 0;
  std::vector<PathNode*> by_id_;
  std::unique_ptr<PathNode> json_root_;
  std::unique_ptr<PathNode> attributes_root_;
};

inline PathNode::Children PathNode::children() const {
  Children children;
  children.node_ = this;
  children.few_ = few_.load(std::memory_order_seq_cst);
  return children;
}

inline const PathNode* PathNode::Children::FindRaw(const char* name, const char* end) const {
  const uint64_t word = Load64(name);
  for (uint32_t i = 0; i < few_->count; ++i) {
    const Few::Entry& entry = few_->entries()[i];
    if (!entry.raw.Begins(word)) continue;
    const std::string& wanted = entry.node->name_;
    if (wanted.size() < sizeof(word)) return entry.node;
    if (static_cast<size_t>(end - name) > wanted.size() && name[wanted.size()] == '"' &&
        std::memcmp(name, wanted.data(), wanted.size()) == 0) {
      return entry.node;
    }
  }
  return nullptr;
}

inline const PathNode* PathNode::Children::Find(std::string_view name, uint64_t tag) const {
  if (few_ == nullptr) return nullptr;
  if (few_ == &kMany) return FindAmongMany(name);
  for (uint32_t i = 0; i < few_->count; ++i) {
    const Few::Entry& entry = few_->entries()[i];
    if (entry.tag != tag) continue;
    if (name.size() <= kTagBytes || entry.node->name_ == name) return entry.node;
  }
  return nullptr;
}

}  // namespace banyan::inline v0_1::internal

#endif  // BANYAN_LIB_PATTERN_PATH_TREE_H_
