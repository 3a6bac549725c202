// SPDX-License-Identifier: Apache-2.0
#include "pattern/explain_path.h"

#include <algorithm>
#include <cstddef>
#include <limits>
#include <optional>
#include <utility>
#include <vector>

#include "base/json.h"
#include "base/strings.h"
#include "pattern/explain_text.h"

namespace banyan::inline v0_1::internal {
namespace {

using Node = EventFields::Node;

constexpr size_t kChildrenNamed = 4;
constexpr size_t kCandidatesMax = 1'000;  // names whose spelling is compared

std::vector<std::string_view> Split(std::string_view path) {
  std::vector<std::string_view> segments;
  while (true) {
    const size_t dot = std::min(path.find('.'), path.size());
    segments.push_back(path.substr(0, dot));
    if (dot == path.size()) return segments;
    path.remove_prefix(dot + 1);
  }
}

std::string Join(const std::vector<std::string_view>& segments) {
  std::string path;
  for (size_t i = 0; i < segments.size(); ++i) StrAppend(&path, i == 0 ? "" : ".", segments[i]);
  return path;
}

// The search for one path.
class Hint {
 public:
  Hint(std::string_view path, const EventFields& fields)
      : path_(path), segments_(Split(path)), fields_(fields), on_path_({0}) {
    for (const std::string_view segment : segments_) {
      const Node& node = fields.node(on_path_.back());
      const auto child = node.children.find(segment);
      if (child == node.children.end()) break;
      on_path_.push_back(child->second);
    }
  }

  PathHint Find() {
    const bool stands_there = known() == segments_.size();
    // Of empty names there is nothing to say that a reader could follow.
    if (HasEmptyName(path_)) return {.stands_there = stands_there, .clause = ""};
    if (stands_there) return {.stands_there = true, .clause = WhyNoField()};
    std::string clause = TextNotObject();
    if (clause.empty()) clause = NumberedElement();
    if (clause.empty()) clause = Lookalike();
    if (clause.empty()) clause = InsideOfText();
    if (clause.empty()) clause = Misspelt(1);
    if (clause.empty()) clause = OtherLevel();
    if (clause.empty()) clause = Misspelt(2);
    if (clause.empty()) clause = NotAnObject();
    return {.stands_there = false, .clause = std::move(clause)};
  }

 private:
  // How many segments of the path are there. The node of the first k is on_path_[k].
  size_t known() const { return on_path_.size() - 1; }
  const Node& last() const { return fields_.node(on_path_.back()); }
  std::string_view missing() const { return segments_[known()]; }

  std::string_view Known() const { return PathTo(on_path_.back(), path_, fields_); }
  std::string_view BehindKnown() const {  // the segments that are not there
    return known() == 0 ? path_ : path_.substr(Known().size() + 1);
  }
  // The path with another name for the missing segment.
  std::string With(std::string_view name) const {
    std::vector<std::string_view> segments = segments_;
    segments[known()] = name;
    return Join(segments);
  }

  // The node of the segments from `from` on, under `node`.
  std::optional<uint32_t> Follow(uint32_t node, size_t from) const {
    for (size_t i = from; i < segments_.size(); ++i) {
      const auto child = fields_.node(node).children.find(segments_[i]);
      if (child == fields_.node(node).children.end()) return std::nullopt;
      node = child->second;
    }
    return node;
  }
  bool HasFields(std::optional<uint32_t> node) const {
    return node.has_value() && !fields_.node(*node).fields.empty();
  }

  std::string WhyNoField() const {
    const Node& node = last();
    if ((node.beside & EventFields::kIgnoredAttribute) != 0) {
      return "the attribute is ignored: filter policies see the types String, Number and "
             "String.Array";
    }
    if ((node.beside & EventFields::kUnreadableArray) != 0) {
      return "the attribute is ignored: its type is String.Array and its text is no JSON array";
    }
    const bool is_array = (node.beside & EventFields::kArray) != 0;
    if (node.children.empty()) {
      const bool has_elements = is_array && (node.beside & EventFields::kObject) != 0;
      if (has_elements) return "it is an array of empty objects, and only scalars are fields";
      return is_array ? "it is an empty array, and only the scalars inside of one are fields"
                      : "it is an empty object, and only the scalars inside of one are fields";
    }
    std::string names;
    size_t count = 0;
    for (const auto& child : node.children) {
      if (count == kChildrenNamed) {
        StrAppend(&names, " and ", node.children.size() - count, " more");
        break;
      }
      StrAppend(&names, count++ > 0 ? ", " : "", Ticked(StrCat(path_, ".", child.first)));
    }
    return StrCat("it is an ", is_array ? "array of objects" : "object",
                  ", and only scalars are fields; inside of it: ", names);
  }

  // The last node that is there holds JSON text where the path goes on.
  std::string TextNotObject() const {
    for (const EventFields::Field& field : last().fields) {
      if (!Inner(field).has_value()) continue;
      return StrCat(Ticked(Known()), " is a string that holds JSON text, not an object");
    }
    return "";
  }

  // {"Message": "{\"state\": ...}"}: the path leads on in some string's text.
  std::string InsideOfText() {
    for (uint32_t n = 0; n < fields_.node_count(); ++n) {
      for (const EventFields::Field& field : fields_.node(n).fields) {
        const std::optional<EventFields> inner = Inner(field);
        if (!inner.has_value() || inner->Find(path_).empty()) continue;
        return StrCat(Ticked(PathOf(n)), " is a string that holds JSON text, with ", Ticked(path_),
                      " inside");
      }
    }
    return "";
  }

  static std::optional<EventFields> Inner(const EventFields::Field& field) {
    if (field.value.kind != ValueKind::kString) return std::nullopt;
    if (!Trimmed(field.value.text).starts_with('{')) return std::nullopt;
    return EventFields::FromJson(field.value.text, EventLimits());
  }

  // items.0.sku, items[0].sku
  std::string NumberedElement() const {
    std::string_view name = missing();
    const std::string_view digits = "0123456789";
    if (name.empty()) return "";
    if (name.find_first_not_of(digits) == std::string_view::npos) {
      if ((last().beside & EventFields::kArray) == 0) return "";
      std::vector<std::string_view> segments = segments_;
      segments.erase(segments.begin() + static_cast<ptrdiff_t>(known()));
      return StrCat("elements of an array have no number in a path, write ",
                    Ticked(Join(segments)));
    }
    const size_t bracket = name.find('[');
    if (bracket == std::string_view::npos || !name.ends_with(']')) return "";
    const std::string_view bare = name.substr(0, bracket);
    const auto child = last().children.find(bare);
    if (child == last().children.end() ||
        (fields_.node(child->second).beside & EventFields::kArray) == 0) {
      return "";
    }
    return StrCat("elements of an array have no number in a path, write ", Ticked(With(bare)));
  }

  // The whole path is there if one looks less closely.
  std::string Lookalike() const {
    const auto equal = [](std::string_view a, std::string_view b) { return a == b; };
    std::string difference;
    std::vector<std::string_view> found(segments_.begin(),
                                        segments_.begin() + static_cast<ptrdiff_t>(known()));
    uint32_t node = on_path_.back();
    while (found.size() < segments_.size()) {
      const std::string_view wanted = segments_[found.size()];
      const auto& children = fields_.node(node).children;
      auto child = children.find(wanted);
      for (auto other = children.begin(); child == children.end() && other != children.end();
           ++other) {
        const std::string here = LookalikeDifference(other->first, wanted, kAnyLookalike, equal);
        if (here.empty()) continue;
        child = other;
        if (difference.empty()) difference = here;
        break;
      }
      if (child == children.end()) return "";
      found.push_back(child->first);
      node = child->second;
    }
    if (!HasFields(node)) return "";
    return StrCat(Ticked(Join(found)), " exists, which differs in ", difference);
  }

  std::string Misspelt(size_t edits) const {
    // Short names are all near each other.
    if (missing().size() < (edits == 1 ? 3 : 6)) return "";
    size_t candidates = 0;
    for (const auto& [name, node] : last().children) {
      if (++candidates > kCandidatesMax) break;
      if (name.size() < 3 || !EditDistance(name, missing(), edits).has_value()) continue;
      if (!HasFields(Follow(node, known() + 1))) continue;
      return StrCat("did you mean ", Ticked(With(name)), "?");
    }
    return "";
  }

  // The same path but for one segment more or less.
  std::string OtherLevel() {
    const size_t size = segments_.size();
    for (uint32_t n = 1; n < fields_.node_count(); ++n) {
      if (fields_.node(n).fields.empty()) continue;
      // From the end up to the first segment that differs.
      uint32_t at = n;
      size_t left = size;
      while (left > 0 && at != 0 && NameOf(at) == segments_[left - 1]) {
        at = ParentOf(at);
        --left;
      }
      if (left == size) continue;
      const bool is_down = at != 0 && left < on_path_.size() && ParentOf(at) == on_path_[left];
      const bool is_up = left > 0 && left - 1 < on_path_.size() && at == on_path_[left - 1];
      if (is_down) return StrCat(Ticked(PathOf(n)), " exists, one level further down");
      if (!is_up) continue;
      return StrCat(Ticked(PathOf(n)),
                    size == 2 ? " exists at the top level" : " exists, one level further up");
    }
    return "";
  }

  // The path goes on behind a scalar.
  std::string NotAnObject() const {
    if (known() == 0 || last().fields.empty() || !last().children.empty()) return "";
    return StrCat(Ticked(Known()), " is ", Cut(JsonText(last().fields.front().value)),
                  ", not an object");
  }

  // ---- The way back from a node, which EventFields does not keep.

  struct Origin {
    uint32_t parent = 0;
    std::string_view name = {};
  };

  const Origin& OriginOf(uint32_t node) {
    if (origins_.empty()) {
      origins_.resize(fields_.node_count());
      for (uint32_t n = 0; n < fields_.node_count(); ++n) {
        for (const auto& [name, child] : fields_.node(n).children) origins_[child] = {n, name};
      }
    }
    return origins_[node];
  }
  uint32_t ParentOf(uint32_t node) { return OriginOf(node).parent; }
  std::string_view NameOf(uint32_t node) { return OriginOf(node).name; }

  std::string PathOf(uint32_t node) {
    std::vector<std::string_view> names;
    for (; node != 0; node = ParentOf(node)) names.push_back(NameOf(node));
    std::reverse(names.begin(), names.end());
    return Join(names);
  }

  const std::string_view path_;
  const std::vector<std::string_view> segments_;
  const EventFields& fields_;
  std::vector<uint32_t> on_path_;
  std::vector<Origin> origins_;  // made when first asked for
};

}  // namespace

PathHint NearestPath(std::string_view path, const EventFields& fields) {
  return Hint(path, fields).Find();
}

std::string_view PathTo(uint32_t node, std::string_view path, const EventFields& fields) {
  uint32_t at = 0;
  size_t size = 0;
  while (at != node && size < path.size()) {
    const size_t begin = size == 0 ? 0 : size + 1;
    size = std::min(path.find('.', begin), path.size());
    const auto& children = fields.node(at).children;
    const auto child = children.find(path.substr(begin, size - begin));
    if (child == children.end()) break;
    at = child->second;
  }
  return path.substr(0, size);
}

}  // namespace banyan::inline v0_1::internal
