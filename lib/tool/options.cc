// SPDX-License-Identifier: Apache-2.0
#include "tool/options.h"

#include <algorithm>
#include <cctype>
#include <cstddef>
#include <optional>

#include "absl/status/status.h"
#include "base/strings.h"

namespace banyan::inline v0_1::tool {
namespace {

using internal::StrCat;

absl::Status Wrong(std::string text) { return absl::InvalidArgumentError(text); }

char Lower(char c) { return static_cast<char>(std::tolower(static_cast<unsigned char>(c))); }

// Characters to insert, drop or replace until one word is the other; case does not count.
size_t Distance(std::string_view a, std::string_view b) {
  std::vector<size_t> row(b.size() + 1);
  for (size_t j = 0; j <= b.size(); ++j) row[j] = j;
  for (size_t i = 0; i < a.size(); ++i) {
    size_t diagonal = row[0];
    row[0] = i + 1;
    for (size_t j = 0; j < b.size(); ++j) {
      const size_t replaced = diagonal + (Lower(a[i]) == Lower(b[j]) ? 0 : 1);
      diagonal = row[j + 1];
      row[j + 1] = std::min({replaced, diagonal + 1, row[j] + 1});
    }
  }
  return row.back();
}

absl::Status UnknownOption(std::string_view word, absl::Span<const Option> options) {
  std::vector<std::string> names;
  for (const Option& option : options) names.push_back(StrCat("--", option.name));
  const std::vector<std::string_view> candidates(names.begin(), names.end());
  return Wrong(StrCat("unknown option ", word, DidYouMean(word, candidates)));
}

}  // namespace

absl::StatusOr<std::vector<std::string>> ParseOptions(absl::Span<const std::string> words,
                                                      absl::Span<const Option> options) {
  std::vector<std::string> rest;
  bool options_ended = false;
  for (size_t i = 0; i < words.size(); ++i) {
    const std::string_view word = words[i];
    if (options_ended || word == "-" || !word.starts_with('-')) {
      rest.emplace_back(word);
      continue;
    }
    if (word == "--") {
      options_ended = true;
      continue;
    }

    const auto take_value = [&](const Option& option, std::string_view spelled,
                                std::optional<std::string_view> attached) -> absl::Status {
      if (!attached.has_value() && i + 1 == words.size()) {
        return Wrong(StrCat(spelled, " wants a value"));
      }
      option.values->emplace_back(attached.has_value() ? *attached : words[++i]);
      return absl::OkStatus();
    };

    if (word.starts_with("--")) {
      const size_t equals = word.find('=');
      const std::string_view spelled = word.substr(0, equals);
      const auto option =
          std::find_if(options.begin(), options.end(),
                       [spelled](const Option& each) { return each.name == spelled.substr(2); });
      if (option == options.end()) return UnknownOption(spelled, options);
      const std::optional<std::string_view> attached =
          equals == std::string_view::npos ? std::nullopt : std::optional(word.substr(equals + 1));
      if (option->flag != nullptr) {
        if (attached.has_value()) return Wrong(StrCat(spelled, " takes no value"));
        *option->flag = true;
        continue;
      }
      const absl::Status taken = take_value(*option, spelled, attached);
      if (!taken.ok()) return taken;
      continue;
    }

    // One or more letters; the first that wants a value takes the rest of the word.
    for (size_t at = 1; at < word.size(); ++at) {
      const auto option =
          std::find_if(options.begin(), options.end(),
                       [letter = word[at]](const Option& each) { return each.letter == letter; });
      if (option == options.end()) {
        // -count is more likely --count than five letters.
        return UnknownOption(word.size() > 2 ? StrCat("-", word) : std::string(word), options);
      }
      if (option->flag != nullptr) {
        *option->flag = true;
        continue;
      }
      const std::string_view attached = word.substr(at + 1);
      const absl::Status taken =
          take_value(*option, StrCat("-", word.substr(at, 1)),
                     attached.empty() ? std::nullopt : std::optional(attached));
      if (!taken.ok()) return taken;
      break;
    }
  }
  return rest;
}

std::string_view Nearest(std::string_view word, absl::Span<const std::string_view> candidates) {
  // Half the word may be wrong, or two characters; beyond that a guess is noise.
  constexpr size_t kWordMax = 100;  // nobody misspells more, and the work is quadratic
  if (word.size() > kWordMax) return "";
  std::string_view nearest;
  size_t best = std::max<size_t>(2, word.size() / 2) + 1;
  for (const std::string_view candidate : candidates) {
    if (candidate.size() > 2 * kWordMax) continue;
    const size_t distance = Distance(word, candidate);
    if (distance >= best) continue;
    best = distance;
    nearest = candidate;
  }
  return nearest;
}

std::string DidYouMean(std::string_view word, absl::Span<const std::string_view> candidates) {
  const std::string_view nearest = Nearest(word, candidates);
  return nearest.empty() ? "" : StrCat("; did you mean ", nearest, "?");
}

absl::StatusOr<PatternLanguage> LanguageNamed(absl::Span<const std::string> values) {
  if (values.empty() || values.back() == "events") return PatternLanguage::kEventBridge;
  if (values.back() == "sns-attributes") return PatternLanguage::kSnsMessageAttributes;
  if (values.back() == "sns-body") return PatternLanguage::kSnsMessageBody;
  return Wrong(StrCat("--language is events, sns-attributes or sns-body, not ", values.back()));
}

}  // namespace banyan::inline v0_1::tool
