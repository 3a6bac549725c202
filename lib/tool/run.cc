// SPDX-License-Identifier: Apache-2.0
#include "tool/run.h"

#include <algorithm>
#include <string_view>
#include <vector>

#include "base/strings.h"
#include "tool/options.h"
#include "tool/verb.h"

namespace banyan::inline v0_1::tool {
namespace {

using internal::StrAppend;
using internal::StrCat;

const Verb* const kVerbs[] = {&kMatch, &kLint};

const Verb* FindVerb(std::string_view name) {
  const auto* const found = std::find_if(std::begin(kVerbs), std::end(kVerbs),
                                         [name](const Verb* verb) { return verb->name == name; });
  return found == std::end(kVerbs) ? nullptr : *found;
}

std::string Usage() {
  std::string text = "banyan VERB [OPTION ...] [FILE ...]: events and the rules that want them\n\n";
  for (const Verb* verb : kVerbs) {
    const std::string pad(8 - std::min<size_t>(8, verb->name.size()), ' ');
    StrAppend(&text, "  ", verb->name, pad, verb->summary, "\n");
  }
  StrAppend(&text,
            "\nbanyan help VERB says all about one. banyan --version says which one this is.\n"
            "Exit codes are those of grep: 0 found, 1 not found, 2 trouble.\n");
  return text;
}

int Print(const Io& io, std::string_view text) {
  Output(io.out).Write(text);
  return kFound;
}

int UnknownVerb(const Io& io, std::string_view name) {
  std::vector<std::string_view> names;
  for (const Verb* verb : kVerbs) names.push_back(verb->name);
  Complain(io, "", StrCat("no verb ", name, DidYouMean(name, names), " (banyan help lists them)"));
  return kTrouble;
}

bool AsksForHelp(absl::Span<const std::string> words) {
  const auto* const end = std::find(words.begin(), words.end(), "--");
  return std::find(words.begin(), end, "--help") != end ||
         std::find(words.begin(), end, "-h") != end;
}

}  // namespace

int Run(absl::Span<const std::string> words, const Io& io) {
  if (words.empty()) {
    Output(io.err).Write(Usage());
    return kTrouble;
  }
  const std::string_view first = words.front();
  if (first == "--version" || first == "-V") return Print(io, "banyan " BANYAN_VERSION "\n");
  if (first == "help" || first == "--help" || first == "-h") {
    if (words.size() == 1) return Print(io, Usage());
    const Verb* const verb = FindVerb(words[1]);
    return verb == nullptr ? UnknownVerb(io, words[1]) : Print(io, verb->help);
  }
  const Verb* const verb = FindVerb(first);
  if (verb == nullptr) return UnknownVerb(io, first);
  if (AsksForHelp(words.subspan(1))) return Print(io, verb->help);
  return verb->run(words.subspan(1), io);
}

}  // namespace banyan::inline v0_1::tool
