// SPDX-License-Identifier: Apache-2.0
//
// Any bytes as rules, any bytes as an event: a rule set finds what the interpreter finds, for a
// text and for a checked event, also after rules were replaced and removed.
//
// Input: one byte that chooses the language, then texts between zero bytes. The last text is the
// event, those before it are patterns.
#include <array>
#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "banyan/pattern.h"
#include "banyan/rule_set.h"
#include "base/check.h"
#include "base/json.h"

using banyan::Attributes;
using banyan::AttributeValue;
using banyan::CheckedEvent;
using banyan::EventPattern;
using banyan::PatternLanguage;
using banyan::RuleSet;

namespace {

using Ids = std::vector<std::string>;

// The rules, each as its own pattern, oldest first.
using Rules = std::vector<std::pair<std::string, EventPattern>>;

template <typename Event>
Ids Expected(const Rules& rules, const Event& event) {
  Ids ids;
  for (const auto& [id, pattern] : rules) {
    if (pattern.Matches(event)) ids.push_back(id);
  }
  return ids;
}

// The event's text as a message: each of its top-level fields an attribute.
Attributes AsAttributes(std::string_view json) {
  Attributes message;
  banyan::internal::JsonReader reader(json);
  reader.Next();
  while (reader.Next() == banyan::internal::JsonToken::kName) {
    const std::string name(reader.text());
    const banyan::internal::JsonToken token = reader.Next();
    const size_t begin = reader.begin();
    const std::string decoded(reader.text());
    if (!reader.SkipValue()) break;
    const std::string_view text = json.substr(begin, reader.end() - begin);
    if (token == banyan::internal::JsonToken::kStartArray) {
      message.Set(name, AttributeValue::StringArray(text));
    } else if (token == banyan::internal::JsonToken::kNumber) {
      message.Set(name, AttributeValue::Number(text));
    } else {
      message.Set(name, AttributeValue("String", decoded));
    }
  }
  return message;
}

void Compare(const RuleSet& set, const Rules& rules, std::string_view json) {
  if (set.language() == PatternLanguage::kSnsMessageAttributes) {
    const Attributes message = AsAttributes(json);
    BANYAN_CHECK(set.Match(message) == Expected(rules, message),
                 "a rule set finds the interpreter's rules for attributes");
    return;
  }
  const Ids expected = Expected(rules, json);
  BANYAN_CHECK(set.Match(json) == expected, "a rule set finds the interpreter's rules for a text");
  const auto event = CheckedEvent::Check(json);
  BANYAN_CHECK(event.ok() || expected.empty(),
               "a checked event is refused only if nothing matches");
  if (!event.ok()) return;
  BANYAN_CHECK(set.Match(*event) == expected,
               "a rule set finds the interpreter's rules for a checked event");
  std::array<Ids, 3> together;
  set.Match(std::vector<CheckedEvent>(together.size(), *event),
            [&together](size_t e, std::string_view id) { together[e].emplace_back(id); });
  for (const Ids& ids : together) {
    BANYAN_CHECK(ids == expected, "a rule set finds the interpreter's rules for many events");
  }
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  if (size == 0) return 0;
  const PatternLanguage languages[] = {PatternLanguage::kEventBridge,
                                       PatternLanguage::kSnsMessageAttributes,
                                       PatternLanguage::kSnsMessageBody};
  const PatternLanguage language = languages[data[0] % 3];
  std::vector<std::string_view> texts;
  for (std::string_view rest(reinterpret_cast<const char*>(data) + 1, size - 1);;) {
    const size_t zero = rest.find('\0');
    texts.push_back(rest.substr(0, zero));
    if (zero == std::string_view::npos || texts.size() == 20) break;
    rest.remove_prefix(zero + 1);
  }
  const std::string_view event = texts.back();
  texts.pop_back();

  RuleSet set(language);
  Rules rules;
  for (const std::string_view text : texts) {
    const std::string id = std::to_string(rules.size());
    auto pattern = EventPattern::Parse(text, language);
    BANYAN_CHECK(set.Put(id, text) == pattern.status(), "a rule set refuses what Parse refuses");
    if (pattern.ok()) rules.emplace_back(id, *std::move(pattern));
  }
  Compare(set, rules, event);
  if (rules.empty()) return 0;

  // The first rule takes the last one's pattern and becomes the newest; then every second one goes.
  const EventPattern last = rules.back().second;
  BANYAN_CHECK(set.Put("0", last.text()).ok(), "a pattern that was valid is valid");
  rules.erase(rules.begin());
  rules.emplace_back("0", last);
  Compare(set, rules, event);
  for (size_t i = 0; i < rules.size(); ++i) {
    BANYAN_CHECK(set.Remove(rules[i].first), "a rule that is there can be removed");
    rules.erase(rules.begin() + static_cast<ptrdiff_t>(i));
  }
  Compare(set, rules, event);
  return 0;
}
