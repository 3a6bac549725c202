// SPDX-License-Identifier: Apache-2.0
//
// Many patterns against one event, without a broker: who wants to hear of it?
#include <cstdio>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "banyan/rule_set.h"

int main() {
  using namespace banyan;

  RuleSet rules;
  for (int customer = 0; customer < 100'000; ++customer) {
    const std::string name = "c" + std::to_string(customer);
    const absl::Status added =
        rules.Put(name, R"({"detail": {"state": ["paid"], "customer": [")" + name + R"("]}})");
    if (!added.ok()) return 1;
  }
  const absl::Status big = rules.Put("big", R"({"detail": {"total": [{"numeric": [">", 100]}]}})");
  if (!big.ok()) return 1;

  // Finds two of 100,001 rules, and asks hardly any other. Other threads may match, put and remove
  // meanwhile; nobody who matches waits.
  const std::string_view paid =
      R"({"detail": {"state": "paid", "customer": "c4711", "total": 120}})";
  for (const std::string& rule : rules.Match(paid)) std::printf("wanted by %s\n", rule.c_str());

  // An event that is looked at more than once is checked once.
  const absl::StatusOr<CheckedEvent> event = CheckedEvent::Check(paid);
  if (!event.ok()) return 1;
  rules.Remove("big");
  const size_t wanted = rules.Match(*event, [](std::string_view) {});

  // Who has many events at hand matches them in one call: while one waits for memory, the next ones
  // are looked at.
  std::vector<std::string> texts;
  for (int customer = 0; customer < 10; ++customer) {
    texts.push_back(R"({"detail": {"state": "paid", "customer": "c)" +
                    std::to_string(customer * 9'973) + R"("}})");
  }
  std::vector<CheckedEvent> events;  // views of the texts, which stay as they are
  for (const std::string& text : texts) {
    absl::StatusOr<CheckedEvent> checked = CheckedEvent::Check(text);
    if (checked.ok()) events.push_back(*std::move(checked));
  }
  const size_t in_all = rules.Match(events, [](size_t e, std::string_view rule) {
    std::printf("event %zu is wanted by %.*s\n", e, static_cast<int>(rule.size()), rule.data());
  });

  // What is not valid changes nothing, and is told in EventBridge's words.
  const absl::Status bad = rules.Put("c1", R"({"detail": {"state": "paid"}})");
  std::printf("%s\n", std::string(bad.message()).c_str());
  return wanted == 1 && in_all == texts.size() && rules.Stats().rules == 100'000 && !bad.ok() ? 0
                                                                                              : 1;
}
