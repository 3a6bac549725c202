// SPDX-License-Identifier: Apache-2.0
#include "message/message.h"

#include <string_view>

namespace banyan::inline v0_1::internal {

namespace {

// "Root=1-5759e988-bd862e3fe1be46a994272793;Parent=...;Sampled=1", fields in any order.
std::string_view XRayRoot(std::string_view header) {
  constexpr std::string_view kRoot = "Root=";
  while (!header.empty()) {
    const size_t end = header.find(';');
    std::string_view field = header.substr(0, end);
    while (field.starts_with(' ')) field.remove_prefix(1);
    if (field.starts_with(kRoot)) return field.substr(kRoot.size());
    if (end == std::string_view::npos) break;
    header.remove_prefix(end + 1);
  }
  return {};
}

// "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01"
std::string_view TraceparentId(std::string_view header) {
  if (header.size() < 55 || header[2] != '-' || header[35] != '-') return {};
  return header.substr(3, 32);
}

}  // namespace

const MessageTexts& Message::NoTexts() {
  static const MessageTexts* const none = new MessageTexts();
  return *none;
}

std::string TraceId(std::string_view trace_header, const Id& event_id) {
  std::string_view given = XRayRoot(trace_header);
  if (given.empty()) given = TraceparentId(trace_header);
  return given.empty() ? event_id.ToHex() : std::string(given);
}

}  // namespace banyan::inline v0_1::internal
