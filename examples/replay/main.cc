// SPDX-License-Identifier: Apache-2.0
//
// replay: events from files, or made up, go through a bus with the rules of a file.
//
//   replay aws.rules.json events.ndjson
//   replay generated.rules.json --generate 300000
//
// One thread does everything: it reads a line, puts the event, and now and then polls the runtime,
// on which the consumers of the queues run. So nothing can pile up, whatever the size of the input.
#include <sys/stat.h>

#include <cerrno>
#include <cstdint>
#include <cstdio>
#include <cstring>
#include <map>
#include <memory>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "../common/terminal.h"
#include "banyan/broker.h"
#include "banyan/runtime.h"
#include "envelope.h"
#include "generate.h"
#include "lines.h"
#include "options.h"
#include "router.h"
#include "rules.h"

namespace replay {
namespace {

using examples::WithCommas;

// An event may have 1 MiB; a longer line cannot be one.
constexpr size_t kLineBytesMax = 1 << 20;
// Unmatched events that are explained, for the tally; explaining is slower than matching.
constexpr int64_t kExplainedMax = 1'000;

// Long text is cut, so that a report stays one, and control characters are not sent to the
// terminal.
std::string Shown(std::string_view text, size_t bytes_max = 200) {
  std::string shown(text.substr(0, bytes_max));
  for (char& c : shown) {
    if (static_cast<unsigned char>(c) < ' ') c = '?';
  }
  if (text.size() > bytes_max) shown += "...";
  return shown;
}

std::string ReadAll(std::FILE* file) {
  std::string text;
  char chunk[4096];
  while (const size_t bytes = std::fread(chunk, 1, sizeof(chunk), file)) text.append(chunk, bytes);
  return text;
}

class Replay {
 public:
  Replay(const Options& options, banyan::ThreadedRuntime& runtime, Router& router)
      : options_(options), runtime_(runtime), router_(router), start_(runtime.Uptime()) {}

  // `where` names the file in messages.
  void Take(const std::string& where, const Line& line) {
    ++lines_;
    if (line.text.find_first_not_of(" \t\r") == std::string_view::npos) {
      ++blank_;
      return;
    }
    if (line.too_long) {
      Refuse(where, line, 1, "Longer than " + std::to_string(kLineBytesMax) + " bytes.");
      return;
    }
    const Envelope envelope = PutIntoEnvelope(line.text, options_.detail_type);
    if (!envelope.reason.empty()) {
      Refuse(where, line, envelope.error_byte, envelope.reason);
      return;
    }
    const absl::StatusOr<bool> matched = router_.Put(envelope.event);
    if (!matched.ok()) {
      Refuse(where, line, 0, std::string(matched.status().message()));
      return;
    }
    ++events_;
    if (!*matched) NoteUnmatched(where, line, envelope.event);
  }

  void ShowProgress(int64_t done, int64_t of, std::string_view unit) {
    const absl::Duration now = runtime_.Uptime();
    if (!progress_.Due(now)) return;
    std::string text = WithCommas(done);
    if (of > 0) text += " of " + WithCommas(of);
    text += " " + std::string(unit) + ", " + WithCommas(events_) + " events, " +
            WithCommas(PerSecond(now)) + " a second";
    progress_.Show(now, text);
  }

  // False if the books do not balance.
  bool Finish() {
    router_.Drain();
    const absl::Duration now = runtime_.Uptime();
    progress_.Clear();
    std::printf("%s lines: %s events, %s refused, %s blank\n\n", WithCommas(lines_).c_str(),
                WithCommas(events_).c_str(), WithCommas(refused_).c_str(),
                WithCommas(blank_).c_str());
    const bool balances = router_.PrintReport();
    if (!balances) {
      std::printf("\nTHE BOOKS DO NOT BALANCE.\n");
    } else if (unread_.empty()) {
      std::printf("\nThe books balance: all that matched arrived and was settled.\n");
    }

    if (unmatched_ > 0) {
      std::printf("\n%s events matched no rule.\n", WithCommas(unmatched_).c_str());
      for (const std::string& text : unmatched_shown_) std::printf("%s", text.c_str());
      std::printf("Per rule, the field at which %s dropped out:\n",
                  unmatched_ > kExplainedMax
                      ? ("the first " + WithCommas(kExplainedMax) + " of them").c_str()
                      : "they");
      for (const auto& [rule_and_field, count] : failing_fields_) {
        std::printf("  %-28s %-40s %s\n", rule_and_field.first.c_str(),
                    rule_and_field.second.c_str(), WithCommas(count).c_str());
      }
    }
    if (refused_ > 0) {
      std::printf("\n%s lines were refused.\n", WithCommas(refused_).c_str());
      for (const std::string& text : refused_shown_) std::printf("%s", text.c_str());
    }
    std::printf("\n%s events in %.3f s: %s events a second.\n", WithCommas(events_).c_str(),
                absl::ToDoubleSeconds(now - start_), WithCommas(PerSecond(now)).c_str());
    if (!unread_.empty()) {
      std::printf("\nNOT ALL WAS READ:\n");
      for (const std::string& text : unread_) std::printf("  %s\n", text.c_str());
    }
    return balances;
  }

  // `path` cannot be read to its end, for the reason in `error`.
  void NoteUnread(const std::string& path, int error) {
    unread_.push_back(path + ": " + std::strerror(error));
  }
  bool all_read() const { return unread_.empty(); }

 private:
  int64_t PerSecond(absl::Duration now) const {
    const double seconds = absl::ToDoubleSeconds(now - start_);
    return seconds > 0 ? static_cast<int64_t>(static_cast<double>(events_) / seconds) : 0;
  }

  // `byte` is the place in the line, from 1; 0: the line as a whole.
  void Refuse(const std::string& where, const Line& line, size_t byte, const std::string& reason) {
    if (refused_++ >= options_.show_max) return;
    std::string place = where + ":" + std::to_string(line.number);
    if (byte > 0) {
      place += ": byte " + std::to_string(byte) + " (byte " +
               std::to_string(line.offset + static_cast<int64_t>(byte)) + " of the input)";
    }
    refused_shown_.push_back("  " + place + ": " + Shown(reason) + "\n");
  }

  void NoteUnmatched(const std::string& where, const Line& line, std::string_view event) {
    if (unmatched_++ >= kExplainedMax) return;
    const absl::StatusOr<std::vector<banyan::RuleExplanation>> rules = router_.Explain(event);
    if (!rules.ok()) return;
    std::string text =
        "  " + where + ":" + std::to_string(line.number) + ": " + Shown(line.text, 100) + "\n";
    for (const banyan::RuleExplanation& rule : *rules) {
      ++failing_fields_[{rule.rule_name, rule.verdict.path}];
      text += "    " + rule.rule_name + ": " + Shown(rule.verdict.sentence) + "\n";
    }
    if (unmatched_ <= options_.show_max) unmatched_shown_.push_back(std::move(text));
  }

  const Options& options_;
  banyan::ThreadedRuntime& runtime_;
  Router& router_;
  const absl::Duration start_;
  examples::Progress progress_;

  int64_t lines_ = 0;
  int64_t events_ = 0;
  int64_t refused_ = 0;
  int64_t blank_ = 0;
  int64_t unmatched_ = 0;
  std::vector<std::string> refused_shown_;
  std::vector<std::string> unread_;
  std::vector<std::string> unmatched_shown_;
  // (rule, field): as many as the rules name, whatever the input.
  std::map<std::pair<std::string, std::string>, int64_t> failing_fields_;
};

void ReplayGenerated(int64_t count, Replay* replay) {
  int64_t offset = 0;
  for (int64_t i = 0; i < count; ++i) {
    const std::string text = GenerateLine(i);
    replay->Take("generated", {.text = text, .number = i + 1, .offset = offset});
    offset += static_cast<int64_t>(text.size()) + 1;
    if (i % 1024 == 0) replay->ShowProgress(i, count, "lines");
  }
}

void ReplayFile(const std::string& path, Replay* replay) {
  const bool is_stdin = path == "-";
  std::FILE* file = is_stdin ? stdin : std::fopen(path.c_str(), "rb");
  if (file == nullptr) {
    replay->NoteUnread(path, errno);
    return;
  }
  struct stat status = {};
  const int64_t size =
      fstat(fileno(file), &status) == 0 && S_ISREG(status.st_mode) ? status.st_size : 0;

  LineReader reader(file, kLineBytesMax);
  Line line;
  while (reader.Next(&line)) {
    replay->Take(is_stdin ? "stdin" : path, line);
    if (line.number % 1024 == 0) replay->ShowProgress(line.offset, size, "bytes");
  }
  if (std::ferror(file) != 0) replay->NoteUnread(path, errno);
  if (!is_stdin) std::fclose(file);
}

int Main(int argc, char** argv) {
  const absl::StatusOr<Options> options = ParseOptions(argc, argv);
  if (!options.ok()) {
    std::fprintf(stderr, "replay: %s\n\n%s", std::string(options.status().message()).c_str(),
                 kUsage);
    return 2;
  }
  if (options->help) {
    std::fputs(kUsage, stdout);
    return 0;
  }

  std::FILE* rules_file = std::fopen(options->rules_path.c_str(), "rb");
  if (rules_file == nullptr) {
    std::perror(options->rules_path.c_str());
    return 2;
  }
  const absl::StatusOr<std::vector<RuleSpec>> rules = ParseRules(ReadAll(rules_file));
  std::fclose(rules_file);

  // No threads: the loop that reads the lines is also the one that runs the consumers.
  const std::unique_ptr<banyan::ThreadedRuntime> runtime =
      banyan::NewThreadedRuntime({.threads = 0});
  const absl::StatusOr<std::unique_ptr<Router>> router =
      rules.ok() ? Router::Create(*runtime, *rules) : rules.status();
  if (!router.ok()) {
    std::fprintf(stderr, "%s: %s\n", options->rules_path.c_str(),
                 std::string(router.status().message()).c_str());
    return 2;
  }

  Replay replay(*options, *runtime, **router);
  if (options->generate.has_value()) {
    ReplayGenerated(*options->generate, &replay);
  } else {
    for (const std::string& path : options->event_paths) ReplayFile(path, &replay);
  }
  if (!replay.Finish()) return 1;
  return replay.all_read() ? 0 : 2;
}

}  // namespace
}  // namespace replay

int main(int argc, char** argv) { return replay::Main(argc, argv); }
