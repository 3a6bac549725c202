// SPDX-License-Identifier: Apache-2.0
//
// Random patterns and events from a world so small that one pattern often implies another, and an
// event often meets both: five paths, some thirty strings, numbers next to each other.
#ifndef BANYAN_TESTS_PATTERN_SMALL_WORLD_H_
#define BANYAN_TESTS_PATTERN_SMALL_WORLD_H_

#include <cstddef>
#include <iterator>
#include <random>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "base/json.h"
#include "base/strings.h"

namespace banyan::inline v0_1::internal {

// Strings that share beginnings and ends, and whose cases are not symmetric.
inline constexpr std::string_view kStrings[] = {
    "",         "a",          "b",        "ab",       "ba",        "aba",       "A",
    "aB",       "Ab",         "bab",      "abab",     "\u00df",    "SS",        "ss",
    "s",        "K",          "\u212a",   "k",        "5",         "5a",        "::1",
    "10.0.0.1", "10.0.0.001", "10.0.1.1", "a00::1",   "0",         "a*",        "\u03c3",
    "\u03a3",   "\u03c2",     "11.0",     "0:0::0:1", "10.0.0.1a", "10.128.0.1"};
inline constexpr std::string_view kNumbers[] = {"0",
                                                "1",
                                                "2",
                                                "3",
                                                "-1",
                                                "1.0",
                                                "1.0000000000000002",
                                                "0.9999999999999999",
                                                "1.5",
                                                "-0.0",
                                                "5e-324",
                                                "-5e-324",
                                                "1.7976931348623157e308",
                                                "-1.7976931348623157e308",
                                                "1e400",
                                                "9007199254740993",
                                                "9007199254740993.0",
                                                "9007199254740992"};
inline constexpr std::string_view kBounds[] = {"0",
                                               "1",
                                               "2",
                                               "3",
                                               "-1",
                                               "1.5",
                                               "5e-324",
                                               "1.0000000000000002",
                                               "-0.0",
                                               "-5e-324",
                                               "1.7976931348623157e308"};
inline constexpr std::string_view kBlocks[] = {"10.0.0.0/8", "10.0.0.0/24", "10.0.0.0/9", "::/64",
                                               "0.0.0.0/0"};
inline constexpr std::string_view kWildcards[] = {"*",    "a*",  "*a",   "*b*", "a*b",   "ab",
                                                  "a*b*", "*ab", "*a*b", "1*1", "*0.0.*"};
inline constexpr std::string_view kPaths[] = {"a", "b", "d.a", "d.b", "d.c"};

class SmallWorld {
 public:
  explicit SmallWorld(std::mt19937_64& random)
      : random_(random),
        strings_(std::begin(kStrings), std::end(kStrings)),
        paths_(std::begin(kPaths), std::end(kPaths)) {}
  SmallWorld(std::mt19937_64& random, std::vector<std::string> strings,
             std::vector<std::string> paths)
      : random_(random), strings_(std::move(strings)), paths_(std::move(paths)) {}

  size_t Below(size_t bound) { return static_cast<size_t>(random_() % bound); }
  template <typename Array>
  std::string OneOf(const Array& list) {
    return std::string(list[Below(std::size(list))]);
  }

  std::string Text() { return JsonString(OneOf(strings_)); }
  std::string NonEmptyText() { return JsonString(strings_[1 + Below(strings_.size() - 1)]); }

  std::string Element() {
    switch (Below(17)) {
      case 0:
      case 1:
        return Text();
      case 2:
        return OneOf(kNumbers);
      case 3:
        return StrCat("{\"prefix\":", Text(), "}");
      case 4:
        return StrCat("{\"suffix\":", Text(), "}");
      case 5:
        return StrCat("{\"equals-ignore-case\":", Text(), "}");
      case 6:
        return StrCat("{\"", Below(2) == 0 ? "prefix" : "suffix",
                      "\":{\"equals-ignore-case\":", Text(), "}}");
      case 7:
        return StrCat("{\"wildcard\":", JsonString(OneOf(kWildcards)), "}");
      case 8:
        return StrCat("{\"cidr\":\"", OneOf(kBlocks), "\"}");
      case 9:
        return Numeric();
      case 10:
        return Below(2) == 0 ? "{\"exists\":true}" : "{\"exists\":false}";
      case 11:
        return StrCat("{\"anything-but\":", Text(), "}");
      case 12:
        return StrCat("{\"anything-but\":[", NonEmptyText(), ",", Text(), "]}");
      case 13:
        return StrCat("{\"anything-but\":", OneOf(kBounds), "}");
      case 14:
        return AnythingBut();
      case 15:
        return OneOf(std::vector<std::string>{"true", "false", "null"});
      default:
        return StrCat("{\"exactly\":", Text(), "}");
    }
  }

  std::string Numeric() {
    const std::string first = OneOf(std::vector<std::string>{"=", "<", "<=", ">", ">="});
    std::string text = StrCat("{\"numeric\":[\"", first, "\",", OneOf(kBounds));
    if (first[0] == '>' && Below(2) == 0) {
      StrAppend(&text, ",\"", Below(2) == 0 ? "<" : "<=", "\",", OneOf(kBounds));
    }
    return StrCat(text, "]}");
  }

  std::string AnythingBut() {
    switch (Below(4)) {
      case 0:
        return StrCat("{\"anything-but\":{\"prefix\":", NonEmptyText(), "}}");
      case 1:
        return StrCat("{\"anything-but\":{\"suffix\":[", NonEmptyText(), ",", NonEmptyText(),
                      "]}}");
      case 2:
        return StrCat("{\"anything-but\":{\"equals-ignore-case\":", Text(), "}}");
      default:
        return StrCat("{\"anything-but\":{\"wildcard\":", JsonString(OneOf(kWildcards)), "}}");
    }
  }

  std::string Leaf() {
    if (Below(40) == 0) return "[{\"numeric\":[\">\",1,\"<\",1.0000000000000002]}]";
    if (Below(8) == 0) return "[{\"exists\":false}]";
    std::string leaf = StrCat("[", Element());
    while (Below(5) < 2) StrAppend(&leaf, ",", Element());
    return StrCat(leaf, "]");
  }

  // Dotted paths in one flat object; sometimes a "$or", sometimes two.
  std::string Pattern() {
    std::string pattern = "{";
    const size_t conditions = 1 + Below(2);
    for (size_t i = 0; i < conditions; ++i) {
      StrAppend(&pattern, i == 0 ? "" : ",", Member());
    }
    for (size_t more = Below(4); more < 2; more += 1 + Below(2)) {
      StrAppend(&pattern, ",\"$or\":[{", Member(), "},{", Member());
      if (Below(2) == 0) StrAppend(&pattern, ",", Member());
      if (Below(3) == 0) StrAppend(&pattern, "},{", Member());
      StrAppend(&pattern, "}]");
    }
    return StrCat(pattern, "}");
  }
  std::string Member() { return StrCat("\"", OneOf(paths_), "\":", Leaf()); }

  std::string Scalar() {
    switch (Below(6)) {
      case 0:
        return OneOf(std::vector<std::string>{"true", "false", "null", "[]", "{}"});
      case 1:
      case 2:
        return OneOf(kNumbers);
      default:
        return Text();
    }
  }

  std::string Value() {
    if (Below(4) != 0) return Scalar();
    return StrCat("[", Scalar(), ",", Scalar(), "]");
  }

  std::string Inner() {
    std::string object = "{\"x\":0";
    for (const char* name : {"a", "b", "c"}) {
      if (Below(5) < 3) StrAppend(&object, ",\"", name, "\":", Value());
    }
    return StrCat(object, "}");
  }

  std::string Event() {
    std::string event = "{\"x\":0";
    for (const char* name : {"a", "b"}) {
      if (Below(4) < 3) StrAppend(&event, ",\"", name, "\":", Value());
    }
    switch (Below(5)) {
      case 0:
        break;
      case 1:
        StrAppend(&event, ",\"d.a\":", Value());
        [[fallthrough]];
      case 2:
        StrAppend(&event, ",\"d\":[", Inner(), ",", Inner(), "]");
        break;
      case 3:
        StrAppend(&event, ",\"d\":[[", Inner(), "],", Inner(), ",", Inner(), "]");
        break;
      default:
        StrAppend(&event, ",\"d\":", Inner());
    }
    return StrCat(event, "}");
  }

 private:
  std::mt19937_64& random_;
  const std::vector<std::string> strings_;  // the first is ""
  const std::vector<std::string> paths_;
};

}  // namespace banyan::inline v0_1::internal

#endif  // BANYAN_TESTS_PATTERN_SMALL_WORLD_H_
