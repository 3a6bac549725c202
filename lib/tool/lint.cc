// SPDX-License-Identifier: Apache-2.0
//
// banyan lint: what is valid in a file of rules and does not mean what it looks like.
#include <cerrno>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "absl/container/flat_hash_map.h"
#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "banyan/lint.h"
#include "base/json.h"
#include "base/strings.h"
#include "tool/options.h"
#include "tool/rules_file.h"
#include "tool/verb.h"

namespace banyan::inline v0_1::tool {
namespace {

using internal::JsonString;
using internal::StrAppend;
using internal::StrCat;
using internal::ToStd;

constexpr std::string_view kName = "lint";

constexpr std::string_view kHelp =
    R"(banyan lint [OPTION ...] RULES.json ...

Warns of rules that are valid and wrong: that can never match, or match everything, or are implied
by another rule of the file with the same target, or ask for a field that no event has. Rules that
are not valid are warnings, too. What is said to be never, everything or implied is proved.

  --envelope ENVELOPE     what the events are known to be:
                            bus   events of an EventBridge bus (if not given, for events)
                            none  nothing: any JSON objects, any attributes
  --portable-to SERVICE   warn also of what SERVICE would refuse: bus, pipes, sns-attributes or
                          sns-body
  --language LANGUAGE     events (if not given), sns-attributes or sns-body; as for match
  --json                  one JSON object per warning and line

`banyan help match` shows what RULES.json may be. A rule that is DISABLED is looked at by itself and
not compared with others.

Exit code: 0 no warnings, 1 warnings, 2 trouble: bad usage, a file that cannot be read or is no
file of rules.
)";

struct LintRun {
  LintOptions lint;
  bool as_json = false;
  std::vector<std::string> paths;
};

absl::StatusOr<PatternService> ServiceNamed(std::string_view name) {
  if (name == "bus") return PatternService::kEventBus;
  if (name == "pipes") return PatternService::kPipes;
  if (name == "sns-attributes") return PatternService::kSnsMessageAttributes;
  if (name == "sns-body") return PatternService::kSnsMessageBody;
  return absl::InvalidArgumentError(
      StrCat("--portable-to is bus, pipes, sns-attributes or sns-body, not ", name));
}

absl::StatusOr<LintEnvelope> EnvelopeNamed(std::string_view name, PatternLanguage language) {
  if (name == "none") return LintEnvelope::kNone;
  if (name != "bus") {
    return absl::InvalidArgumentError(StrCat("--envelope is bus or none, not ", name));
  }
  if (language == PatternLanguage::kEventBridge) return LintEnvelope::kEventBus;
  return absl::InvalidArgumentError("--envelope bus goes with --language events only");
}

// What is known of the events where nobody said it.
LintEnvelope UsualEnvelope(PatternLanguage language) {
  switch (language) {
    case PatternLanguage::kEventBridge:
      return LintEnvelope::kEventBus;
    case PatternLanguage::kSnsMessageAttributes:
      return LintEnvelope::kSnsAttributes;
    case PatternLanguage::kSnsMessageBody:
      break;
  }
  return LintEnvelope::kNone;
}

absl::StatusOr<LintRun> ParseLintOptions(absl::Span<const std::string> words) {
  LintRun run;
  std::vector<std::string> envelopes, languages, services;
  absl::StatusOr<std::vector<std::string>> paths =
      ParseOptions(words, {{.name = "envelope", .values = &envelopes},
                           {.name = "json", .flag = &run.as_json},
                           {.name = "language", .values = &languages},
                           {.name = "portable-to", .values = &services}});
  if (!paths.ok()) return paths.status();
  if (paths->empty()) return absl::InvalidArgumentError("a file of rules is missing");
  run.paths = *std::move(paths);

  const absl::StatusOr<PatternLanguage> language = LanguageNamed(languages);
  if (!language.ok()) return language.status();
  run.lint.language = *language;
  run.lint.envelope = UsualEnvelope(*language);
  if (!envelopes.empty()) {
    const absl::StatusOr<LintEnvelope> envelope = EnvelopeNamed(envelopes.back(), *language);
    if (!envelope.ok()) return envelope.status();
    run.lint.envelope = *envelope;
  }
  if (!services.empty()) {
    const absl::StatusOr<PatternService> service = ServiceNamed(services.back());
    if (!service.ok()) return service.status();
    run.lint.portable_to = *service;
  }
  return run;
}

// `rule` is null if the warning is about no single one.
std::string AsJson(const RulesFile& file, const FileRule* rule, const LintWarning& warning) {
  std::string json = StrCat("{\"file\":", JsonString(file.path()));
  if (rule != nullptr) {
    const internal::TextPosition at = file.PositionIn(*rule, warning.offset);
    StrAppend(&json, ",\"line\":", at.line, ",\"column\":", at.column,
              ",\"rule\":", JsonString(rule->name));
  }
  StrAppend(&json, ",\"kind\":", JsonString(LintKindName(warning.kind)));
  if (!warning.path.empty()) StrAppend(&json, ",\"path\":", JsonString(warning.path));
  if (!warning.other_rule_id.empty()) {
    StrAppend(&json, ",\"other_rule\":", JsonString(warning.other_rule_id));
  }
  StrAppend(&json, ",\"sentence\":", JsonString(warning.sentence), "}");
  return json;
}

std::string AsLine(const RulesFile& file, const FileRule* rule, const LintWarning& warning) {
  return Shown(rule == nullptr ? StrCat(file.path(), ": ", warning.sentence)
                               : file.Message(*rule, warning.sentence, warning.offset));
}

// How many warnings there were.
size_t LintFile(const RulesFile& file, const LintRun& run, Output* out) {
  std::vector<LintRule> rules;
  absl::flat_hash_map<std::string_view, const FileRule*> by_name;
  for (const FileRule& rule : file.rules()) {
    rules.push_back({.id = rule.name,
                     .pattern = rule.pattern,
                     .targets = rule.targets,
                     .is_enabled = rule.is_enabled});
    by_name[rule.name] = &rule;
  }
  const std::vector<LintWarning> warnings = LintRules(rules, run.lint);
  for (const LintWarning& warning : warnings) {
    // No rule of a file is called "".
    const FileRule* rule = warning.rule_id.empty() ? nullptr : by_name.at(warning.rule_id);
    out->Write(run.as_json ? AsJson(file, rule, warning) : AsLine(file, rule, warning));
    out->Write("\n");
  }
  return warnings.size();
}

int RunLint(absl::Span<const std::string> words, const Io& io) {
  const absl::StatusOr<LintRun> run = ParseLintOptions(words);
  if (!run.ok()) {
    Complain(io, kName, StrCat(ToStd(run.status().message()), " (banyan help lint)"));
    return kTrouble;
  }
  Output out(io.out);
  bool has_trouble = false;
  size_t warnings = 0;
  for (const std::string& path : run->paths) {
    const absl::StatusOr<RulesFile> file = RulesFile::Read(io, path);
    if (file.ok()) {
      warnings += LintFile(*file, *run, &out);
    } else {
      Complain(io, kName, ToStd(file.status().message()));
      has_trouble = true;
    }
  }
  out.Flush();
  if (out.error() != 0 && out.error() != EPIPE) {
    Complain(io, kName, StrCat("cannot write: ", ErrorText(out.error())));
    has_trouble = true;
  }
  if (has_trouble) return kTrouble;
  return warnings > 0 ? kNothing : kFound;
}

}  // namespace

const Verb kLint = {.name = kName,
                    .summary = "warns of rules that are valid and wrong",
                    .help = kHelp,
                    .run = RunLint};

}  // namespace banyan::inline v0_1::tool
