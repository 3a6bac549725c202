// SPDX-License-Identifier: Apache-2.0
//
// lib/pattern/event_walk.h -- floor 2: how ScannedEvent reads a text (event_scan.h). For rule_index.cc.
#ifndef BANYAN_LIB_PATTERN_EVENT_WALK_H_
#define BANYAN_LIB_PATTERN_EVENT_WALK_H_

#include <algorithm>
#include <bit>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "absl/container/inlined_vector.h"
#include "base/json.h"
#include "base/strings.h"
#include "pattern/event_scan.h"
#include "pattern/lookup_key.h"
#include "pattern/number.h"

namespace banyan::inline v0_1::internal {

// Outside of strings a checked text has no other control characters than white space.
inline bool IsSpace(char c) { return static_cast<unsigned char>(c) <= ' '; }

// Of the characters a number or a word is made of: what ends a bare value.
inline bool EndsBareValue(char c) { return c == ',' || c == '}' || c == ']' || IsSpace(c); }

inline constexpr uint64_t kOnes = 0x0101010101010101u;
inline constexpr uint64_t kHighs = 0x8080808080808080u;

// Marks the bytes of a word that equal `c`; the lowest mark is never wrong.
constexpr uint64_t MarksOf(uint64_t word, char c) {
  const uint64_t x = word ^ (kOnes * static_cast<unsigned char>(c));
  return (x - kOnes) & ~x & kHighs;
}

// Marks the bytes up to ' ': all white space, and nothing else that a checked text has outside of
// strings. As above, the lowest mark is right.
constexpr uint64_t MarksOfSpace(uint64_t word) {
  return (word - kOnes * (' ' + 1)) & ~word & kHighs;
}

inline FoundValue& ScannedEvent::Add(const PathNode& node, ValueKind kind, std::string_view text,
                                     uint32_t element) {
  const auto added = static_cast<uint32_t>(values_.size());
  FoundValue& value = values_.emplace_back();
  value.text = text;
  value.kind = kind;
  value.element = element;
  if (node.id() >= paths_.size()) paths_.resize(node.id() + 1);
  Path& path = paths_[node.id()];
  if (path.stamp != stamp_) {
    path = {.stamp = stamp_, .first = added, .last = added, .in_arrays = false};
  } else {
    values_[path.last].next = added;
    path.last = added;
  }
  path.in_arrays = path.in_arrays || element != kOutside;
  return value;
}

// One pass over the text. An open object or array is a Frame; there is no recursion, so that depth
// costs memory and not stack.
template <typename OnValue>
class ScannedEvent::Walk {
 public:
  Walk(ScannedEvent* out, std::string_view json, const EventOutline& outline,
       const OnValue& on_value)
      : out_(*out),
        begin_(json.data()),
        end_(json.data() + json.size()),
        at_(begin_),
        outline_(outline),
        on_value_(on_value) {}

  // `node` is the path of the value that begins `offset` bytes into the text.
  void Run(const PathNode& node, size_t offset) {
    at_ = begin_ + offset;
    while (jump_ < outline_.jumps.size() && outline_.jumps[jump_].begin < offset) ++jump_;
    Value(node);
    while (!frames_.empty()) {
      if (frames_.back().is_array) {
        Elements();
      } else {
        Members();
      }
    }
  }

 private:
  static constexpr uint32_t kNoJump = UINT32_MAX;

  struct Frame {
    const PathNode* node;
    PathNode::Children children;
    uint32_t unseen;   // children that may still come
    uint32_t element;  // what the values inside belong to
    uint32_t array;    // the number of an array
    uint32_t jump;     // its index, or kNoJump
    bool is_array;
    bool is_element;  // an object or array directly inside an array
  };

  struct Name {
    std::string_view text;
    uint64_t tag;
  };

  // ---- Both return when the frame on top is another one.

  void Members() {
    const size_t depth = frames_.size();
    while (frames_.size() == depth) {
      Frame& frame = frames_.back();
      if (frame.unseen == 0) return LeaveEarly();
      SkipSpace();
      if (*at_ == ',') {
        ++at_;
        SkipSpace();
      }
      if (*at_ == '}') return Close();
      const Name name = ReadName();
      SkipSpace();
      ++at_;  // the colon
      SkipSpace();
      const PathNode* child = Child(frame, name);
      if (child == nullptr) {
        SkipValue();
        continue;
      }
      if (frame.unseen != PathNode::Children::kUncounted) --frame.unseen;
      Value(*child);
    }
  }

  void Elements() {
    const size_t depth = frames_.size();
    while (frames_.size() == depth) {
      SkipSpace();
      if (*at_ == ',') {
        ++at_;
        SkipSpace();
      }
      if (*at_ == ']') return Close();
      Value(*frames_.back().node);
    }
  }

  const PathNode* Child(const Frame& frame, const Name& name) const {
    if (!outline_.may_repeat) return frame.children.Find(name.text, name.tag);
    // A name with dots walks several edges.
    PathNode::Children children = frame.children;
    std::string_view rest = name.text;
    while (true) {
      const size_t dot = std::min(rest.find('.'), rest.size());
      const PathNode* child = children.Find(rest.substr(0, dot));
      if (child == nullptr || dot == rest.size()) return child;
      children = child->children();
      rest.remove_prefix(dot + 1);
    }
  }

  // Reads the value here, or opens it.
  void Value(const PathNode& node) {
    switch (*at_) {
      case '{':
      case '[':
        return Open(node);
      case '"': {
        if (!node.wanted()) return SkipString();
        const char* open = at_;
        SkipString();
        std::string_view text(open + 1, static_cast<size_t>(at_ - open) - 2);
        if (outline_.has_escapes && text.find('\\') != std::string_view::npos) {
          text = out_.Decoded({open, static_cast<size_t>(at_ - open)});
        }
        return Found(node, ValueKind::kString, text);
      }
      case 't':
        return Word(node, ValueKind::kTrue, 4);
      case 'f':
        return Word(node, ValueKind::kFalse, 5);
      case 'n':
        return Word(node, ValueKind::kNull, 4);
      default:
        return Number(node);
    }
  }

  void Word(const PathNode& node, ValueKind kind, size_t size) {
    const std::string_view text(at_, size);
    at_ += size;
    if (node.wanted()) Found(node, kind, text);
  }

  void Number(const PathNode& node) {
    const char* first = at_;
    const Access* access = node.access();
    constexpr uint32_t kByValue = 1u << static_cast<unsigned>(KeyKind::kNumber) |
                                  1u << static_cast<unsigned>(KeyKind::kRange);
    if (access != nullptr && (access->kinds & kByValue) != 0) {
      // Where the value will be needed, finding the end and reading it is one step.
      size_t size = 0;
      const std::optional<double> nearest =
          NearestDouble({first, static_cast<size_t>(end_ - first)}, &size);
      at_ += size;
      FoundValue& value = Add(node, ValueKind::kNumber, {first, size});
      value.number = nearest.value_or(0);
      value.number_state =
          nearest.has_value() ? FoundValue::NumberState::kNearest : FoundValue::NumberState::kNone;
      on_value_(node, value);
      return;
    }
    SkipBareValue();
    if (node.wanted()) {
      Found(node, ValueKind::kNumber, {first, static_cast<size_t>(at_ - first)});
    }
  }

  FoundValue& Add(const PathNode& node, ValueKind kind, std::string_view text) {
    return out_.Add(node, kind, text, frames_.empty() ? kOutside : frames_.back().element);
  }
  void Found(const PathNode& node, ValueKind kind, std::string_view text) {
    on_value_(node, Add(node, kind, text));
  }

  void Open(const PathNode& node) {
    const bool is_array = *at_ == '[';
    const PathNode::Children children = node.children();
    if (children.empty() && !(is_array && node.wanted())) return SkipContainer();
    const bool is_element = !frames_.empty() && frames_.back().is_array;
    const uint32_t around = frames_.empty() ? kOutside : frames_.back().element;
    ElementTable& elements = out_.elements_;
    const bool counts = !is_array && !outline_.may_repeat;
    const uint32_t element = is_element ? elements.Open(around, frames_.back().array) : around;
    const uint32_t jump = HasJump() ? jump_++ : kNoJump;
    // Filled in place: a frame that is made first and copied then stalls on its own stores.
    Frame& frame = frames_.emplace_back();
    frame.node = &node;
    frame.children = children;
    frame.unseen = counts ? children.count() : PathNode::Children::kUncounted;
    frame.element = element;
    frame.array = is_array ? elements.array_count++ : 0;
    frame.jump = jump;
    frame.is_array = is_array;
    frame.is_element = is_element;
    ++at_;
  }

  void Close() {
    ++at_;
    Pop();
  }

  void Pop() {
    const Frame& frame = frames_.back();
    if (frame.is_element) out_.elements_.Close(frame.element);
    if (frame.jump != kNoJump) jump_ = outline_.jumps[frame.jump].next;
    frames_.pop_back();
  }

  // N2: the rest of the object on top holds nothing that is wanted.
  void LeaveEarly() {
    const Frame& frame = frames_.back();
    if (frame.jump != kNoJump) {
      at_ = begin_ + outline_.jumps[frame.jump].end;
    } else if (frames_.size() > 1) {
      SkipToClose();
    }
    Pop();
  }

  // ---- Steps over text

  void SkipSpace() {
    while (IsSpace(*at_)) ++at_;
  }

  Name ReadName() {
    const char* open = at_;
    SkipString();
    const std::string_view name(open + 1, static_cast<size_t>(at_ - open) - 2);
    if (outline_.has_escapes && name.find('\\') != std::string_view::npos) {
      const std::string_view text = out_.Decoded({open, static_cast<size_t>(at_ - open)});
      return {text, TagOf(text)};
    }
    return {name, end_ - name.data() >= 8 ? TagOf(Load64(name.data()), name.size()) : TagOf(name)};
  }

  // From the opening quote to behind the closing one.
  void SkipString() {
    ++at_;
    while (true) {
      while (end_ - at_ >= 8) {
        const uint64_t word = Load64(at_);
        uint64_t marks = MarksOf(word, '"');
        if (outline_.has_escapes) marks |= MarksOf(word, '\\');
        if (marks == 0) {
          at_ += 8;
          continue;
        }
        if constexpr (std::endian::native == std::endian::little) {
          at_ += std::countr_zero(marks) / 8;
        }
        break;
      }
      while (*at_ != '"' && *at_ != '\\') ++at_;
      if (*at_++ == '"') return;
      ++at_;  // what is escaped
    }
  }

  void SkipBareValue() {
    while (end_ - at_ >= 8) {
      const uint64_t word = Load64(at_);
      const uint64_t marks =
          MarksOf(word, ',') | MarksOf(word, '}') | MarksOf(word, ']') | MarksOfSpace(word);
      if (marks == 0) {
        at_ += 8;
        continue;
      }
      if constexpr (std::endian::native == std::endian::little) {
        at_ += std::countr_zero(marks) / 8;
      }
      break;
    }
    while (!EndsBareValue(*at_)) ++at_;
  }

  void SkipValue() {
    switch (*at_) {
      case '"':
        return SkipString();
      case '{':
      case '[':
        return SkipContainer();
      default:
        return SkipBareValue();
    }
  }

  bool HasJump() {
    // Not each large container has one, so some may lie behind in what was skipped.
    while (jump_ < outline_.jumps.size() &&
           outline_.jumps[jump_].begin < static_cast<size_t>(at_ - begin_)) {
      ++jump_;
    }
    return jump_ < outline_.jumps.size() &&
           outline_.jumps[jump_].begin == static_cast<size_t>(at_ - begin_);
  }

  void SkipContainer() {
    if (HasJump()) {
      at_ = begin_ + outline_.jumps[jump_].end;
      jump_ = outline_.jumps[jump_].next;
      return;
    }
    ++at_;
    SkipToClose();
  }

  // From inside a container that is too small for a jump to behind its closing bracket.
  void SkipToClose() {
    for (int depth = 1; depth > 0;) {
      switch (*at_) {
        case '"':
          SkipString();
          continue;
        case '{':
        case '[':
          ++depth;
          break;
        case '}':
        case ']':
          --depth;
          break;
        default:
          break;
      }
      ++at_;
    }
  }

  ScannedEvent& out_;
  const char* const begin_;
  const char* const end_;
  const char* at_;
  const EventOutline& outline_;
  const OnValue& on_value_;
  uint32_t jump_ = 0;  // the first that does not begin before at_
  absl::InlinedVector<Frame, 16> frames_;
};

template <typename OnValue>
void ScannedEvent::ScanJson(const CheckedEvent& event, const PathNode& root,
                            const OnValue& on_value) {
  Walk<OnValue>(this, event.json(), event.outline(), on_value).Run(root, 0);
}

template <typename OnValue>
void ScannedEvent::ScanAttributes(const Attributes& attributes, const PathNode& root,
                                  const OnValue& on_value) {
  for (const auto& [name, attribute] : attributes) {
    const PathNode* node = &root;
    for (std::string_view rest = name; node != nullptr;) {
      const size_t dot = std::min(rest.find('.'), rest.size());
      node = node->children().Find(rest.substr(0, dot));
      if (dot == rest.size()) break;
      rest.remove_prefix(dot + 1);
    }
    if (node == nullptr) continue;
    const std::string_view type = attribute.base_type();
    if (type == "String" || type == "Number") {
      if (!node->wanted()) continue;
      const ValueKind kind = type == "String" ? ValueKind::kString : ValueKind::kNumber;
      FoundValue& value = Add(*node, kind, attribute.value, kOutside);
      // Nobody has checked this one: "5 apples" is no number, though it begins with one.
      if (kind == ValueKind::kNumber && !IsJsonNumber(value.text)) {
        value.number_state = FoundValue::NumberState::kNone;
      }
      on_value(*node, value);
    } else if (type == "String.Array") {
      // As a member of an object, so that one checker serves.
      constexpr std::string_view kAround = "{\"\":";
      std::string& text = NewText();
      text.assign(kAround);
      std::string compact;
      if (!CompactJson(attribute.value, &compact) || !compact.starts_with('[')) continue;
      StrAppend(&text, compact, "}");
      Limits limits = Limits::Relaxed();
      limits.pattern.depth_max = Limits().pattern.depth_max + 1;
      const absl::StatusOr<CheckedEvent> checked = CheckedEvent::Check(text, limits);
      if (!checked.ok()) continue;
      Walk<OnValue>(this, checked->json(), checked->outline(), on_value).Run(*node, kAround.size());
    }
  }
}

}  // namespace banyan::inline v0_1::internal

#endif  // BANYAN_LIB_PATTERN_EVENT_WALK_H_
