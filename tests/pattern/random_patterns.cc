// SPDX-License-Identifier: Apache-2.0
#include "random_patterns.h"

#include <algorithm>
#include <iterator>
#include <utility>

#include "base/utf8.h"

namespace banyan::inline v0_1::internal {
namespace {

using namespace std::string_literals;
using Family = std::vector<std::string>;

// ---- The worlds (R1). Strings are UTF-8; "\xed\xa0\x80" is a lone half of a surrogate pair, as
// the reader keeps it.

// Each long name is a prefix of the next or differs from it in its last byte.
const std::string kLong8 = "eightchr", kLong16 = "eightchr_sixteen",
                  kLong64 = std::string(60, 'n') + "ame4",
                  kLong200 = std::string(120, 'w') + std::string(80, 'v');

const std::vector<Family>& PathFamilies() {
  static const auto* families = new std::vector<Family>{
      {"a", "b", "c"},
      {"d", "d.a", "d.b", "d.c", "d.e", "d.e.a", "d.e.b", "d.e.f.a", "d.e.f.b"},
      {"a", "a.b", "a.b.c", "a.b.d", "a.c", "b"},
      {"source", "detail-type", "detail.state", "detail.total", "detail.items.sku",
       "detail.items.count", "detail.items.tags.k", "detail.items.tags.v"},
      {"", "a", ".", ".a", "a.", "a..b", "..", " ", "a b"},
      {"$or", "$", "prefix", "numeric", "exists", "a"},
      {"q\"uote", "back\\slash", "tab\tkey", "new\nline", "q", "a/b", "nul\0key"s, "[", "{", "}x"},
      {"ü", "u\u0308", "Ａ", "\U0001F600", "\U0001F600.Ａ", "\xed\xa0\x80", "ключ.Ａ",
       "ключ.\U0001F600"},
      {kLong8, kLong8 + "9", kLong8 + "8", "eightch", kLong16, kLong16 + "7", kLong16 + "6",
       kLong8 + "." + kLong16},
      {kLong64, kLong64 + "5", kLong64.substr(0, 63) + "5", kLong64.substr(0, 63),
       kLong64 + "." + kLong64, kLong200, kLong200.substr(0, 199) + "x"},
  };
  return *families;
}

const std::vector<Family>& StringFamilies() {
  static const auto* families = new std::vector<Family>{
      {"", "a", "ab", "abc", "abcd", "abd", "b", "bc", "abcabc", "xabc", "abcx", "aab", "aba"},
      {"paid", "Paid", "PAID", "pAID", "unpaid", "paid ", " paid", "prepaid", "pai", "aid"},
      {"hh", "hhh", "ahhb", "ahbh", "hxhxhh", "h", "hahah", "ahahah", "a*b", "a\\*b", "*", "?",
       "a\\", "\\"},
      {kLong8, kLong8 + "9", kLong8 + "8", "eightch", kLong16, kLong16 + "7", kLong16 + "6",
       "x" + kLong16, kLong64, kLong64 + "5", kLong64.substr(0, 63) + "5", "5" + kLong64, kLong200,
       kLong200.substr(0, 199) + "x", "x" + kLong200.substr(1)},
      {"ß", "SS", "ss", "sS", "Ss", "ẞ", "straße", "STRASSE", "STRAßE", "strasse", "s"},
      {"k", "K", "\u212A", "ı", "i", "I", "İ", "i\u0307", "\u212B", "å", "Å"},
      {"Σ", "σ", "ς", "ΣΑΣ", "σας", "σασ", "ΣΑς", "ŉ", "ʼN", "ﬁ", "FI", "fi", "ǅ", "Ǆ", "ǆ"},
      {"\U0001F600", "a\U0001F600", "a\xed\xa0\xbd", "\xed\xa0\xbd", "\xed\xb8\x80", "\xed\xa0\x80",
       "\xed\xa0\x81", "a\U0001F601", "\uFFFD", "\U00010400", "\U00010428"},
      {"é", "e\u0301", "É", "E\u0301", "\0"s, "a\0b"s, "a", "\x7f", "\u2028", "\u00a0", "\u0080"},
      {"\"", "\\", "a\"b", "a\\b", "a\nb", "a/b", "\"a\"", "\\\"", "\\u0061", "\t", "a\tb",
       "\b\f\r"},
      {"{\"a\":1}", "[1,2]", "}", "]]", "{\"a\":\"", "\",\"b\":[", "5", "5.0", "true", "null", "x"},
      {"10.0.0.1", "010.0.0.001", "10.0.0.2", "10.0.1.1", "10.255.255.255", "11.0.0.0",
       "9.255.255.255", "0.0.0.0", "255.255.255.255", "256.0.0.1", "10.0.0", "10.0.0.1.",
       "::ffff:0a00:0001", "::FFFF:a00:1", "::ffff:10.0.0.1", "10.0.0.1/8"},
      {"::1", "0:0:0:0:0:0:0:1", "::", "2001:db8::1", "2001:DB8:0:0:0:0:0:1", "2001:0db8::0001",
       "2001:db8::2", "2001:db9::", "a00::1", "A00:0::1", "ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff",
       "1::2::3", "::ffff:0:0", ":", "10.0.0.1"},
  };
  return *families;
}

const std::vector<Family>& NumberFamilies() {
  static const auto* families = new std::vector<Family>{
      {"0", "-0", "0.0", "0e0", "-0.0e5", "0e999999999999", "5e-324", "-5e-324", "1e-400"},
      {"1", "1.0", "1e0", "10e-1", "1.0000000000000002", "0.9999999999999999",
       "1.00000000000000001", "-1"},
      {"0.1", "0.10", "1e-1", "0.1000000000000000055511151231257827", "0.30000000000000004", "0.3",
       "0.12345678901234567", "0.1234567890123456"},
      {"5", "5.0", "5.00", "50e-1", "4.999999999999999", "5.000000000000001", "5.0000000000000001",
       "4", "6", "-5"},
      {"300", "3.00E+2", "3e2", "299.99999999999994", "300.00000000000006", "299", "301", "30"},
      {"9007199254740991", "9007199254740992", "9007199254740993", "9007199254740993.0",
       "9007199254740994", "-9007199254740993", "9.007199254740992e15", "9007199254740992.0"},
      {"1e308", "1.7976931348623157e308", "1.7976931348623158e308", "1.7976931348623159e308",
       "1e309", "1e400", "-1e400", "1E400", "-1.7976931348623157e308"},
      {"4.9e-324", "5e-324", "4.9406564584124654e-324", "2.2250738585072014e-308",
       "2.2250738585072011e-308", "1e-323", "2.2250738585072009e-308", "0"},
      {"123456789012345678", "12345678901234567", "12345678901234568", "12345678901234567890",
       "1.2345678901234568e17", "123456789012345680", "123456789012345"},
  };
  return *families;
}

}  // namespace

RandomPatterns::RandomPatterns(PatternLanguage language, std::mt19937_64& random)
    : language_(language), random_(random) {
  const auto draw = [this](const std::vector<Family>& families, size_t family_count, size_t most) {
    std::vector<std::string> drawn;
    for (size_t i = 0; i < family_count; ++i) {
      const Family& family = OneOf(families);
      drawn.insert(drawn.end(), family.begin(), family.end());
    }
    std::shuffle(drawn.begin(), drawn.end(), random_);
    drawn.resize(std::min(drawn.size(), most));
    return drawn;
  };
  if (Chance(30)) {
    // Conditions that must meet in one element of an array: worth a world of their own.
    paths_ = {"d.a", "d.b", "d.e.a", "d.e.b"};
    paths_.resize(2 + Below(3));
  } else {
    paths_ = draw(PathFamilies(), 1 + Below(2), 2 + Below(4));
  }
  strings_ = draw(StringFamilies(), 1 + Below(2), 3 + Below(10));
  numbers_ = draw(NumberFamilies(), 1 + Below(2), 2 + Below(8));
}

std::vector<size_t> RandomPatterns::Cuts(std::string_view text) {
  std::vector<size_t> cuts;
  for (size_t i = 0; i < text.size(); ++i) {
    if (!IsUtf8Continuation(text[i])) cuts.push_back(i);
  }
  cuts.push_back(text.size());
  return cuts;
}

// ---- Patterns.

std::string RandomPatterns::Pattern() {
  leaves_left_ = Chance(90) ? 1 + static_cast<int>(Below(4)) : 12;
  std::string text = PatternObject("", 0);
  if (Chance(2)) text += " and more";                // text behind the brace is not read
  if (Chance(2)) text.erase(Below(text.size()), 1);  // nearly always a refusal
  return text;
}

// The conditions below the path `prefix`, which is "" or ends in a dot.
std::string RandomPatterns::PatternObject(const std::string& prefix, int depth) {
  std::vector<std::string> inside;
  for (const std::string& path : paths_) {
    if (path.size() > prefix.size() && path.starts_with(prefix)) {
      inside.push_back(path.substr(prefix.size()));
    }
  }
  if (inside.empty()) inside.push_back("a");
  std::string text = "{";
  for (size_t i = 0, count = 1 + Below(3); i < count && (i == 0 || leaves_left_ > 0); ++i) {
    if (i > 0) text += Chance(10) ? " ,\n" : ",";
    if (depth < 3 && leaves_left_ > 1 && Chance(20)) {
      text += "\"$or\":[";
      for (size_t branch = 0, branches = 2 + Below(2); branch < branches; ++branch) {
        text += (branch > 0 ? "," : "") + PatternObject(prefix, depth + 1);
      }
      text += "]";
      continue;
    }
    const std::string& path = OneOf(inside);
    const size_t dot = path.find('.', Below(path.size() + 1));
    const bool may_nest = language_ != PatternLanguage::kSnsMessageAttributes;
    if (may_nest && dot != std::string::npos && Chance(60)) {
      const std::string key = path.substr(0, dot);
      text += Quoted(key) + ":" + PatternObject(prefix + key + ".", depth + 1);
    } else {
      text += Quoted(path) + (Chance(5) ? " : " : ":") + PatternLeaf();
    }
  }
  return text + "}";
}

std::string RandomPatterns::PatternLeaf() {
  --leaves_left_;
  std::string text = "[";
  for (size_t i = 0, count = Chance(60) ? 1 : 1 + Below(4); i < count; ++i) {
    if (i > 0) text += ",";
    text += PatternElement();
  }
  return text + "]";
}

std::string RandomPatterns::PatternElement() {
  const auto match = [](std::string_view name, std::string argument) {
    return "{\"" + std::string(name) + "\":" + std::move(argument) + "}";
  };
  const bool is_sns = language_ != PatternLanguage::kEventBridge;
  switch (Below(20)) {
    case 0:
    case 1:
    case 2:
      return Quoted(OneOf(strings_));
    case 3:
    case 4:
      return OneOf(numbers_);
    case 5:
      return std::vector<std::string>{"true", "false", "null"}[Below(3)];
    case 6:
    case 7: {
      const std::string name = Chance(50) ? "prefix" : "suffix";
      const std::string part = Quoted(TextPart());
      return match(name, is_sns || Chance(60) ? part : match("equals-ignore-case", part));
    }
    case 8:
      return match("equals-ignore-case", Quoted(OneOf(strings_)));
    case 9:
    case 10:
      return is_sns ? Quoted(TextPart()) : match("wildcard", Quoted(WildcardText()));
    case 11:
    case 12:
    case 13:
      return match("anything-but", AnythingBut());
    case 14:
    case 15:
      return match("numeric", Numeric());
    case 16:
      return match("exists", "true");
    case 17:
      return match("exists", "false");
    case 18: {
      const char* blocks[] = {"10.0.0.1/8",           "10.0.0.0/31",   "0.0.0.0/0",
                              "10.0.0.0/30",          "010.1.0.0/9",   "0.0.0.0/1",
                              "128.0.0.0/1",          "::/0",          "2001:db8::/32",
                              "2001:DB8::/127",       "::ffff:0:0/96", "a00::/8",
                              "::ffff:0a00:0000/104", "::/127",        "10.0.0.1/32"};
      return match("cidr", Quoted(blocks[Below(std::size(blocks))]));
    }
    default:
      return is_sns ? Quoted(OneOf(strings_)) : match("exactly", Quoted(OneOf(strings_)));
  }
}

std::string RandomPatterns::AnythingBut() {
  const bool is_sns = language_ != PatternLanguage::kEventBridge;
  const auto list_of = [this](const auto& element) {
    if (Chance(40)) return element();
    std::string list = "[";
    for (size_t i = 0, count = 1 + Below(4); i < count; ++i) list += (i > 0 ? "," : "") + element();
    return list + "]";
  };
  switch (Below(is_sns ? 5u : 8u)) {
    case 0:
    case 1:
      return list_of([this] { return Quoted(OneOf(strings_)); });
    case 2:
      return list_of([this] { return OneOf(numbers_); });
    case 3:
    case 4:
      if (is_sns) return "{\"prefix\":" + Quoted(TextPart()) + "}";
      return "{\"prefix\":" + list_of([this] { return Quoted(TextPart()); }) + "}";
    case 5:
      return "{\"suffix\":" + list_of([this] { return Quoted(TextPart()); }) + "}";
    case 6:
      return "{\"equals-ignore-case\":" + list_of([this] { return Quoted(OneOf(strings_)); }) + "}";
    default:
      return "{\"wildcard\":" + list_of([this] { return Quoted(WildcardText()); }) + "}";
  }
}

std::string RandomPatterns::Numeric() {
  const char* signs[] = {"=", "<", "<=", ">", ">="};
  const std::string sign = signs[Below(std::size(signs))];
  std::string text = "[\"" + sign + "\"," + OneOf(numbers_);
  if (sign[0] == '>' && Chance(60)) {
    text += (Chance(50) ? ",\"<\"," : ",\"<=\",") + OneOf(numbers_);
  }
  return text + "]";
}

// One of the strings with some runs turned into stars.
std::string RandomPatterns::WildcardText() {
  const std::string whole = OneOf(strings_);
  const std::vector<size_t> cuts = Cuts(whole);
  std::string text;
  for (size_t i = 0; i + 1 < cuts.size();) {
    if (Chance(25) && !text.ends_with('*')) {
      text += '*';
      i += Below(3);
      continue;
    }
    const std::string character = whole.substr(cuts[i], cuts[i + 1] - cuts[i]);
    if (character == "*" || character == "\\") text += '\\';
    text += character;
    ++i;
  }
  if (!text.ends_with('*') && Chance(40)) text += '*';
  return text;
}

std::string RandomPatterns::TextPart() {
  const std::string& whole = OneOf(strings_);
  const std::vector<size_t> cuts = Cuts(whole);
  const size_t a = OneOf(cuts), b = OneOf(cuts);
  switch (Below(4)) {
    case 0:
      return whole;
    case 1:
      return whole.substr(0, a);
    case 2:
      return whole.substr(a);
    default:
      return whole.substr(std::min(a, b), std::max(a, b) - std::min(a, b));
  }
}

std::string RandomPatterns::Quoted(std::string_view text) {
  std::string out;
  WriteString(text, {.space_percent = 0, .escape_percent = Chance(85) ? 0u : 30u}, &out);
  return out;
}

}  // namespace banyan::inline v0_1::internal
