// SPDX-License-Identifier: Apache-2.0
//
// How long can a tenant keep the engine busy with one rule or one event that the limits of AWS let
// through?
//
//   case                                                        expected
//   arrays of objects, conditions on two fields that are       linear: ns per element do not grow
//     never in one element
//   an event of a megabyte with one wanted field at its end    checked: a jump or a glance per
//                                                                member; raw: as fast as checking
//   250 wildcards with one long common beginning, or that      candidates times length of the
//     find all they ask for in the wrong order                   value
//   one rule of 1,000 alternatives from nested $or             linear in the conditions it has
//   names that repeat: one scalar 100,000 times; arrays of     linear; at most ten million steps
//     objects whose choice is a search
//   100,000 rules that one value makes candidates and          linear in the candidates
//     another refuses
//   10,000 rules that one value makes candidates and each of   linear in both: rules times values
//     1,000 others refuses
//   bombs of depth, of names and of length                     no dearer than the largest event
//                                                                of that form that is let in
//
// There is no peer: what counts is that a larger case costs no more per element, and that no case
// takes down the process. Cases report it as s_per_element and the like. Answers are compared with
// the interpreter's; a wrong one ends the program.
#include <algorithm>
#include <cstdint>
#include <functional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "banyan/pattern.h"
#include "banyan/rule_set.h"
#include "benchmark/benchmark.h"
#include "laps.h"

namespace banyan {
namespace {

// One rule alone, whose answer the interpreter gives.
class OneRule {
 public:
  explicit OneRule(const std::string& pattern) : pattern_(pattern) { PutRule(set_, "r", pattern); }

  size_t Match(const CheckedEvent& event) const {
    return set_.Match(event, [](std::string_view) {});
  }
  size_t MatchRaw(std::string_view event) const {
    return set_.Match(event, [](std::string_view) {});
  }
  void CompareWithInterpreter(std::string_view event) const {
    const bool wanted = EventPattern::Parse(pattern_).value().Matches(event);
    if ((Match(Checked(event)) == 1) != wanted || (MatchRaw(event) == 1) != wanted) {
      WrongAnswer(pattern_ + " on " + std::string(event.substr(0, 200)));
    }
  }

 private:
  std::string pattern_;
  RuleSet set_;
};

// Times the checked event and its raw text against the rule, and reports both per `units` things.
void MatchOne(benchmark::State& state, const OneRule& rule, const std::string& text, int64_t units,
              const std::string& unit) {
  rule.CompareWithInterpreter(text);
  const CheckedEvent event = Checked(text);
  for (auto _ : state) benchmark::DoNotOptimize(rule.Match(event));
  state.counters["event_bytes"] = static_cast<double>(text.size());
  state.counters["s_per_" + unit] =
      benchmark::Counter(static_cast<double>(state.iterations() * units),
                         benchmark::Counter::kIsRate | benchmark::Counter::kInvert);
}

void MatchOneRaw(benchmark::State& state, const OneRule& rule, const std::string& text,
                 int64_t units, const std::string& unit) {
  rule.CompareWithInterpreter(text);
  for (auto _ : state) benchmark::DoNotOptimize(rule.MatchRaw(text));
  state.counters["event_bytes"] = static_cast<double>(text.size());
  state.counters["s_per_" + unit] =
      benchmark::Counter(static_cast<double>(state.iterations() * units),
                         benchmark::Counter::kIsRate | benchmark::Counter::kInvert);
}

// "a,b,c" of count things.
template <typename Make>
std::string List(int64_t count, const Make& make) {
  std::string list;
  for (int64_t i = 0; i < count; ++i) list += (i == 0 ? "" : ",") + make(i);
  return list;
}

std::string Member(const std::string& name, const std::string& value) {
  return '"' + name + "\":" + value;
}

// --- Arrays --------------------------------------------------------------------------------------

// Half of the elements satisfy one condition, the other half the other one, none both.
void BM_ArrayOfObjects(benchmark::State& state) {
  const int64_t elements = Size(state, state.range(0));
  const OneRule rule(R"({"items":{"sku":["x"],"count":[7]}})");
  MatchOne(state, rule,
           R"({"items":[)" +
               List(elements,
                    [](int64_t i) -> std::string {
                      return i % 2 == 0 ? R"({"sku":"x","count":1})" : R"({"sku":"y","count":7})";
                    }) +
               "]}",
           elements, "element");
}
void ArraySizes(benchmark::internal::Benchmark* b) {
  b->ArgName("elements")->Arg(1'000)->Arg(10'000)->Arg(100'000);
}
BENCHMARK(BM_ArrayOfObjects)->Apply(ArraySizes)->Unit(benchmark::kMicrosecond);

// The same one array deeper, and with a key that must be absent from the element.
void BM_ArrayInArray(benchmark::State& state) {
  const int64_t elements = Size(state, state.range(0));
  const OneRule rule(
      R"({"items":{"sku":["x"],"tags":{"a":[1],"b":[2]},"withdrawn":[{"exists":false}]}})");
  MatchOne(state, rule,
           R"({"items":[)" +
               List(elements,
                    [](int64_t i) -> std::string {
                      return i % 2 == 0 ? R"({"sku":"x","tags":[{"a":1,"b":1},{"a":2,"b":2}]})"
                                        : R"({"sku":"y","tags":[{"a":1,"b":2}]})";
                    }) +
               "]}",
           elements, "element");
}
BENCHMARK(BM_ArrayInArray)->Apply(ArraySizes)->Unit(benchmark::kMicrosecond);

// --- One megabyte --------------------------------------------------------------------------------

constexpr int64_t kMegabyte = int64_t{1} << 20;

// Flat: members that are scalars, so there is nothing to jump over. Deep: all in one object.
std::string LargeEvent(bool deep, bool wanted_last) {
  const int64_t bytes = Quick() ? 10'000 : kMegabyte;
  constexpr int64_t kMemberBytes = 26;
  const std::string members = List(bytes / kMemberBytes, [](int64_t i) {
    return Member("m" + std::to_string(1'000'000 + i), R"("some value")");
  });
  const std::string rest = deep ? Member("rest", "{" + members + "}") : members;
  const std::string wanted = Member("wanted", R"("x")");
  return "{" + (wanted_last ? rest + "," + wanted : wanted + "," + rest) + "}";
}

void BM_LargeEventChecked(benchmark::State& state) {
  MatchOne(state, OneRule(R"({"wanted":["x"]})"),
           LargeEvent(state.range(0) != 0, state.range(1) != 0), 1, "event");
}
void BM_LargeEventRaw(benchmark::State& state) {
  MatchOneRaw(state, OneRule(R"({"wanted":["x"]})"),
              LargeEvent(state.range(0) != 0, state.range(1) != 0), 1, "event");
}
void LargeShapes(benchmark::internal::Benchmark* b) {
  b->ArgNames({"deep", "wanted_last"})
      ->ArgsProduct({{0, 1}, {0, 1}})
      ->Unit(benchmark::kMicrosecond);
}
BENCHMARK(BM_LargeEventChecked)->Apply(LargeShapes);
BENCHMARK(BM_LargeEventRaw)->Apply(LargeShapes);

// --- Wildcards -----------------------------------------------------------------------------------

void MatchAgainstMany(benchmark::State& state, const std::vector<std::string>& patterns,
                      const std::string& text) {
  RuleSet set;
  size_t wanted = 0;
  for (size_t i = 0; i < patterns.size(); ++i) {
    PutRule(set, std::to_string(i), patterns[i]);
    if (EventPattern::Parse(patterns[i]).value().Matches(text)) ++wanted;
  }
  const CheckedEvent event = Checked(text);
  for (auto _ : state) {
    if (set.Match(event, [](std::string_view) {}) != wanted) WrongAnswer(text.substr(0, 200));
  }
  state.counters["event_bytes"] = static_cast<double>(text.size());
  state.counters["matches"] = static_cast<double>(wanted);
  state.counters["s_per_rule"] = benchmark::Counter(
      static_cast<double>(state.iterations()) * static_cast<double>(patterns.size()),
      benchmark::Counter::kIsRate | benchmark::Counter::kInvert);
}

std::vector<std::string> Wildcards(int64_t count, const std::function<std::string(int64_t)>& text) {
  std::vector<std::string> patterns;
  for (int64_t i = 0; i < count; ++i) {
    patterns.push_back(R"({"path":[{"wildcard":")" + text(i) + R"("}]})");
  }
  return patterns;
}

// All begin like the value; only the last few characters tell which one matches.
void BM_WildcardsWithCommonPrefix(benchmark::State& state) {
  const std::string common = "/home/common/" + std::string(200, 'p') + '/';
  const auto patterns = Wildcards(
      250, [&](int64_t i) { return common + "*/part-" + std::to_string(1'000 + i) + "/*.json"; });
  MatchAgainstMany(
      state, patterns,
      R"({"path":")" + common + "a/b/c/part-1125/" + std::string(200, 'q') + R"(.json"})");
}
BENCHMARK(BM_WildcardsWithCommonPrefix)->Unit(benchmark::kMicrosecond);

// The value has each text that a pattern asks for, so that none is ruled out by what it lacks, but
// in the wrong order: after "zz", which ends the value, nothing can come. Each star before may stop
// at every letter.
void BM_WildcardsInTheWrongOrder(benchmark::State& state) {
  const int64_t letters = Size(state, state.range(0));
  const auto end = [](int64_t i) { return "e" + std::to_string(1'000 + i); };
  constexpr int64_t kWildcards = 250;
  std::string ends;
  for (int64_t i = 0; i < kWildcards; ++i) ends += end(i);
  const auto patterns = Wildcards(kWildcards, [&](int64_t i) { return "*aa*aaz*" + end(i) + "*"; });
  MatchAgainstMany(
      state, patterns,
      R"({"path":")" + ends + std::string(static_cast<size_t>(letters), 'a') + R"(zz"})");
}
BENCHMARK(BM_WildcardsInTheWrongOrder)
    ->ArgName("letters")
    ->Arg(1'000)
    ->Arg(10'000)
    ->Arg(100'000)
    ->Unit(benchmark::kMicrosecond);

// --- $or -----------------------------------------------------------------------------------------

// A chain of alternatives, each step one $or deeper and bound by one condition more, times ten of
// another $or: 1,000 alternatives, the most that there may be, of up to 51 conditions.
//
//   {"$or":[{"b0":[1]}, .. {"b9":[1]}],
//    "c1":[1], "$or":[{"d1":[1]}, {"c2":[1], "$or":[{"d2":[1]}, {"c3":[1], "$or": ...}]}]}
constexpr int64_t kSteps = 99;
constexpr int64_t kBranches = 10;

std::string Chain(int64_t step) {
  const std::string number = std::to_string(step);
  if (step > kSteps) return Member("d" + number, "[1]");
  // Every second step has no condition of its own: 4,096 bytes are all there are.
  const std::string own = step % 2 == 0 ? "" : Member("c" + number, "[1]") + ",";
  return own + R"("$or":[{)" + Member("d" + number, "[1]") + "},{" + Chain(step + 1) + "}]";
}

std::string NestedOr() {
  return R"({"$or":[)" +
         List(kBranches,
              [](int64_t i) { return "{" + Member("b" + std::to_string(i), "[1]") + "}"; }) +
         "]," + Chain(1) + "}";
}

// All conditions of the chain hold but the last one of each alternative; `last` says whether the
// very last alternative is satisfied.
std::string EventForNestedOr(bool last) {
  return "{" + Member("b" + std::to_string(kBranches - 1), "1") + "," +
         List(kSteps, [](int64_t i) { return Member("c" + std::to_string(i + 1), "1"); }) + "," +
         List(kSteps, [](int64_t i) { return Member("d" + std::to_string(i + 1), "0"); }) + "," +
         Member("d" + std::to_string(kSteps + 1), last ? "1" : "0") + "}";
}

void BM_NestedOr(benchmark::State& state) {
  MatchOne(state, OneRule(NestedOr()), EventForNestedOr(state.range(0) != 0),
           (kSteps + 1) * kBranches, "alternative");
}
BENCHMARK(BM_NestedOr)->ArgName("matches")->Arg(0)->Arg(1)->Unit(benchmark::kMicrosecond);

void BM_AddNestedOr(benchmark::State& state) {
  const std::string pattern = NestedOr();
  RuleSet set;
  for (auto _ : state) PutRule(set, "r", pattern);
  state.counters["stats_bytes"] = static_cast<double>(set.Stats().memory_bytes);
  state.counters["s_per_alternative"] =
      benchmark::Counter(static_cast<double>(state.iterations() * (kSteps + 1) * kBranches),
                         benchmark::Counter::kIsRate | benchmark::Counter::kInvert);
}
BENCHMARK(BM_AddNestedOr)->Unit(benchmark::kMicrosecond);

// --- Names that repeat ---------------------------------------------------------------------------

void BM_RepeatedScalar(benchmark::State& state) {
  const int64_t repeats = Size(state, state.range(0));
  const OneRule rule(R"({"a":[-1,{"prefix":"never"}],"b":["x"]})");
  MatchOne(state, rule,
           R"({"b":"x",)" +
               List(repeats, [](int64_t i) { return Member("a", std::to_string(i)); }) + "}",
           repeats, "value");
}
BENCHMARK(BM_RepeatedScalar)
    ->ArgName("repeats")
    ->Arg(1'000)
    ->Arg(10'000)
    ->Arg(100'000)
    ->Unit(benchmark::kMicrosecond);

// Pigeons and holes: each of n conditions is satisfied in each of n - 1 arrays, but each time by
// another element, so that no two of them can use one array. To see that there is no choice takes a
// search, which gives up after ten million steps.
void BM_RepeatedArrays(benchmark::State& state) {
  const int64_t pigeons = Quick() ? 5 : state.range(0);
  const auto name = [](int64_t i) { return "p" + std::to_string(i); };
  const OneRule rule(R"({"d":{)" +
                     List(pigeons, [&](int64_t i) { return Member(name(i), "[1]"); }) + "}}");
  const std::string hole =
      "[" + List(pigeons, [&](int64_t i) { return "{" + Member(name(i), "1") + "}"; }) + "]";
  MatchOne(state, rule, "{" + List(pigeons - 1, [&](int64_t) { return Member("d", hole); }) + "}",
           1, "event");
}
BENCHMARK(BM_RepeatedArrays)
    ->ArgName("conditions")
    ->Arg(6)
    ->Arg(9)
    ->Arg(12)
    ->Arg(40)
    ->Unit(benchmark::kMillisecond);

// --- Candidates ----------------------------------------------------------------------------------

// All rules want the same two values; an event brings one of them. Whichever of the two conditions
// a set files its rules under, one of the two events makes all of them candidates for nothing.
void BM_CandidatesThatFail(benchmark::State& state) {
  const int64_t rules = Size(state, state.range(0));
  RuleSet set;
  for (int64_t i = 0; i < rules; ++i) {
    PutRule(set, std::to_string(i), R"({"kind":["order"],"state":["paid"]})");
  }
  const CheckedEvent only_kind = Checked(R"({"kind":"order","state":"lost"})");
  const CheckedEvent only_state = Checked(R"({"kind":"other","state":"paid"})");
  Laps with_kind;
  Laps with_state;
  const int64_t turns = std::max<int64_t>(1, 100'000 / rules);  // laps long enough for the clock
  const auto match = [&](const CheckedEvent& event) {
    for (int64_t turn = 0; turn < turns; ++turn) {
      if (set.Match(event, [](std::string_view) {}) != 0) WrongAnswer("a rule with half a match");
    }
  };
  for (auto _ : state) {
    const double seconds = with_kind.Time(static_cast<size_t>(turns), [&] { match(only_kind); }) +
                           with_state.Time(static_cast<size_t>(turns), [&] { match(only_state); });
    state.SetIterationTime(seconds);
  }
  state.counters["dearer_ns"] = std::max(with_kind.Median(), with_state.Median());
  state.counters["dearer_ns_per_rule"] = state.counters["dearer_ns"] / static_cast<double>(rules);
}
BENCHMARK(BM_CandidatesThatFail)
    ->ArgName("rules")
    ->Arg(1'000)
    ->Arg(10'000)
    ->Arg(100'000)
    ->UseManualTime()
    ->Unit(benchmark::kMicrosecond);

// All rules are filed under the one value that they share: the other condition accepts absence, so
// no value can point to it. The event brings the shared value, and at the other path only what each
// rule refuses. No rule can be given up before its last value was looked at, so the bound is rules
// times values.
void BM_CandidatesThatFailAtEachValue(benchmark::State& state) {
  const int64_t rules = Size(state, state.range(0));
  const int64_t values = state.range(1);
  RuleSet set;
  for (int64_t i = 0; i < rules; ++i) {
    const std::string number = std::to_string(i);
    PutRule(set, number,
            R"({"detail":{"state":["paid"],"gift":[{"exists":false},{"prefix":"never )" + number +
                R"("}]}})");
  }
  const std::string refused =
      R"({"detail":{"state":"paid","gift":[)" +
      List(values, [](int64_t i) { return R"("some value )" + std::to_string(i) + '"'; }) + "]}}";
  const CheckedEvent pointing = Checked(refused);
  const CheckedEvent wanted = Checked(R"({"detail":{"state":"paid"}})");
  if (set.Match(wanted, [](std::string_view) {}) != static_cast<size_t>(rules)) {
    WrongAnswer("a rule whose only fault is not the gift");
  }
  Laps laps;
  const int64_t turns = std::max<int64_t>(1, 1'000'000 / (rules * values));
  for (auto _ : state) {
    state.SetIterationTime(laps.Time(static_cast<size_t>(turns), [&] {
      for (int64_t turn = 0; turn < turns; ++turn) {
        if (set.Match(pointing, [](std::string_view) {}) != 0) WrongAnswer("a refused gift");
      }
    }));
  }
  state.counters["event_bytes"] = static_cast<double>(refused.size());
  state.counters["ns_per_rule"] = laps.Median() / static_cast<double>(rules);
  state.counters["ns_per_rule_and_value"] = laps.Median() / static_cast<double>(rules * values);
}
BENCHMARK(BM_CandidatesThatFailAtEachValue)
    ->ArgNames({"rules", "values"})
    ->ArgsProduct({{1'000, 10'000}, {1, 1'000}})
    ->UseManualTime()
    ->Unit(benchmark::kMicrosecond);

// --- Bombs ---------------------------------------------------------------------------------------

enum class Shape { kHonest, kTooDeep, kManyNames, kTooManyNames, kTooLong };

// What one publish can make the check cost. Beside the bombs stand an honest event of a megabyte
// and one with as many names as are let in, as short and as often repeated as those of the bomb.
void BM_Check(benchmark::State& state, Shape shape) {
  const Limits limits = Limits::Aws();
  const int64_t bytes = Quick() ? 10'000 : limits.pattern.event_bytes_max;
  const int64_t names = Quick() ? 1'000 : limits.pattern.event_names_max;
  const auto short_members = [](int64_t count) {
    return "{" + List(count, [](int64_t i) { return Member(std::to_string(i % 1'000), "1"); }) +
           "}";
  };
  std::string text;
  bool refused = !Quick();  // a quick run's bombs are too small, but for depth
  switch (shape) {
    case Shape::kHonest:
      text = LargeEvent(/*deep=*/false, /*wanted_last=*/true);
      refused = false;
      break;
    case Shape::kTooDeep:  // {"a":{"a":{"a": ...
      for (int64_t at = 0; at < bytes - 8; at += 5) text += R"({"a":)";
      refused = true;
      break;
    case Shape::kManyNames:
      text = short_members(names);
      refused = false;
      break;
    case Shape::kTooManyNames:
      text = short_members(names + 1);
      break;
    case Shape::kTooLong:
      text = "{" + Member("a", '"' + std::string(static_cast<size_t>(bytes), 'x') + '"') + "}";
      break;
  }
  if (CheckedEvent::Check(text, limits).ok() == refused) WrongAnswer("a bomb is let in");
  for (auto _ : state) benchmark::DoNotOptimize(CheckedEvent::Check(text, limits));
  state.counters["event_bytes"] = static_cast<double>(text.size());
}
BENCHMARK_CAPTURE(BM_Check, Honest, Shape::kHonest)->Unit(benchmark::kMicrosecond);
BENCHMARK_CAPTURE(BM_Check, ManyNames, Shape::kManyNames)->Unit(benchmark::kMicrosecond);
BENCHMARK_CAPTURE(BM_Check, TooManyNames, Shape::kTooManyNames)->Unit(benchmark::kMicrosecond);
BENCHMARK_CAPTURE(BM_Check, TooDeep, Shape::kTooDeep)->Unit(benchmark::kMicrosecond);
BENCHMARK_CAPTURE(BM_Check, TooLong, Shape::kTooLong)->Unit(benchmark::kMicrosecond);

}  // namespace
}  // namespace banyan
