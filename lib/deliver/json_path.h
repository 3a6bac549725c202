// SPDX-License-Identifier: Apache-2.0
//
// lib/deliver/json_path.h -- floor 4: paths into an event, as targets write them.
//
//   $.detail.order.id      $.resources[0]      $.detail['a.b']
//
// Only straight paths: no wildcards, filters or slices. What a path finds is a piece of the text it
// looks at, as it stands there: a string with its quotes, a number with its digits. Of a repeated
// name the first counts.
#ifndef BANYAN_LIB_DELIVER_JSON_PATH_H_
#define BANYAN_LIB_DELIVER_JSON_PATH_H_

#include <cstddef>
#include <cstdint>
#include <functional>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <variant>
#include <vector>

#include "absl/types/span.h"

namespace banyan::inline v0_1::internal {

class JsonReader;

class JsonPath {
 public:
  using Step = std::variant<std::string, uint64_t>;  // a member's name, or an index

  // nullopt for what is not such a path.
  static std::optional<JsonPath> Parse(std::string_view text);

  // The value at the path; empty if there is none.
  std::string_view Find(std::string_view json) const;

  // The scalar at the path as text: a string's characters, a number or boolean as written. nullopt
  // if there is nothing, null, an object or an array.
  std::optional<std::string> FindScalar(std::string_view json) const;

  const std::vector<Step>& steps() const { return steps_; }
  // A name was written as ['name'].
  bool has_bracketed_name() const { return has_bracketed_name_; }

 private:
  std::vector<Step> steps_;
  bool has_bracketed_name_ = false;
};

// Several paths, found in one walk over the text.
class JsonPathSet {
 public:
  explicit JsonPathSet(absl::Span<const JsonPath> paths);

  // What each path finds, in their order; empty where there is nothing.
  std::vector<std::string_view> Find(std::string_view json) const;

 private:
  // The paths as a tree; one node for all that begin alike.
  struct Node {
    std::vector<size_t> paths;  // that end here
    std::map<std::string, size_t, std::less<>> members;
    std::map<uint64_t, size_t> elements;
  };
  struct Walk;

  size_t ChildOf(size_t node, const JsonPath::Step& step);

  size_t path_count_;
  std::vector<Node> nodes_;  // the root first
};

}  // namespace banyan::inline v0_1::internal

#endif  // BANYAN_LIB_DELIVER_JSON_PATH_H_
