// SPDX-License-Identifier: Apache-2.0
//
// lib/deliver/json_path.h -- floor 4: a path into an event, as targets write it.
//
//   $.detail.order.id      $.resources[0]      $.detail['a.b']
//
// Only straight paths: no wildcards, filters or slices, as in EventBridge's own.
#ifndef BANYAN_LIB_DELIVER_JSON_PATH_H_
#define BANYAN_LIB_DELIVER_JSON_PATH_H_

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <variant>
#include <vector>

namespace banyan::inline v0_1::internal {

class JsonPath {
 public:
  // nullopt for what is not such a path.
  static std::optional<JsonPath> Parse(std::string_view text);

  // The scalar at the path as text: a string's characters, a number or boolean as written. nullopt
  // if there is nothing, null, an object or an array. Of a repeated name the first counts.
  std::optional<std::string> FindScalar(std::string_view json) const;

 private:
  using Step = std::variant<std::string, uint64_t>;  // a member's name, or an index
  std::vector<Step> steps_;
};

}  // namespace banyan::inline v0_1::internal

#endif  // BANYAN_LIB_DELIVER_JSON_PATH_H_
