// SPDX-License-Identifier: Apache-2.0
//
// The one place that knows exceptions exist. The library throws none and builds without them;
// what a user's handler throws becomes a failed attempt.
#ifndef BANYAN_LIB_BASE_EXCEPTIONS_H_
#define BANYAN_LIB_BASE_EXCEPTIONS_H_

#include <utility>

#include "absl/status/status.h"

#if defined(__cpp_exceptions)
#include <exception>

#include "absl/strings/str_cat.h"
#endif

namespace banyan::inline v0_1::internal {

// Calls `handler(args...)`, which answers an absl::Status or something made from one.
template <typename Result, typename Handler, typename... Args>
Result CallHandler(Handler&& handler, Args&&... args) {
#if defined(__cpp_exceptions)
  try {
    return std::forward<Handler>(handler)(std::forward<Args>(args)...);
  } catch (const std::exception& e) {
    return absl::UnknownError(absl::StrCat("the handler threw: ", e.what()));
  } catch (...) {
    return absl::UnknownError("the handler threw something that is not a std::exception");
  }
#else
  return std::forward<Handler>(handler)(std::forward<Args>(args)...);
#endif
}

}  // namespace banyan::inline v0_1::internal

#endif  // BANYAN_LIB_BASE_EXCEPTIONS_H_
