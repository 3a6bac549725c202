// SPDX-License-Identifier: Apache-2.0
#include "message/trace_rules.h"

#include "absl/strings/str_format.h"
#include "base/strings.h"

namespace banyan::inline v0_1::internal {

std::string BrokenTraceRule(std::string_view header) {
  if (header.size() > kTraceHeaderBytesMax) {
    return StrCat("have length less than or equal to ", kTraceHeaderBytesMax, "; it has ",
                  header.size());
  }
  for (size_t i = 0; i < header.size(); ++i) {
    const auto byte = static_cast<unsigned char>(header[i]);
    if (byte < 0x20 || byte > 0x7E) {
      return absl::StrFormat("be printable ASCII (0x20 to 0x7E); byte %d is 0x%02X", i + 1, byte);
    }
  }
  return {};
}

}  // namespace banyan::inline v0_1::internal
