// SPDX-License-Identifier: Apache-2.0
#include "banyan/http_transport.h"

#include "absl/strings/match.h"
#include "base/strings.h"

namespace banyan::inline v0_1 {

std::string_view FindHeader(const HttpHeaders& headers, std::string_view name) {
  for (const auto& [its_name, value] : headers) {
    if (absl::EqualsIgnoreCase(internal::ToAbsl(its_name), internal::ToAbsl(name))) return value;
  }
  return {};
}

}  // namespace banyan::inline v0_1
