// SPDX-License-Identifier: Apache-2.0
#include "banyan/testing/printers.h"

#include <optional>
#include <string>
#include <string_view>

#include "absl/time/time.h"
#include "gtest/gtest.h"

namespace banyan::inline v0_1 {
namespace {

// As GoogleTest writes a string: quoted, with what cannot be printed escaped.
std::string Quoted(std::string_view text) { return ::testing::PrintToString(std::string(text)); }

}  // namespace

void PrintTo(const Id& id, std::ostream* os) { *os << id.ToString(); }

void PrintTo(const Payload& payload, std::ostream* os) { *os << Quoted(payload.view()); }

void PrintTo(const AttributeValue& value, std::ostream* os) {
  *os << value.type << " " << Quoted(value.value);
}

void PrintTo(const Attributes& attributes, std::ostream* os) {
  *os << "{";
  const char* separator = "";
  for (const auto& [name, value] : attributes) {
    *os << separator << name << ": ";
    PrintTo(value, os);
    separator = ", ";
  }
  *os << "}";
}

void PrintTo(const QueueDepth& depth, std::ostream* os) {
  *os << depth.visible << " visible, " << depth.in_flight << " in flight, " << depth.delayed
      << " delayed";
}

void PrintTo(const Received& received, std::ostream* os) {
  *os << "message " << received.id().ToString() << " with body " << Quoted(received.body());
  if (!received.attributes().empty()) {
    *os << " and attributes ";
    PrintTo(received.attributes(), os);
  }
  *os << ", sent " << absl::FormatTime(received.sent_time(), absl::UTCTimeZone()) << ", receive "
      << received.receive_count();
  if (const std::optional<std::string> source = received.dead_letter_source()) {
    *os << ", dead letter of " << *source;
  }
}

}  // namespace banyan::inline v0_1
