// SPDX-License-Identifier: Apache-2.0
//
// banyan match: grep for events.
//
// M1  One pass, constant memory: a block is read, its events are matched, what they print is
//     written, and only then is the next block waited for.
// M2  A line is checked once (CheckedEvent) and meets all rules at once (RuleSet). An id in the set
//     is the rule's place in the file, so that counting needs no look-up and the set's order is the
//     file's.
// M3  Trouble with one file or line is said and does not stop the others; the exit code tells.
#include <algorithm>
#include <cerrno>
#include <charconv>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <variant>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "banyan/limits.h"
#include "banyan/rule_set.h"
#include "base/strings.h"
#include "tool/event_line.h"
#include "tool/lines.h"
#include "tool/options.h"
#include "tool/progress.h"
#include "tool/rules_file.h"
#include "tool/verb.h"

namespace banyan::inline v0_1::tool {
namespace {

using internal::StrAppend;
using internal::StrCat;
using internal::ToStd;

constexpr std::string_view kName = "match";

constexpr std::string_view kHelp =
    R"(banyan match [OPTION ...] RULES.json [FILE ...]
banyan match [OPTION ...] -e PATTERN [FILE ...]

Prints the events that one rule at least matches, as they stand. Each line of the files, or of
standard input, is one event, a JSON object. Empty lines are skipped.

  -e, --pattern PATTERN   the pattern, in place of a file of rules; -e again for another
  --only NAME             of the rules in the file only this one; may be repeated
  -v, --invert            the events that no rule matches
  --with-rules            before each event the names of the rules that match it, and a tab
  -c, --count             no events, but how many matched each rule
  --explain               each event, and for each rule whether it matches and why not
  -q, --quiet             print nothing, stop at the first event; the exit code tells
  --strict                a line that is no event is trouble (exit code 2)
  --language LANGUAGE     what the patterns are:
                            events          EventBridge event patterns (if not given)
                            sns-attributes  SNS filter policies over a message's attributes; a
                                            line has them as SNS's own notifications do:
                                            {"MessageAttributes":
                                             {"tenant": {"Type": "String", "Value": "acme"}}}
                            sns-body        SNS filter policies over a message's body, the line

RULES.json is one of
  [{"name": "big", "pattern": {...}, "target": {"queue": "sales"}}, ...]
                  a list of rules; target, also a list, is what lint looks at, and may be missing
  {"Rules": [{"Name": "big", "EventPattern": "{...}", "State": "ENABLED"}, ...]}
                  what `aws events list-rules` prints; Targets, a list of {"Arn": "..."}, may be
                  added for lint
  {"Name": "big", "EventPattern": "{...}"}
                  what `aws events describe-rule` prints
  {"source": ["shop.orders"], ...}
                  any other object: one pattern, and the file's name is the rule's
In each a pattern may be an object or a string that holds one. Rules without a pattern (schedules)
and rules that are DISABLED match nothing and are left out. "-" is standard input.

Lines that are no events match nothing, not even with --invert; they are counted, and the first of
each kind is named at the end. On a terminal a long run says how far it is.

Exit code: 0 an event was found, 1 none was, 2 trouble: bad usage, a rule that is not valid, a file
that cannot be read.
)";

// Bytes of an event that --explain repeats.
constexpr size_t kShownBytes = 160;
// Names are padded to the longest, but one of them does not push all others aside.
constexpr size_t kNameWidthMax = 32;

struct MatchOptions {
  bool count = false;
  bool explain = false;
  bool invert = false;
  bool quiet = false;
  bool strict = false;
  bool with_rules = false;
  PatternLanguage language = PatternLanguage::kEventBridge;
  std::vector<std::string> only;
  std::vector<std::string> patterns;
  std::string rules_path;
  std::vector<std::string> event_paths;
};

absl::StatusOr<MatchOptions> ParseMatchOptions(absl::Span<const std::string> words) {
  MatchOptions options;
  std::vector<std::string> languages;
  absl::StatusOr<std::vector<std::string>> rest =
      ParseOptions(words, {{.name = "count", .letter = 'c', .flag = &options.count},
                           {.name = "explain", .flag = &options.explain},
                           {.name = "invert", .letter = 'v', .flag = &options.invert},
                           {.name = "language", .values = &languages},
                           {.name = "only", .values = &options.only},
                           {.name = "pattern", .letter = 'e', .values = &options.patterns},
                           {.name = "quiet", .letter = 'q', .flag = &options.quiet},
                           {.name = "strict", .flag = &options.strict},
                           {.name = "with-rules", .flag = &options.with_rules}});
  if (!rest.ok()) return rest.status();
  absl::StatusOr<PatternLanguage> language = LanguageNamed(languages);
  if (!language.ok()) return language.status();
  options.language = *language;

  if (options.count + options.explain + options.quiet + options.with_rules > 1) {
    return absl::InvalidArgumentError(
        "only one of --count, --explain, --quiet and --with-rules can be had");
  }
  if (options.with_rules && options.invert) {
    return absl::InvalidArgumentError(
        "--with-rules has nothing to name in events that no rule matches (--invert)");
  }
  if (options.patterns.empty()) {
    if (rest->empty()) {
      return absl::InvalidArgumentError("a file of rules is missing, or -e PATTERN");
    }
    options.rules_path = std::move(rest->front());
    rest->erase(rest->begin());
  } else if (!options.only.empty()) {
    return absl::InvalidArgumentError("--only chooses from a file of rules, not from patterns");
  }
  options.event_paths = *std::move(rest);
  if (options.event_paths.empty()) options.event_paths.emplace_back("-");
  int from_standard_input = options.rules_path == "-" ? 1 : 0;
  for (const std::string& path : options.event_paths) from_standard_input += path == "-" ? 1 : 0;
  if (from_standard_input > 1) {
    return absl::InvalidArgumentError("standard input can be read only once");
  }
  return options;
}

// The files that hold the rules: one, or one made of each -e.
absl::StatusOr<std::vector<RulesFile>> ReadRules(const Io& io, const MatchOptions& options) {
  std::vector<RulesFile> files;
  if (options.patterns.empty()) {
    absl::StatusOr<RulesFile> file = RulesFile::Read(io, options.rules_path);
    if (!file.ok()) return file.status();
    files.push_back(*std::move(file));
  }
  for (size_t i = 0; i < options.patterns.size(); ++i) {
    // One pattern goes by the name "pattern", of several each has its number.
    const std::string name = options.patterns.size() == 1 ? "pattern" : StrCat("pattern-", i + 1);
    files.push_back(RulesFile::OnePattern(name, options.patterns[i]));
  }
  return files;
}

class MatchRun {
 public:
  MatchRun(const MatchOptions& options, const Io& io)
      : options_(options), io_(io), out_(io.out), set_(options.language, limits_) {}

  // False: trouble, which has been said.
  bool LoadRules(const std::vector<RulesFile>& files) {
    bool all_valid = true;
    for (const RulesFile& file : files) {
      if (!HasAllWanted(file)) return false;
      for (const FileRule& rule : file.rules()) {
        if (!rule.is_enabled || !IsWanted(rule)) continue;
        const absl::Status put = set_.Put(IdOf(rules_.size()), rule.pattern);
        if (put.ok()) {
          rules_.push_back({.name = rule.name});
          name_width_ = std::max(name_width_, std::min(rule.name.size(), kNameWidthMax));
          continue;
        }
        Complain(io_, kName, file.Message(rule, ToStd(put.message())));
        all_valid = false;
      }
    }
    if (all_valid && rules_.empty()) {
      Complain(io_, kName, StrCat(files.front().path(), ": holds no rule to match with"));
      return false;
    }
    return all_valid;
  }

  void MatchFiles() {
    // A line that is written over itself and lines of output do not go to one terminal.
    const bool prints_lines = !options_.count && !options_.quiet;
    const bool shows = io_.err_is_terminal && !(prints_lines && io_.out_is_terminal);
    if (shows) bytes_total_ = SumSizes();
    Progress progress(io_, shows);
    for (const std::string& path : options_.event_paths) {
      if (IsDone()) break;
      MatchFile(path, &progress);
    }
  }

  int Finish() {
    if (options_.count) PrintCounts();
    out_.Flush();
    ReportBadLines();
    if (out_.error() != 0 && out_.error() != EPIPE) {
      Complain(io_, kName, StrCat("cannot write: ", ErrorText(out_.error())));
      has_trouble_ = true;
    }
    const int64_t found = options_.invert ? events_ - matched_ : matched_;
    if (options_.quiet && !options_.strict && found > 0) return kFound;  // as grep -q
    if (has_trouble_) return kTrouble;
    return found > 0 ? kFound : kNothing;
  }

 private:
  struct LoadedRule {
    std::string name;
    int64_t matched = 0;
  };
  struct BadLines {
    int64_t count = 0;
    std::string first;  // "events.ndjson:17"
    std::string reason;
  };

  // Digits of one width: the set's order by id is the file's.
  static std::string IdOf(size_t index) {
    std::string digits = std::to_string(index);
    return std::string(10 - digits.size(), '0') + digits;
  }
  static size_t IndexOf(std::string_view id) {
    size_t index = 0;
    std::from_chars(id.data(), id.data() + id.size(), index);
    return index;
  }

  bool IsWanted(const FileRule& rule) const {
    return options_.only.empty() ||
           std::find(options_.only.begin(), options_.only.end(), rule.name) != options_.only.end();
  }

  // Are the names of --only those of rules that can match?
  bool HasAllWanted(const RulesFile& file) const {
    for (const std::string& name : options_.only) {
      const auto rule = std::find_if(file.rules().begin(), file.rules().end(),
                                     [&name](const FileRule& each) { return each.name == name; });
      if (rule == file.rules().end()) {
        Complain(io_, kName,
                 StrCat(file.path(), ": has no rule ", name, file.DidYouMeanRule(name)));
        return false;
      }
      if (!rule->is_enabled) {
        Complain(io_, kName, StrCat(file.Where(*rule, 0), ": rule ", name, " is DISABLED"));
        return false;
      }
    }
    return true;
  }

  // Nothing that is still to come would change what is printed or answered.
  bool IsDone() const {
    if (out_.error() != 0) return true;
    const int64_t found = options_.invert ? events_ - matched_ : matched_;
    return options_.quiet && !options_.strict && found > 0;
  }

  // How much there is to read, if every file says so.
  std::optional<uint64_t> SumSizes() const {
    uint64_t sum = 0;
    for (const std::string& path : options_.event_paths) {
      const std::optional<uint64_t> size = SizeOfFile(io_, path);
      if (!size.has_value()) return std::nullopt;
      sum += *size;
    }
    return sum;
  }

  void MatchFile(const std::string& path, Progress* progress) {
    const std::string shown_path = path == "-" ? "(standard input)" : path;
    const InputFile input(io_, path);
    int error = input.error();
    if (error == 0) {
      LineReader lines(input.fd(), static_cast<size_t>(limits_.pattern.event_bytes_max));
      Line line;
      while (!IsDone() && lines.Fill()) {
        while (!IsDone() && lines.Next(&line)) Take(shown_path, line);
        out_.Flush();
        progress->Show({.bytes = bytes_before_ + lines.bytes_read(),
                        .bytes_total = bytes_total_,
                        .events = events_,
                        .matched = matched_});
      }
      bytes_before_ += lines.bytes_read();
      error = lines.error();
    }
    if (error == 0) return;
    progress->Clear();
    Complain(io_, kName, StrCat(shown_path, ": ", ErrorText(error)));
    has_trouble_ = true;
  }

  void Take(const std::string& path, const Line& line) {
    const EventLine event = ReadEventLine(line, options_.language, limits_);
    if (const auto* refusal = std::get_if<Refusal>(&event)) return TakeBad(path, line, *refusal);
    const auto* json = std::get_if<CheckedEvent>(&event);
    const auto* attributes = std::get_if<Attributes>(&event);
    if (json == nullptr && attributes == nullptr) return;  // blank

    const auto note = [this](std::string_view id) {
      LoadedRule& rule = rules_[IndexOf(id)];
      ++rule.matched;
      if (!options_.with_rules) return;
      if (!names_.empty()) names_ += ',';
      names_ += rule.name;
    };
    names_.clear();
    const bool matched =
        (json != nullptr ? set_.Match(*json, note) : set_.Match(*attributes, note)) > 0;
    ++events_;
    matched_ += matched ? 1 : 0;
    if (options_.count || options_.quiet) return;

    if (options_.explain) {
      if (matched && options_.invert) return;
      Explain(path, line, json != nullptr ? set_.Explain(json->json()) : set_.Explain(*attributes));
      return;
    }
    if (matched == options_.invert) return;
    if (options_.with_rules) {
      out_.Write(names_);
      out_.Write("\t");
    }
    out_.Write(line.text);
    out_.Write("\n");
  }

  //   orders.ndjson:2: {"state":"Paid"}
  //     yes  everything
  //     no   paid        detail.state is "Paid", the pattern wants ["paid"]
  void Explain(const std::string& path, const Line& line,
               const std::vector<RuleVerdict>& verdicts) {
    ExplainLine(path, line);
    for (const RuleVerdict& each : verdicts) {
      const std::string& name = rules_[IndexOf(each.id)].name;
      if (each.verdict.matched) {
        out_.Write(StrCat("  yes  ", name, "\n"));
        continue;
      }
      const std::string pad(name_width_ - std::min(name_width_, name.size()), ' ');
      out_.Write(StrCat("  no   ", name, pad, "  ", Shown(each.verdict.sentence), "\n"));
    }
  }

  void ExplainLine(const std::string& path, const Line& line) {
    std::string_view text = line.text;
    if (text.ends_with('\r')) text.remove_suffix(1);
    out_.Write(StrCat(path, ":", line.number, ": ", Shown(text, kShownBytes), "\n"));
  }

  void TakeBad(const std::string& path, const Line& line, const Refusal& refusal) {
    BadLines& bad = bad_lines_[static_cast<size_t>(refusal.kind)];
    if (bad.count++ == 0) {
      bad.first = StrCat(path, ":", line.number);
      bad.reason = refusal.reason;
    }
    has_trouble_ = has_trouble_ || options_.strict;
    if (!options_.explain) return;
    ExplainLine(path, line);
    out_.Write(StrCat("  not an event: ", BadLineName(refusal.kind),
                      refusal.reason.empty() ? "" : ": ", Shown(refusal.reason), "\n"));
  }

  void PrintCounts() {
    int64_t bad = 0;
    for (const BadLines& each : bad_lines_) bad += each.count;
    const size_t width = std::max<size_t>(6, std::to_string(std::max(events_, bad)).size());
    const auto print = [this, width](int64_t number, std::string_view text) {
      const std::string digits = std::to_string(number);
      out_.Write(StrCat(std::string(width - digits.size(), ' '), digits, "  ", text, "\n"));
    };
    for (const LoadedRule& rule : rules_) print(rule.matched, rule.name);
    out_.Write(StrCat(std::string(width, '-'), "\n"));
    print(matched_, "matched");
    print(events_ - matched_, "not matched");
    if (bad > 0) print(bad, "not events");
  }

  // At the end, so that it is not lost among the events; one line per kind, so that a file of
  // something else does not fill the screen.
  void ReportBadLines() {
    for (size_t kind = 0; kind < kBadLineKinds; ++kind) {
      const BadLines& bad = bad_lines_[kind];
      if (bad.count == 0) continue;
      std::string text = StrCat(bad.first, ": ", BadLineName(static_cast<BadLine>(kind)),
                                bad.reason.empty() ? "" : ": ", Shown(bad.reason, 4 * kShownBytes));
      if (bad.count > 1) {
        StrAppend(&text, " (and ", WithCommas(static_cast<uint64_t>(bad.count - 1)),
                  bad.count == 2 ? " line more like it)" : " lines more like it)");
      }
      Complain(io_, kName, text);
    }
  }

  const MatchOptions& options_;
  const Io& io_;
  const Limits limits_ = Limits::Aws();
  Output out_;
  RuleSet set_;
  std::vector<LoadedRule> rules_;
  size_t name_width_ = 0;

  std::string names_;  // of the rules that match the current event
  int64_t events_ = 0;
  int64_t matched_ = 0;  // events, not rules
  BadLines bad_lines_[kBadLineKinds];
  bool has_trouble_ = false;

  std::optional<uint64_t> bytes_total_;
  uint64_t bytes_before_ = 0;  // in files that are done
};

int RunMatch(absl::Span<const std::string> words, const Io& io) {
  const absl::StatusOr<MatchOptions> options = ParseMatchOptions(words);
  if (!options.ok()) {
    Complain(io, kName, StrCat(ToStd(options.status().message()), " (banyan help match)"));
    return kTrouble;
  }
  const absl::StatusOr<std::vector<RulesFile>> files = ReadRules(io, *options);
  if (!files.ok()) {
    Complain(io, kName, ToStd(files.status().message()));
    return kTrouble;
  }
  MatchRun run(*options, io);
  if (!run.LoadRules(*files)) return kTrouble;
  run.MatchFiles();
  return run.Finish();
}

}  // namespace

const Verb kMatch = {.name = kName,
                     .summary = "prints the events that rules match, as grep prints lines",
                     .help = kHelp,
                     .run = RunMatch};

}  // namespace banyan::inline v0_1::tool
