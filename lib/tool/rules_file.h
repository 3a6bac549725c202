// SPDX-License-Identifier: Apache-2.0
//
// lib/tool/rules_file.h -- floor 7: rules from a file, each with its place in it.
//
// What a rules file may be, told apart by its shape:
//
//   [{"name": "big", "pattern": {...}, "target": {"queue": "sales"}}, ...]    a list of rules
//   {"Rules": [{"Name": "big", "EventPattern": "{...}"}, ...]}                aws events list-rules
//   {"Name": "big", "EventPattern": "{...}", ...}                             aws events describe-rule
//   {"source": ["shop.orders"], ...}                                          one bare pattern
//
// None can be mistaken for another: a pattern is an object, and every member of it an object or a
// list, but no list of objects that have a "Name". So the forms of AWS, where patterns are strings,
// and a list are no patterns.
//
// F1  A pattern is kept as it is written: an object's bytes, or a string's characters. So a place
//     in the pattern has a place in the file, also behind the escapes of a string.
// F2  Each pattern's line and column are counted while the file is read, in one pass. So a thousand
//     messages about a file of one long line do not read it a thousand times.
// F3  Where AWS writes a member, in capitals, others are skipped: AWS says more than is needed
//     here. In the lower-case form, which is ours, an unknown member is an error: a typo.
#ifndef BANYAN_LIB_TOOL_RULES_FILE_H_
#define BANYAN_LIB_TOOL_RULES_FILE_H_

#include <cstddef>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "absl/status/statusor.h"
#include "base/json.h"
#include "tool/io.h"

namespace banyan::inline v0_1::tool {

struct FileRule {
  std::string name;
  size_t name_offset = 0;  // in the file
  std::string pattern;
  size_t pattern_offset = 0;                  // of its first character in the file
  internal::TextPosition pattern_place = {};  // the same as people count
  bool is_string = false;                     // it is written as a JSON string
  bool is_enabled = true;                     // false: "State": "DISABLED"
  std::vector<std::string> targets = {};      // ARNs, or names such as "queue sales"
};

class RulesFile {
 public:
  // Reads the file, or standard input if `path` is "-". Errors are one line that begins with the
  // place: "rules.json:12:5: rule 3 has no name".
  static absl::StatusOr<RulesFile> Read(const Io& io, const std::string& path);

  // The same for a text at hand; `path` names it in errors.
  static absl::StatusOr<RulesFile> Parse(std::string path, std::string text);

  // `text` is one pattern and nothing else, the rule's name is `name`.
  static RulesFile OnePattern(const std::string& name, std::string text);

  const std::string& path() const { return path_; }

  // In the file's order; names differ. Rules without a pattern (schedules) are left out.
  const std::vector<FileRule>& rules() const { return rules_; }

  // Line and column in the file of a byte of the rule's pattern; as "rules.json:12:5".
  internal::TextPosition PositionIn(const FileRule& rule, size_t offset) const;
  std::string Where(const FileRule& rule, size_t offset) const;

  // What is said about the rule's pattern as one line: "rules.json:12:5: rule "big": ...". Where
  // the service quotes the pattern to name a place in it, the line names that of the file; if it
  // names none, it is about the byte at `offset`.
  std::string Message(const FileRule& rule, std::string_view text, size_t offset = 0) const;

  // "; did you mean big?" for a name that no rule has, or "".
  std::string DidYouMeanRule(std::string_view name) const;

 private:
  class Reader;

  RulesFile(std::string path, std::string text) : path_(std::move(path)), text_(std::move(text)) {}
  std::string Place(size_t offset) const;  // "rules.json:12:5"

  std::string path_;
  std::string text_;
  std::vector<FileRule> rules_;
};

}  // namespace banyan::inline v0_1::tool

#endif  // BANYAN_LIB_TOOL_RULES_FILE_H_
