// SPDX-License-Identifier: Apache-2.0
#include "banyan/arn.h"

#include <array>

#include "base/strings.h"
#include "message/errors.h"

namespace banyan::inline v0_1 {

std::string Arn::ToString() const {
  return internal::StrCat("arn:", partition, ":", service, ":", region, ":", account, ":",
                          resource);
}

absl::StatusOr<Arn> Arn::Parse(std::string_view text) {
  std::array<std::string_view, 6> parts;
  size_t count = 0;
  std::string_view rest = text;
  while (count < 5) {
    const size_t colon = rest.find(':');
    if (colon == std::string_view::npos) break;
    parts[count++] = rest.substr(0, colon);
    rest.remove_prefix(colon + 1);
  }
  parts[count++] = rest;
  if (count < 6) {
    return internal::Error(AwsError::kTopicInvalidParameter, "Invalid parameter: \"", text,
                           "\" Reason: An ARN must have at least 6 elements, not ", count);
  }
  if (parts[0] != "arn") {
    return internal::Error(AwsError::kTopicInvalidParameter, "Invalid parameter: \"", text,
                           "\" Reason: An ARN must begin with 'arn:'");
  }
  constexpr std::array<std::string_view, 6> kNames = {"",       "partition", "service",
                                                      "region", "account",   "resource"};
  for (size_t i : {size_t{1}, size_t{2}, size_t{5}}) {
    if (parts[i].empty()) {
      return internal::Error(AwsError::kTopicInvalidParameter, "Invalid parameter: \"", text,
                             "\" Reason: The ", kNames[i], " of an ARN must not be empty");
    }
  }
  return Arn{std::string(parts[1]), std::string(parts[2]), std::string(parts[3]),
             std::string(parts[4]), std::string(parts[5])};
}

}  // namespace banyan::inline v0_1
