// SPDX-License-Identifier: Apache-2.0
//
// lib/pattern/event_walk.h -- floor 2: how ScannedEvent reads a text (event_scan.h). For
// rule_match.cc.
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
#include "pattern/byte_map.h"
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

// What ends a string's characters, or goes before one that does not.
inline uint64_t QuoteMarks(const Bytes16& bytes) { return bytes.Equal('"') | bytes.Equal('\\'); }

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
    path = {.stamp = stamp_, .first = added, .last = added};
  } else {
    values_[path.last].next = added;
    path.last = added;
  }
  if (element != kOutside) path.in_arrays = 1;
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
        outline_(outline),
        on_value_(on_value),
        quotes_(end_) {}

  // `node` is the path of the value that begins `offset` bytes into the text.
  void Run(const PathNode& node, size_t offset) {
    const char* at = begin_ + offset;
    while (jump_ < outline_.jumps.size() && outline_.jumps[jump_].begin < offset) ++jump_;
    at = Value(node, at, {kOutside, false});
    while (!frames_.empty()) at = frames_.back().is_array ? Elements(at) : Members(at);
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

  // Where a value stands.
  struct Inside {
    uint32_t element;
    bool by_map;  // see BehindString()
  };

  struct NameText {
    std::string_view text;
    uint64_t tag;
  };

  // All that read take the place where they begin and answer the place where they end: in a member
  // it would be stored and loaded again at each step, and each step waits for the one before.

  // ---- Both return when the frame on top is another one.

  const char* Members(const char* at) {
    const size_t depth = frames_.size();
    Frame& frame = frames_.back();  // moves when another one comes, and that ends the loop
    const bool is_large = frame.jump != kNoJump;
    do {
      if (frame.unseen == 0) return LeaveEarly(at);
      at = BehindComma(at);
      if (*at == '}') return Close(at);
      const PathNode* child = Name(frame.children, is_large, &at);
      if (child == nullptr) {
        at = BehindValue(at, is_large);
        continue;
      }
      if (frame.unseen != PathNode::Children::kUncounted) --frame.unseen;
      at = Value(*child, at, {frame.element, is_large});
    } while (frames_.size() == depth);
    return at;
  }

  const char* Elements(const char* at) {
    const size_t depth = frames_.size();
    // Copies: the frame moves when others come and go on top of it.
    const PathNode& node = *frames_.back().node;
    const Inside inside = {frames_.back().element, frames_.back().jump != kNoJump};
    const bool are_small = frames_.back().children.listed() && !outline_.may_repeat;
    do {
      at = BehindComma(at);
      if (*at == ']') return Close(at);
      at =
          are_small && *at == '{' && !HasJump(at) ? SmallObject(node, at) : Value(node, at, inside);
    } while (frames_.size() == depth);
    return at;
  }

  // An element that is an object without a jump, which most are: read here and now, without a
  // frame, until something inside of it needs one.
  const char* SmallObject(const PathNode& node, const char* at) {
    const Frame& array = frames_.back();
    const PathNode::Children children = array.children;
    const uint32_t element = out_.elements_.Open(array.element, array.array);
    uint32_t unseen = children.count();
    ++at;
    while (true) {
      at = BehindComma(at);
      if (*at == '}') {
        ++at;
        break;
      }
      const PathNode* child = Name(children, false, &at);
      if (child == nullptr) {
        at = BehindValue(at, false);
        continue;
      }
      --unseen;
      if (*at == '{' || *at == '[') {
        Frame& around = frames_.emplace_back();
        around.node = &node;
        around.children = children;
        around.unseen = unseen;
        around.element = element;
        around.array = 0;
        around.jump = kNoJump;
        around.is_array = false;
        around.is_element = true;
        return Open(*child, at, {element, false});
      }
      at = Value(*child, at, {element, false});
      if (unseen == 0) {
        at = BehindClose(at);
        break;
      }
    }
    out_.elements_.Close(element);
    return at;
  }

  // Reads the name at *at, and goes on to its value. Null: it is not among the children.
  const PathNode* Name(const PathNode::Children& children, bool by_map, const char** at) {
    const char* open = *at;
    const bool is_plain = !outline_.may_repeat && !outline_.has_escapes;
    const PathNode* child = nullptr;
    if (is_plain && children.listed() && end_ - open > 8) {
      child = children.FindRaw(open + 1, end_);
      *at = child != nullptr ? open + child->name().size() + 2 : BehindString(open, by_map);
    } else {
      *at = BehindString(open, by_map);
      child = Child(children, NameIn(open, *at));
    }
    if (**at != ':') *at = BehindSpace(*at);
    *at = BehindSpace(*at + 1);
    return child;
  }

  const PathNode* Child(PathNode::Children children, const NameText& name) const {
    if (!outline_.may_repeat) return children.Find(name.text, name.tag);
    // A name with dots walks several edges.
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
  const char* Value(const PathNode& node, const char* at, Inside inside) {
    if (*at == '"') return String(node, at, inside);
    switch (*at) {
      case '{':
      case '[':
        return Open(node, at, inside);
      case 't':
        return Word(node, ValueKind::kTrue, {at, 4}, inside);
      case 'f':
        return Word(node, ValueKind::kFalse, {at, 5}, inside);
      case 'n':
        return Word(node, ValueKind::kNull, {at, 4}, inside);
      default:
        return Number(node, at, inside);
    }
  }

  const char* String(const PathNode& node, const char* open, Inside inside) {
    const char* at = BehindString(open, inside.by_map);
    if (!node.wanted()) return at;
    std::string_view text(open + 1, static_cast<size_t>(at - open) - 2);
    if (outline_.has_escapes && text.find('\\') != std::string_view::npos) {
      text = out_.Decoded({open, static_cast<size_t>(at - open)});
    }
    Found(node, ValueKind::kString, text, inside);
    return at;
  }

  const char* Word(const PathNode& node, ValueKind kind, std::string_view text, Inside inside) {
    if (node.wanted()) Found(node, kind, text, inside);
    return text.data() + text.size();
  }

  const char* Number(const PathNode& node, const char* first, Inside inside) {
    const Access* access = node.access();
    constexpr uint32_t kByValue = 1u << static_cast<unsigned>(KeyKind::kNumber) |
                                  1u << static_cast<unsigned>(KeyKind::kRange);
    if (access != nullptr && (access->kinds & kByValue) != 0) {
      // Where the value will be needed, finding the end and reading it is one step.
      size_t size = 0;
      const std::optional<double> nearest =
          NearestDouble({first, static_cast<size_t>(end_ - first)}, &size);
      FoundValue& value = out_.Add(node, ValueKind::kNumber, {first, size}, inside.element);
      value.number = nearest.value_or(0);
      value.number_state =
          nearest.has_value() ? FoundValue::NumberState::kNearest : FoundValue::NumberState::kNone;
      on_value_(node, value);
      return first + size;
    }
    const char* at = BehindBareValue(first);
    if (node.wanted()) {
      Found(node, ValueKind::kNumber, {first, static_cast<size_t>(at - first)}, inside);
    }
    return at;
  }

  void Found(const PathNode& node, ValueKind kind, std::string_view text, Inside inside) {
    on_value_(node, out_.Add(node, kind, text, inside.element));
  }

  const char* Open(const PathNode& node, const char* at, Inside inside) {
    const bool is_array = *at == '[';
    const PathNode::Children children = node.children();
    if (children.empty() && !(is_array && node.wanted())) return BehindContainer(at);
    const bool is_element = !frames_.empty() && frames_.back().is_array;
    ElementTable& elements = out_.elements_;
    const bool counts = !is_array && !outline_.may_repeat;
    const uint32_t element =
        is_element ? elements.Open(inside.element, frames_.back().array) : inside.element;
    const uint32_t jump = HasJump(at) ? jump_++ : kNoJump;
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
    return at + 1;
  }

  const char* Close(const char* at) {
    Pop();
    return at + 1;
  }

  void Pop() {
    const Frame& frame = frames_.back();
    if (frame.is_element) out_.elements_.Close(frame.element);
    if (frame.jump != kNoJump) jump_ = outline_.jumps[frame.jump].next;
    frames_.pop_back();
  }

  // N2: the rest of the object on top holds nothing that is wanted.
  const char* LeaveEarly(const char* at) {
    const Frame& frame = frames_.back();
    if (frame.jump != kNoJump) {
      at = begin_ + outline_.jumps[frame.jump].end;
    } else if (frames_.size() > 1) {
      at = BehindClose(at);
    }
    Pop();
    return at;
  }

  // ---- Steps over text

  const char* BehindSpace(const char* at) const {
    while (IsSpace(*at)) ++at;
    return at;
  }

  // A comma that may be here, and the white space around it.
  const char* BehindComma(const char* at) const {
    at = BehindSpace(at);
    return *at == ',' ? BehindSpace(at + 1) : at;
  }

  NameText NameIn(const char* open, const char* behind) {
    const std::string_view name(open + 1, static_cast<size_t>(behind - open) - 2);
    if (outline_.has_escapes && name.find('\\') != std::string_view::npos) {
      const std::string_view text = out_.Decoded({open, static_cast<size_t>(behind - open)});
      return {text, TagOf(text)};
    }
    return {name, end_ - name.data() >= 8 ? TagOf(Load64(name.data()), name.size()) : TagOf(name)};
  }

  // From the opening quote to behind the closing one. In a large container the map is worth making.
  const char* BehindString(const char* at, bool by_map) {
    ++at;
    while (true) {
      at = by_map ? quotes_.Next(at) : NextQuote(at);
      if (*at == '"') return at + 1;
      at += 2;  // with what is escaped
    }
  }

  const char* NextQuote(const char* at) const {
    for (; end_ - at >= 8; at += 8) {
      const uint64_t word = Load64(at);
      const uint64_t marks = MarksOf(word, '"') | MarksOf(word, '\\');
      if (marks != 0) return at + std::countr_zero(marks) / 8;
    }
    while (*at != '"' && *at != '\\') ++at;
    return at;
  }

  const char* BehindBareValue(const char* at) const {
    for (; end_ - at >= 8; at += 8) {
      const uint64_t word = Load64(at);
      const uint64_t marks =
          MarksOf(word, ',') | MarksOf(word, '}') | MarksOf(word, ']') | MarksOfSpace(word);
      if (marks != 0) return at + std::countr_zero(marks) / 8;
    }
    while (!EndsBareValue(*at)) ++at;
    return at;
  }

  const char* BehindValue(const char* at, bool by_map) {
    if (*at == '"') return BehindString(at, by_map);
    if (*at == '{' || *at == '[') return BehindContainer(at);
    return BehindBareValue(at);
  }

  bool HasJump(const char* at) {
    // Not each large container has one, so some may lie behind in what was skipped.
    const auto offset = static_cast<size_t>(at - begin_);
    const size_t count = outline_.jumps.size();
    while (jump_ < count && outline_.jumps[jump_].begin < offset) ++jump_;
    return jump_ < count && outline_.jumps[jump_].begin == offset;
  }

  const char* BehindContainer(const char* at) {
    if (!HasJump(at)) return BehindClose(at + 1);
    const EventOutline::Jump& jump = outline_.jumps[jump_];
    jump_ = jump.next;
    return begin_ + jump.end;
  }

  // From inside a container that is too small for a jump to behind its closing bracket.
  const char* BehindClose(const char* at) {
    for (int depth = 1; depth > 0;) {
      switch (*at) {
        case '"':
          at = BehindString(at, false);
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
      ++at;
    }
    return at;
  }

  ScannedEvent& out_;
  const char* const begin_;
  const char* const end_;
  const EventOutline& outline_;
  const OnValue& on_value_;
  ByteMap<QuoteMarks> quotes_;
  uint32_t jump_ = 0;  // the first that does not begin before the place that is read
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
