// SPDX-License-Identifier: Apache-2.0
#include "pattern/lint_mistakes.h"

#include <algorithm>
#include <iterator>

#include "base/json.h"
#include "base/strings.h"
#include "base/utf8.h"
#include "pattern/ip.h"
#include "pattern/number.h"

namespace banyan::inline v0_1::internal {
namespace {

constexpr std::string_view kOperators[] = {"prefix",   "suffix",       "equals-ignore-case",
                                           "wildcard", "anything-but", "numeric",
                                           "exists",   "cidr"};

bool IsOperator(std::string_view text) {
  return std::find(std::begin(kOperators), std::end(kOperators), text) != std::end(kOperators);
}

bool LooksLikeRegex(std::string_view text) {
  constexpr std::string_view kMarks[] = {".*",  ".+",    "\\d",   "\\w",
                                         "\\s", "[0-9]", "[a-z]", "[A-Z]"};
  if (text.size() > 1 && (text.front() == '^' || text.back() == '$')) return true;
  return std::any_of(std::begin(kMarks), std::end(kMarks), [text](std::string_view mark) {
    return text.find(mark) != std::string_view::npos;
  });
}

std::string MistakeInString(std::string_view text, std::string_view shown, bool is_text_field) {
  const size_t colon = text.find(':');
  if (IsOperator(text) || (colon != std::string_view::npos && IsOperator(text.substr(0, colon)))) {
    const std::string name(text.substr(0, colon));
    return StrCat(shown, " is a plain string, no operator; an operator is an object: {\"", name,
                  "\": ...}");
  }
  if (LooksLikeRegex(text)) {
    return StrCat(shown,
                  " looks like a regular expression, and is a plain string: patterns have none");
  }
  if (text.find('*') != std::string_view::npos) {
    return StrCat("the * in ", shown,
                  " stands for itself; where it should stand for any text, write {\"wildcard\": ",
                  shown, "}");
  }
  if (ParseIpAddress(text).has_value()) {
    return StrCat(shown, " is compared as an address: other spellings of it match, too");
  }
  if (is_text_field) return "";
  if (IsJsonNumber(text)) {
    return StrCat(shown, " is a string, which the number ", text, " does not match");
  }
  if (text == "true" || text == "false" || text == "null") {
    return StrCat(shown, " is a string, which the literal ", text, " does not match");
  }
  if (!text.empty() && (text.front() == ' ' || text.back() == ' ')) {
    return StrCat(shown, " has a space at an end, which counts");
  }
  return "";
}

// A dot before the last * is how one writes "all names below": shop.*
bool LooksLikeRegexInWildcard(std::string_view text) {
  if (text.size() > 2 && text.ends_with(".*")) text.remove_suffix(1);
  return LooksLikeRegex(text);
}

// An operator whose argument is one string.
std::string MistakeInOperator(std::string_view name, std::string_view text,
                              std::string_view shown) {
  if ((name == "prefix" || name == "suffix") && text.find('*') != std::string_view::npos) {
    return StrCat("the * in ", shown, " stands for itself: ", name, " knows no wildcards");
  }
  if (name == "wildcard" && text.find('?') != std::string_view::npos) {
    return StrCat("the ? in ", shown, " stands for itself: only * is a wildcard");
  }
  if (name == "wildcard" && LooksLikeRegexInWildcard(text)) {
    return StrCat(shown, " looks like a regular expression; of a wildcard only * is special");
  }
  if (name == "wildcard" && text.find('*') == std::string_view::npos) {
    return StrCat(shown, " has no *, so it matches that one string only");
  }
  return "";
}

}  // namespace

std::string MistakeInElement(std::string_view element, bool is_text_field) {
  JsonReader reader(element);
  const JsonToken first = reader.Next();
  if (first == JsonToken::kString) {
    return MistakeInString(std::string(reader.text()), Shown(element), is_text_field);
  }
  if (first != JsonToken::kStartObject || reader.Next() != JsonToken::kName) return "";
  const std::string name(reader.text());
  if (reader.Next() != JsonToken::kString) return "";
  return MistakeInOperator(name, std::string(reader.text()), Shown(element));
}

std::string MistakeInName(std::string_view path, std::string_view name,
                          std::string_view leaf_text) {
  if (!IsOperator(name) || path.size() <= name.size() + 1) return "";
  const std::string_view parent = path.substr(0, path.size() - name.size() - 1);
  return StrCat("this asks for a field ", path, "; as an operator on ", parent,
                " it goes into the array: [{\"", name,
                "\": ", Shown(leaf_text.substr(1, leaf_text.size() - 2)), "}]");
}

std::string Shown(std::string_view json) {
  constexpr size_t kBytesMax = 80;
  std::string compact;
  // A text of that much white space is no longer worth its time.
  if (json.size() > 4 * kBytesMax || !CompactJson(json, &compact))
    compact = json.substr(0, 4 * kBytesMax);
  if (compact.size() <= kBytesMax) return compact;
  size_t end = kBytesMax;
  while (end > 0 && IsUtf8Continuation(compact[end])) --end;
  return StrCat(compact.substr(0, end), "...");
}

}  // namespace banyan::inline v0_1::internal
