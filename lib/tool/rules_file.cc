// SPDX-License-Identifier: Apache-2.0
#include "tool/rules_file.h"

#include <algorithm>
#include <cerrno>
#include <cstdint>
#include <optional>
#include <utility>

#include "absl/container/flat_hash_map.h"
#include "absl/status/status.h"
#include "base/status_macros.h"
#include "base/strings.h"
#include "tool/options.h"

namespace banyan::inline v0_1::tool {
namespace {

using internal::JsonReader;
using internal::JsonToken;
using internal::StrAppend;
using internal::StrCat;

// A million rules fit; a device that never ends does not.
constexpr size_t kFileBytesMax = size_t{1} << 30;

// The file's name where the whole file is one pattern: "rules/paid.json" -> "paid".
std::string Stem(std::string_view path) {
  path.remove_prefix(path.rfind('/') + 1);  // npos + 1 is 0
  const size_t dot = path.rfind('.');
  const std::string_view stem = dot == 0 ? path : path.substr(0, dot);
  return std::string(stem.empty() || stem == "-" ? "pattern" : stem);
}

// Is the document, an object, one rule as `aws events describe-rule` prints it, or a list as
// list-rules does? Or else a pattern.
enum class Form { kPattern, kOneRule, kRules };

Form FormOfObject(std::string_view text) {
  JsonReader reader(text);
  reader.Next();
  while (reader.Next() == JsonToken::kName) {
    const bool is_rules = reader.text() == "Rules";
    const bool is_pattern = reader.text() == "EventPattern" || reader.text() == "FilterPolicy";
    reader.Next();
    if (is_pattern && reader.token() == JsonToken::kString) return Form::kOneRule;
    if (is_rules && reader.token() == JsonToken::kStartArray) {
      const JsonToken first = reader.Next();
      if (first == JsonToken::kEndArray) return Form::kRules;
      if (first == JsonToken::kStartObject) {
        while (reader.Next() == JsonToken::kName) {
          if (reader.text() == "Name") return Form::kRules;
          reader.Next();
          if (!reader.SkipValue()) return Form::kPattern;
        }
      }
      return Form::kPattern;
    }
    if (!reader.SkipValue()) return Form::kPattern;
  }
  return Form::kPattern;
}

// Of the `offset`th byte of a string's value: where it is among the characters it was written with,
// escapes included.
size_t WrittenOffset(std::string_view written, size_t offset) {
  const auto hex_unit = [written](size_t at) {
    uint32_t unit = 0;
    for (const char c : written.substr(std::min(at, written.size()), 4)) {
      unit = unit * 16 + static_cast<uint32_t>(c <= '9' ? c - '0' : (c | 0x20) - 'a' + 10);
    }
    return unit;
  };
  size_t at = 0;
  size_t decoded = 0;
  while (at < written.size()) {
    size_t width = 1;
    size_t bytes = 1;
    if (written[at] == '\\') {
      width = 2;
      if (written.substr(at).starts_with("\\u")) {
        const uint32_t unit = hex_unit(at + 2);
        width = 6;
        bytes = unit < 0x80 ? 1 : unit < 0x800 ? 2 : 3;
        const bool is_pair = unit >= 0xD800 && unit < 0xDC00 &&
                             written.substr(at + 6).starts_with("\\u") &&
                             (hex_unit(at + 8) & 0xFC00U) == 0xDC00;
        if (is_pair) {
          width = 12;
          bytes = 4;
        }
      }
    }
    if (decoded + bytes > offset) return at;
    decoded += bytes;
    at += width;
  }
  return at;
}

// The byte at a line and column, both from 1.
size_t OffsetAt(std::string_view text, size_t line, size_t column) {
  size_t at = 0;
  for (; line > 1 && at < text.size(); ++at) line -= text[at] == '\n' ? 1 : 0;
  for (; column > 1 && at < text.size(); --column) {
    do {
      ++at;
    } while (at < text.size() && (static_cast<unsigned char>(text[at]) & 0xC0) == 0x80);
  }
  return at;
}

// A place in a text that itself begins at the place `begin`.
internal::TextPosition Sum(internal::TextPosition begin, internal::TextPosition inside) {
  if (inside.line == 1) return {begin.line, begin.column + inside.column - 1};
  return {begin.line + inside.line - 1, inside.column};
}

// The number at the front of *text, taken off it.
std::optional<size_t> TakeNumber(std::string_view* text) {
  const size_t digits = std::min(text->find_first_not_of("0123456789"), text->size());
  if (digits == 0 || digits > 18) return std::nullopt;
  size_t number = 0;
  for (const char c : text->substr(0, digits)) number = number * 10 + static_cast<size_t>(c - '0');
  text->remove_prefix(digits);
  return number;
}

bool TakePrefix(std::string_view* text, std::string_view prefix) {
  if (!text->starts_with(prefix)) return false;
  text->remove_prefix(prefix.size());
  return true;
}

}  // namespace

// One pass over the document. Each method starts at the current token and leaves the last one of
// what it read current.
class RulesFile::Reader {
 public:
  explicit Reader(RulesFile* file) : file_(*file), reader_(file->text_) {}

  absl::Status Read() {
    switch (reader_.Next()) {
      case JsonToken::kError:
        return NotJson();
      case JsonToken::kEnd:
        return Wrong(0, "the file is empty");
      case JsonToken::kStartArray:
        BANYAN_RETURN_IF_ERROR(Rules());
        break;
      case JsonToken::kStartObject:
        BANYAN_RETURN_IF_ERROR(Object());
        break;
      default:
        return Wrong(reader_.begin(),
                     "neither a pattern nor a list of rules; banyan help match shows the forms");
    }
    if (!reader_.AtEndOfText()) {
      return Wrong(reader_.position(), "something follows where the rules should end");
    }
    return absl::OkStatus();
  }

 private:
  absl::Status Object() {
    switch (FormOfObject(file_.text_)) {
      case Form::kOneRule:
        return Rule();
      case Form::kRules:
        break;
      case Form::kPattern: {
        FileRule rule;
        rule.name = Stem(file_.path_);
        rule.name_offset = reader_.begin();
        BANYAN_RETURN_IF_ERROR(Pattern(&rule));
        return Add(std::move(rule));
      }
    }
    while (reader_.Next() == JsonToken::kName) {
      const bool is_rules = reader_.text() == "Rules";
      reader_.Next();
      if (is_rules && reader_.token() == JsonToken::kStartArray) {
        BANYAN_RETURN_IF_ERROR(Rules());
      } else if (!reader_.SkipValue()) {
        return NotJson();  // beside the rules, e.g. a NextToken
      }
    }
    return reader_.token() == JsonToken::kEndObject ? absl::OkStatus() : NotJson();
  }

  absl::Status Rules() {
    while (reader_.Next() == JsonToken::kStartObject) {
      ++number_;
      BANYAN_RETURN_IF_ERROR(Rule());
    }
    if (reader_.token() == JsonToken::kEndArray) return absl::OkStatus();
    if (reader_.token() == JsonToken::kError) return NotJson();
    return Wrong(reader_.begin(), "a rule must be an object");
  }

  absl::Status Rule() {
    FileRule rule;
    bool has_name = false;
    bool has_pattern = false;
    bool has_schedule = false;
    const size_t begin = reader_.begin();
    while (reader_.Next() == JsonToken::kName) {
      const std::string member(reader_.text());
      const size_t member_offset = reader_.begin();
      if (reader_.Next() == JsonToken::kError) return NotJson();
      if (member == "name" || member == "Name") {
        if (has_name) return Wrong(member_offset, StrCat(WhichRule(), " has two names"));
        has_name = true;
        rule.name_offset = reader_.begin();
        BANYAN_RETURN_IF_ERROR(String(member, &rule.name));
        const bool is_plain = Shown(rule.name) == rule.name;
        if (rule.name.empty() || !is_plain) {
          return Wrong(rule.name_offset, "a name must have characters, none of them a control one");
        }
      } else if (member == "pattern" || member == "EventPattern" || member == "FilterPolicy") {
        if (has_pattern) return Wrong(member_offset, StrCat(WhichRule(), " has two patterns"));
        has_pattern = true;
        BANYAN_RETURN_IF_ERROR(Pattern(&rule));
      } else if (member == "target" || member == "targets" || member == "Targets") {
        BANYAN_RETURN_IF_ERROR(Targets(&rule.targets));
      } else if (member == "state" || member == "State") {
        std::string state;
        BANYAN_RETURN_IF_ERROR(String(member, &state));
        rule.is_enabled = state != "DISABLED";  // AWS has several that begin with ENABLED
      } else if (member == "description" ||
                 (!member.empty() && member[0] >= 'A' && member[0] <= 'Z')) {
        has_schedule = has_schedule || member == "ScheduleExpression";
        if (!reader_.SkipValue()) return NotJson();
      } else {
        return Wrong(member_offset,
                     StrCat("a rule has no member ", internal::JsonString(member),
                            DidYouMean(member, {"name", "pattern", "target", "targets", "state",
                                                "description"})));
      }
    }
    if (reader_.token() == JsonToken::kError) return NotJson();
    if (!has_name) return Wrong(begin, StrCat(WhichRule(), " has no name"));
    if (has_pattern) return Add(std::move(rule));
    if (has_schedule) return absl::OkStatus();
    return Wrong(begin, StrCat("rule ", internal::JsonString(rule.name), " has no pattern"));
  }

  absl::Status Pattern(FileRule* rule) {
    if (reader_.token() == JsonToken::kString) {
      rule->is_string = true;
      rule->pattern = reader_.text();
      rule->pattern_offset = reader_.begin() + 1;
      CountTo(rule->pattern_offset);
      rule->pattern_place = counted_place_;
      return absl::OkStatus();
    }
    rule->pattern_offset = reader_.begin();
    CountTo(rule->pattern_offset);
    rule->pattern_place = counted_place_;
    if (!reader_.SkipValue()) return NotJson();
    rule->pattern = file_.text_.substr(rule->pattern_offset, reader_.end() - rule->pattern_offset);
    return absl::OkStatus();
  }

  // Lines and columns up to `offset`, which only grows.
  void CountTo(size_t offset) {
    const std::string_view rest = std::string_view(file_.text_).substr(counted_);
    counted_place_ = Sum(counted_place_, internal::PositionAt(rest, offset - counted_));
    counted_ = offset;
  }

  absl::Status Targets(std::vector<std::string>* targets) {
    if (reader_.token() != JsonToken::kStartArray) return Target(targets);
    while (reader_.Next() != JsonToken::kEndArray) {
      if (reader_.token() == JsonToken::kError) return NotJson();
      BANYAN_RETURN_IF_ERROR(Target(targets));
    }
    return absl::OkStatus();
  }

  // "sales", {"queue": "sales"}, {"stream": "audit", ...} or {"Id": "1", "Arn": "arn:...", ...}.
  absl::Status Target(std::vector<std::string>* targets) {
    const size_t begin = reader_.begin();
    std::string target;
    if (reader_.token() == JsonToken::kString) {
      target = reader_.text();
    } else if (reader_.token() == JsonToken::kStartObject) {
      while (reader_.Next() == JsonToken::kName) {
        const std::string member(reader_.text());
        reader_.Next();
        const bool is_string = reader_.token() == JsonToken::kString;
        if (is_string && member == "Arn") {
          target = reader_.text();
        } else if (is_string && (member == "queue" || member == "stream")) {
          target = StrCat(member, " ", reader_.text());
        }
        if (!reader_.SkipValue()) return NotJson();
      }
      if (reader_.token() == JsonToken::kError) return NotJson();
    }
    if (target.empty()) {
      return Wrong(begin, "a target is a name, or an object with \"Arn\", \"queue\" or \"stream\"");
    }
    targets->push_back(std::move(target));
    return absl::OkStatus();
  }

  absl::Status String(std::string_view member, std::string* value) {
    if (reader_.token() != JsonToken::kString) {
      return Wrong(reader_.begin(), StrCat(member, " must be a string"));
    }
    *value = reader_.text();
    return absl::OkStatus();
  }

  absl::Status Add(FileRule rule) {
    const auto [first, is_new] = names_.try_emplace(rule.name, rule.name_offset);
    if (!is_new) {
      return Wrong(rule.name_offset, StrCat("a second rule ", internal::JsonString(rule.name),
                                            "; the first is in line ",
                                            internal::PositionAt(file_.text_, first->second).line));
    }
    file_.rules_.push_back(std::move(rule));
    return absl::OkStatus();
  }

  std::string WhichRule() const { return number_ > 0 ? StrCat("rule ", number_) : "the rule"; }

  absl::Status NotJson() const {
    return Wrong(reader_.error_offset(),
                 reader_.ErrorText([this](size_t offset) { return file_.Place(offset); }));
  }

  absl::Status Wrong(size_t offset, std::string_view text) const {
    return absl::InvalidArgumentError(StrCat(file_.Place(offset), ": ", text));
  }

  RulesFile& file_;
  JsonReader reader_;
  size_t number_ = 0;   // of the current rule in its list, from 1
  size_t counted_ = 0;  // bytes whose lines and columns are counted
  internal::TextPosition counted_place_;
  absl::flat_hash_map<std::string, size_t> names_;
};

absl::StatusOr<RulesFile> RulesFile::Read(const Io& io, const std::string& path) {
  const InputFile input(io, path);
  int error = input.error();
  std::string text;
  while (error == 0 && text.size() <= kFileBytesMax) {
    constexpr size_t kBlockBytes = size_t{64} << 10;
    const size_t size = text.size();
    text.resize(size + kBlockBytes);
    const ptrdiff_t count = ReadSome(input.fd(), &text[size], kBlockBytes);
    if (count < 0) error = errno;
    text.resize(size + static_cast<size_t>(std::max<ptrdiff_t>(count, 0)));
    if (count <= 0) break;
  }
  if (error != 0) return absl::NotFoundError(StrCat(path, ": ", ErrorText(error)));
  if (text.size() > kFileBytesMax) {
    return absl::ResourceExhaustedError(StrCat(path, ": longer than ", kFileBytesMax, " bytes"));
  }
  return Parse(path, std::move(text));
}

absl::StatusOr<RulesFile> RulesFile::Parse(std::string path, std::string text) {
  RulesFile file(std::move(path), std::move(text));
  BANYAN_RETURN_IF_ERROR(Reader(&file).Read());
  return file;
}

RulesFile RulesFile::OnePattern(const std::string& name, std::string text) {
  RulesFile file(name, std::move(text));
  FileRule rule;
  rule.name = name;
  rule.pattern = file.text_;
  file.rules_.push_back(std::move(rule));
  return file;
}

std::string RulesFile::Place(size_t offset) const {
  const internal::TextPosition at = internal::PositionAt(text_, offset);
  return StrCat(path_, ":", at.line, ":", at.column);
}

internal::TextPosition RulesFile::PositionIn(const FileRule& rule, size_t offset) const {
  const std::string_view from = std::string_view(text_).substr(rule.pattern_offset);
  return Sum(rule.pattern_place,
             internal::PositionAt(from, rule.is_string ? WrittenOffset(from, offset) : offset));
}

std::string RulesFile::Where(const FileRule& rule, size_t offset) const {
  const internal::TextPosition at = PositionIn(rule, offset);
  return StrCat(path_, ":", at.line, ":", at.column);
}

std::string RulesFile::Message(const FileRule& rule, std::string_view text, size_t offset) const {
  // The service quotes the whole pattern wherever it names a place. The last place is that of the
  // error itself, behind a line break.
  const std::string source = StrCat("[Source: (String)\"", rule.pattern, "\"; line: ");
  std::string shown;
  std::string place = Where(rule, offset);
  while (!text.empty()) {
    const size_t found = text.find(source);
    StrAppend(&shown, text.substr(0, found));
    if (found == std::string_view::npos) break;
    text.remove_prefix(found + source.size());
    const std::optional<size_t> line = TakeNumber(&text);
    const bool has_column = TakePrefix(&text, ", column: ");
    const std::optional<size_t> column = has_column ? TakeNumber(&text) : std::nullopt;
    TakePrefix(&text, "]");
    if (!line.has_value() || !column.has_value()) continue;
    place = Where(rule, OffsetAt(rule.pattern, *line, *column));
    if (!text.empty()) shown += place;
  }
  constexpr std::string_view kBeforeLast = "\n at ";
  if (shown.ends_with(kBeforeLast)) shown.resize(shown.size() - kBeforeLast.size());
  return StrCat(place, ": rule ", internal::JsonString(rule.name), ": ", shown);
}

std::string RulesFile::DidYouMeanRule(std::string_view name) const {
  std::vector<std::string_view> names;
  for (const FileRule& rule : rules_) names.push_back(rule.name);
  return DidYouMean(name, names);
}

}  // namespace banyan::inline v0_1::tool
