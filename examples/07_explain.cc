// SPDX-License-Identifier: Apache-2.0
//
// Why did my event not match? Explain names the field that failed, and what was nearly right.
// Checks itself: the exit code is 1 if a sentence is not the one expected.
#include <cstdio>

#include "banyan/pattern.h"

struct Question {
  const char* pattern;
  const char* event;
  const char* answer;
};

constexpr Question kQuestions[] = {
    {R"({"detail": {"state": ["shipped"]}})",  //
     R"({"detail": {"state": "Shipped"}})",
     R"(detail.state is "Shipped", the pattern wants "shipped": differs in case)"},

    {R"({"detail": {"state": ["shipped"]}})",  //
     R"({"detail": "{\"state\": \"shipped\"}"})",
     R"(detail.state is absent, the pattern wants "shipped": )"
     R"(`detail` is a string that holds JSON text, not an object)"},

    {R"({"items": {"sku": ["tea"], "count": [{"numeric": [">=", 10]}]}})",
     R"({"items": [{"sku": "tea", "count": 2}, {"sku": "cup", "count": 12}]})",
     R"(items.count is 12 and items.sku is "tea", )"
     R"(but the two fields are in different elements of `items`)"},
};

int main() {
  int surprises = 0;
  for (const Question& question : kQuestions) {
    const banyan::EventPattern pattern = banyan::EventPattern::Parse(question.pattern).value();
    const banyan::Explanation why = pattern.Explain(question.event);
    std::printf("%s\n", why.sentence.c_str());
    if (why.sentence != question.answer) ++surprises;
  }
  return surprises == 0 ? 0 : 1;
}
