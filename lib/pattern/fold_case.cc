// SPDX-License-Identifier: Apache-2.0
#include "pattern/fold_case.h"

#include <algorithm>
#include <cstdint>
#include <iterator>

#include "base/utf8.h"

namespace banyan::inline v0_1::internal {
namespace {

// Characters first, first + stride, ... last, each at the same distance from its two cases.
struct CaseRun {
  uint32_t first;
  uint32_t last;
  uint32_t stride;
  int32_t to_lower;
  int32_t to_upper;
};

// A character one of whose cases is longer than one character.
struct LongCase {
  uint32_t character;
  const char* lower;
  const char* upper;
};

#include "pattern/fold_case_table.inc"

std::string Utf8(uint32_t c) {
  std::string out;
  AppendUtf8(&out, c);
  return out;
}

}  // namespace

BothCases CasesOf(char32_t character) {
  const uint32_t c = character;
  const auto* special =
      std::lower_bound(std::begin(kLongCases), std::end(kLongCases), c,
                       [](const LongCase& row, uint32_t wanted) { return row.character < wanted; });
  if (special != std::end(kLongCases) && special->character == c) {
    return {.lower = special->lower, .upper = special->upper};
  }
  // Rows with a stride of two may interleave with one neighbour ("Aa Bb Cc"), never with more: the
  // row of c is the last or the last but one that starts at or before it.
  const auto* after =
      std::upper_bound(std::begin(kCaseRuns), std::end(kCaseRuns), c,
                       [](uint32_t wanted, const CaseRun& row) { return wanted < row.first; });
  for (int back = 1; back <= 2 && after - std::begin(kCaseRuns) >= back; ++back) {
    const CaseRun& row = *(after - back);
    if (c <= row.last && (c - row.first) % row.stride == 0) {
      return {.lower = Utf8(c + static_cast<uint32_t>(row.to_lower)),
              .upper = Utf8(c + static_cast<uint32_t>(row.to_upper))};
    }
  }
  return {.lower = Utf8(c), .upper = Utf8(c)};
}

FoldedText::FoldedText(std::string_view text) {
  while (!text.empty()) characters_.push_back(CasesOf(TakeUtf8(&text)));
}

std::optional<size_t> FoldedText::LengthAtFront(std::string_view value) const {
  const size_t size = value.size();
  for (const BothCases& c : characters_) {
    if (value.starts_with(c.lower)) {
      value.remove_prefix(c.lower.size());
    } else if (value.starts_with(c.upper)) {
      value.remove_prefix(c.upper.size());
    } else {
      return std::nullopt;
    }
  }
  return size - value.size();
}

bool FoldedText::EqualTo(std::string_view value) const {
  return LengthAtFront(value) == value.size();
}

bool FoldedText::PrefixOf(std::string_view value) const { return LengthAtFront(value).has_value(); }

bool FoldedText::SuffixOf(std::string_view value) const {
  for (auto c = characters_.rbegin(); c != characters_.rend(); ++c) {
    if (value.ends_with(c->lower)) {
      value.remove_suffix(c->lower.size());
    } else if (value.ends_with(c->upper)) {
      value.remove_suffix(c->upper.size());
    } else {
      return false;
    }
  }
  return true;
}

std::optional<std::string> FoldedText::Ascii() const {
  std::string text;
  for (const BothCases& character : characters_) {
    if (character.lower.size() != 1 || character.upper.size() != 1) return std::nullopt;
    text.append(character.lower);
  }
  return text;
}

}  // namespace banyan::inline v0_1::internal
