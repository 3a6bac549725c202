// SPDX-License-Identifier: Apache-2.0
//
// What EventChecker must answer, worked out by JsonReader alone, one thing at a time, without an
// eye on cost.
#ifndef BANYAN_TESTS_PATTERN_PLAIN_CHECKER_H_
#define BANYAN_TESTS_PATTERN_PLAIN_CHECKER_H_

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <set>
#include <string>
#include <string_view>
#include <vector>

#include "banyan/limits.h"
#include "banyan/rule_set.h"
#include "base/json.h"
#include "pattern/event_checker.h"

namespace banyan::inline v0_1::internal {

struct PlainEvent {
  struct Container {
    uint32_t begin;
    uint32_t end;
  };
  bool is_event = false;
  std::string_view json;
  std::vector<Container> containers;  // in the order of begin
  bool repeats = false;               // two names of an object lead to one path
};

inline PlainEvent CheckPlainly(std::string_view text, const Limits& limits) {
  struct Open {
    bool is_object;
    size_t container;
    size_t scope;
    std::string path;
  };
  PlainEvent event;
  JsonReader reader(text, static_cast<size_t>(limits.pattern.depth_max));
  if (reader.Next() != JsonToken::kStartObject) return {};
  const size_t origin = reader.begin();
  std::vector<Open> open;
  // The paths below one object outside arrays, or inside one element of an array.
  std::vector<std::set<std::string>> scopes;
  std::string path;
  int64_t names = 0;
  do {
    switch (reader.token()) {
      case JsonToken::kError:
      case JsonToken::kEnd:
        return {};
      case JsonToken::kStartObject:
      case JsonToken::kStartArray: {
        const bool is_member = !open.empty() && open.back().is_object;
        if (!is_member) {
          scopes.emplace_back();
          path.clear();
        }
        const size_t scope = is_member ? open.back().scope : scopes.size() - 1;
        open.push_back(
            {reader.token() == JsonToken::kStartObject, event.containers.size(), scope, path});
        event.containers.push_back({static_cast<uint32_t>(reader.begin() - origin), 0});
        break;
      }
      case JsonToken::kEndObject:
      case JsonToken::kEndArray:
        event.containers[open.back().container].end = static_cast<uint32_t>(reader.end() - origin);
        open.pop_back();
        if (open.empty()) {
          event.is_event = true;
          event.json = text.substr(origin, reader.end() - origin);
          return event;
        }
        break;
      case JsonToken::kName:
        if (++names > limits.pattern.event_names_max) return {};
        path = open.back().path + "." + std::string(reader.text());
        if (!scopes[open.back().scope].insert(path).second) event.repeats = true;
        break;
      default:
        break;
    }
    reader.Next();
  } while (true);
}

// What is wrong with EventChecker's answer; "" if nothing is. `checker` and `checked` may have seen
// other texts before.
inline std::string Fault(std::string_view text, const Limits& limits, EventChecker* checker,
                         CheckedEvent* checked) {
  // Its bytes end where they end: a sanitizer sees whoever reads on.
  const std::vector<char> exact(text.begin(), text.end());
  text = std::string_view(exact.data(), exact.size());
  const PlainEvent plain = CheckPlainly(text, limits);
  absl::Status status;
  if (checker->Check(text, limits, checked, &status) != plain.is_event) {
    return plain.is_event ? "refused: " + std::string(status.message()) : "taken for an event";
  }
  const EventOutline& outline = checked->outline();
  if (!plain.is_event) {
    if (status.code() != absl::StatusCode::kInvalidArgument) return "refused without a reason";
    return checked->json().empty() && outline.jumps.empty() ? "" : "refused, but not blank";
  }
  if (checked->json().data() != plain.json.data() || checked->json().size() != plain.json.size()) {
    return "another extent: " + std::string(checked->json());
  }
  if (outline.has_escapes != (plain.json.find('\\') != std::string_view::npos)) {
    return "has_escapes is wrong";
  }
  if (plain.repeats && !outline.may_repeat) return "may_repeat is false, but a path is repeated";

  // Every jump is a container, in their order, the event first.
  size_t c = 0;
  for (size_t j = 0; j < outline.jumps.size(); ++j) {
    const EventOutline::Jump& jump = outline.jumps[j];
    while (c < plain.containers.size() && plain.containers[c].begin < jump.begin) ++c;
    if (c == plain.containers.size() || plain.containers[c].begin != jump.begin ||
        plain.containers[c].end != jump.end) {
      return "jump " + std::to_string(j) + " is no container, or out of order";
    }
    size_t next = j + 1;
    while (next < outline.jumps.size() && outline.jumps[next].begin < jump.end) ++next;
    if (jump.next != next) return "jump " + std::to_string(j) + " has a wrong next";
    ++c;
  }
  if (outline.jumps.empty() || outline.jumps[0].begin != 0) return "the event has no jump";
  const size_t worthwhile = static_cast<size_t>(
      std::count_if(plain.containers.begin() + 1, plain.containers.end(),
                    [](const auto& container) { return container.end - container.begin >= 128; }));
  // Only many containers may cost some of them their jump.
  if (plain.containers.size() <= 1024 && outline.jumps.size() != worthwhile + 1) {
    return std::to_string(outline.jumps.size()) + " jumps, not " + std::to_string(worthwhile + 1);
  }
  if (outline.jumps.size() > std::max<size_t>(1024, text.size() / 16)) return "too many jumps";
  return "";
}

}  // namespace banyan::inline v0_1::internal

#endif  // BANYAN_TESTS_PATTERN_PLAIN_CHECKER_H_
