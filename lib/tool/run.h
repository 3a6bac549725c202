// SPDX-License-Identifier: Apache-2.0
//
// lib/tool/run.h -- floor 7: the whole tool as a function, so that tests run it in their process.
#ifndef BANYAN_LIB_TOOL_RUN_H_
#define BANYAN_LIB_TOOL_RUN_H_

#include <string>

#include "absl/types/span.h"
#include "tool/io.h"

namespace banyan::inline v0_1::tool {

// `words` are the command line behind the program's name. Returns the exit code.
int Run(absl::Span<const std::string> words, const Io& io);

}  // namespace banyan::inline v0_1::tool

#endif  // BANYAN_LIB_TOOL_RUN_H_
