// SPDX-License-Identifier: Apache-2.0
//
// What does a rule set cost as it grows, and what does it cost to change it?
//
//   question                                                    target
//   an event against 1,000 to 100,000 rules, of which it        at most 2 times the same against
//     matches one: two exact fields, prefix, suffix, range        10 rules
//   an event against 1,000 wildcards *hh*hh*                    at least 300,000 events/s
//   10,000 rules that each want another key to be absent        at most 2 times 10,000 exact rules
//   one rule more beside 100,000                                at most 5 microseconds, amortised
//   memory of a simple rule                                     at most 200 bytes
//   an event while another thread adds and removes rules        none is set; readers never wait
//   one publish to 10,000 subscriptions with attribute          at most 2 microseconds when ten
//     policies                                                    match
//
// The peer of a large set is the small one, matched in turn with it against events of the same
// form; where the targets are absolute, event-ruler on a like machine is the yardstick: 534,000
// events/s against 10 exact rules and 129,000 against 100,000, 3,100 against the wildcards, 83
// against the absent keys; 3.2 KB and 28 microseconds a rule. Ratios carry over, figures do not.
//
// Events are checked ones of some 900 bytes. "events" is how many different ones take turns: 64
// stay in the cache, and so do the rules they match; 32,768 come from memory, and each brings rules
// that were not used for long. "batch": 64 events in one call, which may wait for memory together.
// Who matched is compared in every pass; a wrong answer ends the program.
#include <array>
#include <atomic>
#include <cstdint>
#include <cstdio>
#include <memory>
#include <random>
#include <string>
#include <string_view>
#include <thread>
#include <vector>

#include "absl/types/span.h"
#include "banyan/attributes.h"
#include "banyan/rule_set.h"
#include "benchmark/benchmark.h"
#include "laps.h"

#if defined(__GLIBC__) && !defined(BANYAN_SANITIZER)
#include <malloc.h>
#endif

namespace banyan {
namespace {

constexpr int64_t kHotEvents = 64;
constexpr int64_t kStreamedEvents = 32'768;
constexpr size_t kBatch = 64;
constexpr size_t kMatchesPerPass = 4'096;  // at least, so that a pass is long for the clock

// --- Orders, and rules for them ------------------------------------------------------------------

// "000042": numbers as text have one length, so that events of all sets are of one size.
std::string SixDigits(int64_t number) {
  char text[7];
  std::snprintf(text, sizeof(text), "%06d", static_cast<int>(number));
  return text;
}

// Four states go round with the customers.
std::string State(int64_t order) {
  constexpr std::array<const char*, 4> kStates = {"paid", "sent", "lost", "back"};
  return kStates[static_cast<size_t>(order) % kStates.size()];
}

// An event that carries `order` in several fields, so that each kind of rule can ask for it.
std::string OrderEvent(int64_t order, const std::string& code = "none") {
  std::string items;
  for (int i = 0; i < 9; ++i) {
    items += std::string(i == 0 ? "" : ",") + R"({"sku":"s-)" + std::to_string(1'000 + i) +
             R"(","title":"a thing of some length","count":2,"price":19.95})";
  }
  const std::string number = SixDigits(order);
  return R"({"version":"0","source":"shop.orders","detail-type":"OrderPlaced","detail":{)"
         R"("customer":"c)" +
         number + R"(","state":")" + State(order) + R"(","parcel":"p)" + number +
         R"(-07-blue","items":[)" + items + R"(],"invoice":"2026/invoice-)" + number +
         R"(.pdf","total":)" + std::to_string(order * 1'000 + 500) + R"(,"code":")" + code +
         R"("}})";
}

std::string Detail(const std::string& conditions) { return R"({"detail":{)" + conditions + "}}"; }

using MakeRule = std::string (*)(int64_t order);

// Each matches the order of its number and no other.
std::string ExactRule(int64_t order) {
  return Detail(R"("customer":["c)" + SixDigits(order) + R"("])");
}
std::string TwoExactRule(int64_t order) {
  return Detail(R"("customer":["c)" + SixDigits(order) + R"("],"state":[")" + State(order) +
                R"("])");
}
std::string PrefixRule(int64_t order) {
  return Detail(R"("parcel":[{"prefix":"p)" + SixDigits(order) + R"(-"}])");
}
std::string SuffixRule(int64_t order) {
  return Detail(R"("invoice":[{"suffix":"-)" + SixDigits(order) + R"(.pdf"}])");
}
std::string RangeRule(int64_t order) {
  return Detail(R"("total":[{"numeric":[">=",)" + std::to_string(order * 1'000) + R"(,"<",)" +
                std::to_string((order + 1) * 1'000) + "]}]");
}
std::string IgnoreCaseRule(int64_t order) {
  return Detail(R"("customer":[{"equals-ignore-case":"C)" + SixDigits(order) + R"("}])");
}
std::string AnythingButRule(int64_t order) {
  return Detail(R"("customer":[{"anything-but":"c)" + SixDigits(order) + R"("}])");
}
std::string WildcardRule(int64_t order) {
  return Detail(R"("customer":[{"wildcard":"c*)" + SixDigits(order) + R"("}])");
}
// A key of its own that sorts before "detail" and never comes.
std::string AbsentRule(int64_t order) {
  return R"({"a)" + SixDigits(order) + R"(":[{"exists":false}],)" + ExactRule(order).substr(1);
}

// A set of `rules` rules, and events that each match exactly one of them.
class Orders {
 public:
  Orders(MakeRule make_rule, int64_t rules, int64_t events) {
    for (int64_t i = 0; i < rules; ++i) PutRule(set, SixDigits(i), make_rule(i));
    texts_.reserve(static_cast<size_t>(events));
    for (int64_t i = 0; i < events; ++i) {
      const int64_t order = i * 7'919 % rules;  // a prime: all rules have their turn, far apart
      texts_.push_back(OrderEvent(order));
      wanted_.push_back(SixDigits(order));
    }
    for (const std::string& text : texts_) events_.push_back(Checked(text));
    while (turns_ * events_.size() < kMatchesPerPass && !Quick()) ++turns_;
  }

  void MatchAll() const {
    for (size_t turn = 0; turn < turns_; ++turn) {
      for (size_t i = 0; i < events_.size(); ++i) {
        bool right = false;
        const size_t matches =
            set.Match(events_[i], [&](std::string_view id) { right = id == wanted_[i]; });
        if (matches != 1 || !right) WrongAnswer("order " + wanted_[i]);
      }
    }
  }

  // As a consumer of batches does it.
  void MatchAllTogether() const {
    for (size_t turn = 0; turn < turns_; ++turn) {
      for (size_t begin = 0; begin < events_.size(); begin += kBatch) {
        const auto batch = absl::MakeConstSpan(events_).subspan(begin, kBatch);
        size_t right = 0;
        const size_t matches = set.Match(batch, [&](size_t event, std::string_view id) {
          right += id == wanted_[begin + event] ? 1 : 0;
        });
        if (matches != batch.size() || right != matches) WrongAnswer("orders in a batch");
      }
    }
  }

  size_t matches_per_pass() const { return turns_ * events_.size(); }

  RuleSet set;

 private:
  std::vector<std::string> texts_;
  std::vector<std::string> wanted_;  // the rule that matches the event
  std::vector<CheckedEvent> events_;
  size_t turns_ = 1;
};

void CompareTwo(benchmark::State& state, const Orders& peer, const Orders& ours,
                const std::string& peer_name, double ratio_max) {
  Laps peer_laps;
  Laps our_laps;
  Laps peer_together;
  Laps ours_together;
  for (auto _ : state) {
    peer_laps.Time(peer.matches_per_pass(), [&] { peer.MatchAll(); });
    state.SetIterationTime(our_laps.Time(ours.matches_per_pass(), [&] { ours.MatchAll(); }));
    peer_together.Time(peer.matches_per_pass(), [&] { peer.MatchAllTogether(); });
    ours_together.Time(ours.matches_per_pass(), [&] { ours.MatchAllTogether(); });
  }
  state.SetItemsProcessed(state.iterations() * static_cast<int64_t>(ours.matches_per_pass()));
  state.counters[peer_name] = peer_laps.Median();
  state.counters["ns"] = our_laps.Median();
  state.counters["batch_" + peer_name] = peer_together.Median();
  state.counters["batch_ns"] = ours_together.Median();
  ReportAtMost(state, "ratio", our_laps.Median() / peer_laps.Median(), ratio_max);
  state.counters["batch_ratio"] = ours_together.Median() / peer_together.Median();
}

// --- Growth --------------------------------------------------------------------------------------

void BM_Growth(benchmark::State& state, MakeRule make_rule) {
  const int64_t rules = Size(state, state.range(0));
  const int64_t events = Size(state, state.range(1));
  const Orders few(make_rule, 10, events);
  const Orders many(make_rule, rules, events);
  CompareTwo(state, few, many, "ns_at_10_rules", 2);
}
void Sizes(benchmark::internal::Benchmark* b) {
  b->ArgNames({"rules", "events"})
      ->ArgsProduct({{1'000, 10'000, 100'000}, {kHotEvents, kStreamedEvents}})
      ->UseManualTime()
      ->Unit(benchmark::kMillisecond);
}
BENCHMARK_CAPTURE(BM_Growth, TwoExact, TwoExactRule)->Apply(Sizes);
BENCHMARK_CAPTURE(BM_Growth, Prefix, PrefixRule)->Apply(Sizes);
BENCHMARK_CAPTURE(BM_Growth, Suffix, SuffixRule)->Apply(Sizes);
BENCHMARK_CAPTURE(BM_Growth, Range, RangeRule)->Apply(Sizes);

// Keys that must be absent, each rule another one. A matcher that walks keys in their order meets
// all of them before it comes to the customer.
void BM_AbsentKeys(benchmark::State& state) {
  const int64_t rules = Size(state, 10'000);
  const int64_t events = Size(state, state.range(0));
  const Orders exact(ExactRule, rules, events);
  const Orders absent(AbsentRule, rules, events);
  CompareTwo(state, exact, absent, "exact_ns", 2);
}
BENCHMARK(BM_AbsentKeys)
    ->ArgName("events")
    ->Arg(kHotEvents)
    ->Arg(kStreamedEvents)
    ->UseManualTime()
    ->Unit(benchmark::kMillisecond);

// 1,000 rules *hh*hh*, hh two hexadecimal digits, on a code of sixteen: an event brings fifteen
// pairs, each of which is in some eight rules.
void BM_Wildcards(benchmark::State& state) {
  const int64_t rules = Size(state, 1'000);
  std::mt19937_64 random(20'260'801);
  const auto hex = [&](size_t digits) {
    std::string text;
    while (text.size() < digits) text += "0123456789abcdef"[random() % 16];
    return text;
  };
  RuleSet set;
  std::vector<std::pair<std::string, std::string>> pairs;
  for (int64_t i = 0; i < rules; ++i) {
    pairs.emplace_back(hex(2), hex(2));
    PutRule(set, SixDigits(i),
            Detail(R"("code":[{"wildcard":"*)" + pairs.back().first + "*" + pairs.back().second +
                   R"(*"}])"));
  }
  std::vector<std::string> texts;
  std::vector<size_t> wanted;
  for (int64_t i = 0; i < Size(state, 4'096); ++i) {
    const std::string code = hex(16);
    texts.push_back(OrderEvent(i, code));
    size_t matches = 0;
    for (const auto& [first, second] : pairs) {
      const size_t at = code.find(first);
      if (at != code.npos && code.find(second, at + 2) != code.npos) ++matches;
    }
    wanted.push_back(matches);
  }
  std::vector<CheckedEvent> events;
  for (const std::string& text : texts) events.push_back(Checked(text));

  Laps laps;
  size_t matches = 0;
  for (auto _ : state) {
    matches = 0;
    state.SetIterationTime(laps.Time(events.size(), [&] {
      for (size_t i = 0; i < events.size(); ++i) {
        const size_t found = set.Match(events[i], [](std::string_view) {});
        if (found != wanted[i]) WrongAnswer(texts[i]);
        matches += found;
      }
    }));
  }
  state.SetItemsProcessed(state.iterations() * static_cast<int64_t>(events.size()));
  state.counters["matches_per_event"] =
      static_cast<double>(matches) / static_cast<double>(events.size());
  state.counters["events_per_s"] = 1e9 / laps.Median();
  state.counters["events_per_s_min"] = 300'000;
}
BENCHMARK(BM_Wildcards)->UseManualTime()->Unit(benchmark::kMillisecond);

// --- Change --------------------------------------------------------------------------------------

struct NamedRule {
  std::string id;
  std::string pattern;
};

std::vector<NamedRule> MakeRules(MakeRule make_rule, int64_t first, int64_t count) {
  std::vector<NamedRule> rules;
  for (int64_t i = first; i < first + count; ++i) rules.push_back({SixDigits(i), make_rule(i)});
  return rules;
}

// Bytes that malloc has given away; 0 where it cannot be asked.
double MallocedBytes() {
#if defined(__GLIBC__) && !defined(BANYAN_SANITIZER)
  const struct mallinfo2 info = mallinfo2();
  return static_cast<double>(info.uordblks + info.hblkhd);
#else
  return 0;
#endif
}

// From an empty set to a full one: time and memory of a rule, parsing included. stats_bytes is what
// the set says of itself, malloc_bytes what left the allocator.
void BM_Build(benchmark::State& state, MakeRule make_rule) {
  const std::vector<NamedRule> rules = MakeRules(make_rule, 0, Size(state, state.range(0)));
  const auto count = static_cast<double>(rules.size());
  Laps laps;
  for (auto _ : state) {
    const double before = MallocedBytes();
    const auto set = std::make_unique<RuleSet>();
    state.SetIterationTime(laps.Time(rules.size(), [&] {
      for (const NamedRule& rule : rules) PutRule(*set, rule.id, rule.pattern);
    }));
    state.counters["stats_bytes"] = static_cast<double>(set->Stats().memory_bytes) / count;
    ReportAtMost(state, "malloc_bytes", (MallocedBytes() - before) / count, 200);
  }
  state.SetItemsProcessed(state.iterations() * static_cast<int64_t>(rules.size()));
  ReportAtMost(state, "add_ns", laps.Median(), 5'000);
}
void BuildSizes(benchmark::internal::Benchmark* b) {
  b->ArgName("rules")->Arg(1'000)->Arg(100'000)->UseManualTime()->Unit(benchmark::kMillisecond);
}
BENCHMARK_CAPTURE(BM_Build, Exact, ExactRule)->Apply(BuildSizes);
BENCHMARK_CAPTURE(BM_Build, TwoExact, TwoExactRule)->Apply(BuildSizes);
BENCHMARK_CAPTURE(BM_Build, Prefix, PrefixRule)->Apply(BuildSizes);
BENCHMARK_CAPTURE(BM_Build, Range, RangeRule)->Apply(BuildSizes);
BENCHMARK_CAPTURE(BM_Build, IgnoreCase, IgnoreCaseRule)->Apply(BuildSizes);
BENCHMARK_CAPTURE(BM_Build, AnythingBut, AnythingButRule)->Apply(BuildSizes);
BENCHMARK_CAPTURE(BM_Build, Wildcard, WildcardRule)->Apply(BuildSizes);

// Beside 100,000 rules, 1,000 more come and go again, over and over. parse_ns is what of it reading
// the pattern costs, by itself.
void BM_AddAndRemove(benchmark::State& state, MakeRule make_rule) {
  const int64_t resting = Size(state, 100'000);
  RuleSet set;
  for (const NamedRule& rule : MakeRules(make_rule, 0, resting)) {
    PutRule(set, rule.id, rule.pattern);
  }
  const std::vector<NamedRule> guests = MakeRules(make_rule, resting, 1'000);
  Laps parse;
  Laps add;
  Laps remove;
  for (auto _ : state) {
    parse.Time(guests.size(), [&] {
      for (const NamedRule& rule : guests) {
        benchmark::DoNotOptimize(EventPattern::Parse(rule.pattern));
      }
    });
    double seconds = add.Time(guests.size(), [&] {
      for (const NamedRule& rule : guests) PutRule(set, rule.id, rule.pattern);
    });
    seconds += remove.Time(guests.size(), [&] {
      for (const NamedRule& rule : guests) {
        if (!set.Remove(rule.id)) WrongAnswer("no rule " + rule.id);
      }
    });
    state.SetIterationTime(seconds);
  }
  state.SetItemsProcessed(state.iterations() * static_cast<int64_t>(guests.size()));
  state.counters["parse_ns"] = parse.Median();
  state.counters["remove_ns"] = remove.Median();
  ReportAtMost(state, "add_ns", add.Median(), 5'000);
}
void AddAndRemoveOptions(benchmark::internal::Benchmark* b) {
  b->UseManualTime()->Unit(benchmark::kMillisecond);
}
BENCHMARK_CAPTURE(BM_AddAndRemove, TwoExact, TwoExactRule)->Apply(AddAndRemoveOptions);
BENCHMARK_CAPTURE(BM_AddAndRemove, Prefix, PrefixRule)->Apply(AddAndRemoveOptions);
BENCHMARK_CAPTURE(BM_AddAndRemove, Range, RangeRule)->Apply(AddAndRemoveOptions);

// A reader beside a writer that does nothing but add and remove. The reader takes no lock, so what
// it may feel is the writer's traffic on the memory that they share. Needs two idle processors.
void BM_MatchBesideAWriter(benchmark::State& state) {
  const int64_t resting = Size(state, 10'000);
  Orders orders(TwoExactRule, resting, Size(state, 4'096));
  const std::vector<NamedRule> guests = MakeRules(TwoExactRule, resting, 256);
  Laps alone(WallNs);
  Laps beside(WallNs);
  int64_t changes = 0;
  double seconds = 0;
  for (auto _ : state) {
    alone.Time(orders.matches_per_pass(), [&] { orders.MatchAll(); });
    std::atomic<bool> stop = false;
    std::atomic<int64_t> written = 0;
    std::thread writer([&] {
      while (!stop.load(std::memory_order_relaxed)) {
        for (const NamedRule& rule : guests) PutRule(orders.set, rule.id, rule.pattern);
        for (const NamedRule& rule : guests) orders.set.Remove(rule.id);
        written.fetch_add(2 * static_cast<int64_t>(guests.size()), std::memory_order_relaxed);
      }
    });
    while (written.load(std::memory_order_relaxed) == 0) {
    }
    const int64_t written_before = written.load(std::memory_order_relaxed);
    const double lap = beside.Time(orders.matches_per_pass(), [&] { orders.MatchAll(); });
    changes += written.load(std::memory_order_relaxed) - written_before;
    seconds += lap;
    stop.store(true, std::memory_order_relaxed);
    writer.join();
    state.SetIterationTime(lap);
  }
  state.SetItemsProcessed(state.iterations() * static_cast<int64_t>(orders.matches_per_pass()));
  state.counters["alone_ns"] = alone.Median();
  state.counters["beside_ns"] = beside.Median();
  state.counters["ratio"] = beside.Median() / alone.Median();
  state.counters["changes_per_s"] = static_cast<double>(changes) / seconds;
}
BENCHMARK(BM_MatchBesideAWriter)->UseManualTime()->Unit(benchmark::kMillisecond);

// --- Attributes ----------------------------------------------------------------------------------

// 10,000 subscriptions of 1,000 tenants; each tenant's ten differ in what they ask for besides, and
// all ten match. No JSON is read here.
void BM_PublishDecision(benchmark::State& state) {
  const int64_t subscriptions = Size(state, 10'000);
  const int64_t tenants = subscriptions / 10;
  constexpr std::array<const char*, 5> kBesides = {
      R"("kind":["order"])", R"("kind":[{"prefix":"or"}])",
      R"("price":[{"numeric":[">",10,"<",1000]}])", R"("region":[{"anything-but":"us-east-1"}])",
      R"("debug":[{"exists":false}])"};
  RuleSet set(PatternLanguage::kSnsMessageAttributes);
  for (int64_t i = 0; i < subscriptions; ++i) {
    PutRule(set, SixDigits(i),
            R"({"tenant":["t)" + SixDigits(i % tenants) + R"("],)" +
                kBesides[static_cast<size_t>(i / tenants) % kBesides.size()] + "}");
  }
  std::vector<Attributes> messages;
  for (int64_t i = 0; i < Size(state, 4'096); ++i) {
    messages.push_back({{"tenant", "t" + SixDigits(i * 7'919 % tenants)},
                        {"kind", "order"},
                        {"price", AttributeValue::Number("99.50")},
                        {"region", "eu-west-1"}});
  }
  Laps laps;
  for (auto _ : state) {
    state.SetIterationTime(laps.Time(messages.size(), [&] {
      for (const Attributes& message : messages) {
        if (set.Match(message, [](std::string_view) {}) != 10) WrongAnswer("not ten match");
      }
    }));
  }
  state.SetItemsProcessed(state.iterations() * static_cast<int64_t>(messages.size()));
  ReportAtMost(state, "publish_ns", laps.Median(), 2'000);
}
BENCHMARK(BM_PublishDecision)->UseManualTime()->Unit(benchmark::kMillisecond);

}  // namespace
}  // namespace banyan
