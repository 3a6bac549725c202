// SPDX-License-Identifier: Apache-2.0
#include "pattern/explain_text.h"

#include <algorithm>
#include <cstdint>
#include <iterator>
#include <vector>

#include "base/json.h"
#include "base/strings.h"
#include "base/utf8.h"
#include "pattern/fold_case.h"

namespace banyan::inline v0_1::internal {
namespace {

constexpr size_t kComparedMax = 2'000;  // bytes of a text
constexpr size_t kShownMax = 200;
constexpr size_t kEditedMax = 64;

// A character that is the same as two others, one behind the other.
struct Decomposition {
  uint32_t character;
  uint32_t first;
  uint32_t second;
};

#include "pattern/decomposition_table.inc"

void AppendDecomposed(char32_t c, std::u32string* out) {
  if (c >= 0xAC00 && c < 0xD7A4) {  // Hangul: the syllables are in the order of their letters
    constexpr char32_t kVowels = 21, kTails = 28;
    const char32_t syllable = c - 0xAC00;
    out->push_back(0x1100 + syllable / (kVowels * kTails));
    out->push_back(0x1161 + syllable / kTails % kVowels);
    if (syllable % kTails != 0) out->push_back(0x11A7 + syllable % kTails);
    return;
  }
  std::u32string marks;  // outermost first
  while (true) {
    const auto* row = std::lower_bound(
        std::begin(kDecompositions), std::end(kDecompositions), static_cast<uint32_t>(c),
        [](const Decomposition& entry, uint32_t wanted) { return entry.character < wanted; });
    if (row == std::end(kDecompositions) || row->character != c) break;
    marks.push_back(row->second);
    c = row->first;
  }
  out->push_back(c);
  out->append(marks.rbegin(), marks.rend());
}

bool IsSpace(char32_t c) {
  return (c >= 0x09 && c <= 0x0D) || c == ' ' || c == 0x85 || c == 0xA0 || c == 0x1680 ||
         (c >= 0x2000 && c <= 0x200A) || c == 0x2028 || c == 0x2029 || c == 0x202F || c == 0x205F ||
         c == 0x3000;
}

bool IsInvisible(char32_t c) {
  return c < 0x09 || (c > 0x0D && c < 0x20) || c == 0x7F || c == 0xAD || c == 0x034F ||
         c == 0x061C || c == 0x180E || (c >= 0x200B && c <= 0x200F) ||
         (c >= 0x202A && c <= 0x202E) || (c >= 0x2060 && c <= 0x2069) ||
         (c >= 0xFE00 && c <= 0xFE0F) || c == 0xFEFF;
}

// Both cases of a letter become one text.
void AppendFolded(char32_t c, std::string* out) {
  if (c < 0x80) {
    out->push_back(static_cast<char>(c >= 'a' && c <= 'z' ? c - 0x20 : c));
    return;
  }
  const std::string lower = CasesOf(c).lower;
  for (std::string_view rest = lower; !rest.empty();) out->append(CasesOf(TakeUtf8(&rest)).upper);
}

// The first character, which is taken off `text`; nullopt for a byte that is none.
std::optional<char32_t> Take(std::string_view* text) {
  if (Utf8Length(*text, Surrogates::kAccept) > 0) return TakeUtf8(text);
  text->remove_prefix(1);
  return std::nullopt;
}

std::string CodePoint(char32_t c) {
  std::string text = "U+";
  for (int shift = c < 0x10000 ? 12 : 16; shift >= 0; shift -= 4) {
    text.push_back("0123456789ABCDEF"[(c >> shift) & 0xF]);
  }
  return text;
}

// The first character of either text for which `is` holds, and whose it is: "U+200B in the value".
std::string Witness(std::string_view value, std::string_view wanted, bool (*is)(char32_t)) {
  const std::string_view texts[] = {value, wanted};
  const char* const owners[] = {"value", "pattern"};
  for (size_t i = 0; i < 2; ++i) {
    for (std::string_view rest = texts[i]; !rest.empty();) {
      const std::optional<char32_t> c = Take(&rest);
      if (!c.has_value() || !is(*c)) continue;
      return StrCat(CodePoint(*c), " in the ", owners[i]);
    }
  }
  return "";
}

bool StartsWithSpace(std::string_view text) {
  if (text.empty()) return false;
  const std::optional<char32_t> c = Take(&text);
  return c.has_value() && IsSpace(*c);
}

bool EndsWithSpace(std::string_view text) {
  if (text.empty()) return false;
  size_t last = text.size() - 1;
  while (last > 0 && IsUtf8Continuation(text[last])) --last;
  return StartsWithSpace(text.substr(last));
}

std::string NameOf(unsigned lookalike, std::string_view value, std::string_view wanted) {
  const bool at_start = StartsWithSpace(value) != StartsWithSpace(wanted);
  const bool at_end = EndsWithSpace(value) != EndsWithSpace(wanted);
  switch (lookalike) {
    case kCase:
      return "case";
    case kEnds:
      return at_start == at_end ? "white space at the ends"
             : at_start         ? "white space at the start"
                                : "white space at the end";
    case kSpaces:
      return StrCat("the kind of white space (",
                    Witness(value, wanted, [](char32_t c) { return c != ' ' && IsSpace(c); }), ")");
    case kInvisible:
      return StrCat("an invisible character (", Witness(value, wanted, IsInvisible), ")");
    default:
      return "Unicode composition (a letter and its accent as one character or as two)";
  }
}

}  // namespace

std::string Without(std::string_view text, unsigned lookalikes) {
  std::string out;
  size_t end = 0;  // behind the last character that is no white space
  std::u32string parts;
  while (!text.empty()) {
    const char byte = text.front();
    std::optional<char32_t> c = Take(&text);
    if (!c.has_value()) {
      out.push_back(byte);
      end = out.size();
      continue;
    }
    if ((lookalikes & kInvisible) != 0 && IsInvisible(*c)) continue;
    const bool is_space = IsSpace(*c);
    if (is_space && (lookalikes & kEnds) != 0 && out.empty()) continue;
    if (is_space && (lookalikes & kSpaces) != 0) c = U' ';
    parts.clear();
    if ((lookalikes & kComposition) != 0) {
      AppendDecomposed(*c, &parts);
    } else {
      parts.push_back(*c);
    }
    for (const char32_t part : parts) {
      if ((lookalikes & kCase) != 0) {
        AppendFolded(part, &out);
      } else {
        AppendUtf8(&out, part);
      }
    }
    if (!is_space) end = out.size();
  }
  if ((lookalikes & kEnds) != 0) out.resize(end);
  return out;
}

std::string LookalikeDifference(std::string_view value, std::string_view wanted,
                                unsigned lookalikes, TextComparison passes) {
  if (value.size() > kComparedMax || wanted.size() > kComparedMax) return "";
  const auto passes_without = [&](unsigned removed) {
    return passes(Without(value, removed), Without(wanted, removed));
  };
  if (!passes_without(lookalikes)) return "";
  // What cannot be left out is what they differ in; if each can, any one that does it alone.
  std::string difference;
  for (unsigned one = 1; one <= kAnyLookalike; one <<= 1) {
    if ((lookalikes & one) == 0 || passes_without(lookalikes & ~one)) continue;
    StrAppend(&difference, difference.empty() ? "" : " and ", NameOf(one, value, wanted));
  }
  for (unsigned one = 1; difference.empty() && one <= kAnyLookalike; one <<= 1) {
    if ((lookalikes & one) != 0 && passes_without(one)) difference = NameOf(one, value, wanted);
  }
  return difference;
}

size_t SharedAtFront(std::string_view a, std::string_view b) {
  const auto ends = std::mismatch(a.begin(), a.end(), b.begin(), b.end());
  size_t size = static_cast<size_t>(ends.first - a.begin());
  const auto is_inside_character = [&size](std::string_view text) {
    return size < text.size() && IsUtf8Continuation(text[size]);
  };
  while (size > 0 && (is_inside_character(a) || is_inside_character(b))) --size;
  return static_cast<size_t>(std::count_if(a.begin(), a.begin() + static_cast<ptrdiff_t>(size),
                                           [](char c) { return !IsUtf8Continuation(c); }));
}

size_t SharedAtEnd(std::string_view a, std::string_view b) {
  const auto ends = std::mismatch(a.rbegin(), a.rend(), b.rbegin(), b.rend());
  return static_cast<size_t>(
      std::count_if(a.rbegin(), ends.first, [](char c) { return !IsUtf8Continuation(c); }));
}

std::u32string Characters(std::string_view text) {
  std::u32string out;
  while (!text.empty()) {
    const char32_t byte = 0x110000u + static_cast<unsigned char>(text.front());
    out.push_back(Take(&text).value_or(byte));
  }
  return out;
}

std::optional<size_t> EditDistance(std::string_view a, std::string_view b, size_t max) {
  if (a.size() > kEditedMax || b.size() > kEditedMax) return std::nullopt;
  if (std::max(a.size(), b.size()) - std::min(a.size(), b.size()) > 4 * max) return std::nullopt;
  const std::u32string x = Characters(a), y = Characters(b);
  // rows[i][j]: from the first i characters of x to the first j of y.
  std::vector<std::vector<size_t>> rows(x.size() + 1, std::vector<size_t>(y.size() + 1));
  for (size_t i = 0; i <= x.size(); ++i) {
    for (size_t j = 0; j <= y.size(); ++j) {
      if (i == 0 || j == 0) {
        rows[i][j] = i + j;
        continue;
      }
      size_t least = rows[i - 1][j - 1] + (x[i - 1] == y[j - 1] ? 0 : 1);
      least = std::min({least, rows[i - 1][j] + 1, rows[i][j - 1] + 1});
      if (i > 1 && j > 1 && x[i - 1] == y[j - 2] && x[i - 2] == y[j - 1]) {
        least = std::min(least, rows[i - 2][j - 2] + 1);
      }
      rows[i][j] = least;
    }
  }
  const size_t distance = rows[x.size()][y.size()];
  return distance <= max ? std::optional(distance) : std::nullopt;
}

std::string_view Trimmed(std::string_view text) {
  constexpr std::string_view kSpace = " \t\r\n";
  text.remove_prefix(std::min(text.find_first_not_of(kSpace), text.size()));
  return text.substr(0, text.find_last_not_of(kSpace) + 1);
}

std::string Cut(std::string_view text) {
  if (text.size() <= kShownMax) return std::string(text);
  size_t cut = kShownMax;
  while (cut > 0 && IsUtf8Continuation(text[cut])) --cut;
  return StrCat(text.substr(0, cut), "...");
}

std::string Escaped(std::string_view path) {
  const std::string quoted = JsonString(Cut(path));
  return quoted.substr(1, quoted.size() - 2);
}

std::string Ticked(std::string_view path) { return StrCat("`", Escaped(path), "`"); }

std::string Subject(std::string_view path) {
  return HasEmptyName(path) ? JsonString(Cut(path)) : Escaped(path);
}

bool HasEmptyName(std::string_view path) {
  return path.empty() || path.front() == '.' || path.back() == '.' ||
         path.find("..") != std::string_view::npos;
}

}  // namespace banyan::inline v0_1::internal
