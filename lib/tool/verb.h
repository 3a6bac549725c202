// SPDX-License-Identifier: Apache-2.0
//
// lib/tool/verb.h -- floor 7: what each of the tool's verbs brings. A new one is a file of its own
// and a row in run.cc.
#ifndef BANYAN_LIB_TOOL_VERB_H_
#define BANYAN_LIB_TOOL_VERB_H_

#include <string>
#include <string_view>

#include "absl/types/span.h"
#include "tool/io.h"

namespace banyan::inline v0_1::tool {

struct Verb {
  std::string_view name;
  std::string_view summary;  // one line of `banyan help`
  std::string_view help;     // `banyan help NAME`; ends with a line end
  // `words` are those behind the verb. Never asked for help; returns the exit code.
  int (*run)(absl::Span<const std::string> words, const Io& io);
};

extern const Verb kMatch;
extern const Verb kLint;

}  // namespace banyan::inline v0_1::tool

#endif  // BANYAN_LIB_TOOL_VERB_H_
