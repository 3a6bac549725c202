// SPDX-License-Identifier: Apache-2.0
#include <fcntl.h>
#include <unistd.h>

#include <algorithm>
#include <csignal>
#include <cstdint>
#include <functional>
#include <map>
#include <random>
#include <stop_token>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "banyan/pattern.h"
#include "banyan/testing/simulated_runtime.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "tool/run.h"
#include "tool/tool_testing.h"

namespace banyan::inline v0_1::tool {
namespace {

using ::testing::AllOf;
using ::testing::EndsWith;
using ::testing::HasSubstr;
using ::testing::IsEmpty;
using ::testing::Not;
using ::testing::StartsWith;

constexpr char kRules[] = R"([
  {"name": "big", "pattern": {"detail": {"total": [{"numeric": [">", 100]}]}}},
  {"name": "paid", "pattern": {"detail": {"state": ["paid"]}}},
  {"name": "never", "pattern": {"detail": {"state": ["lost"]}}}
])";

constexpr char kBigPaid[] = R"({"detail": {"state": "paid", "total": 120}})";
constexpr char kPaid[] = R"({ "detail": {"total":20,"state":"paid"} })";
constexpr char kNeither[] = R"({"detail": {"state": "Paid"}})";

std::string Lines(const std::vector<std::string>& lines) {
  std::string text;
  for (const std::string& line : lines) text += line + "\n";
  return text;
}

class MatchTest : public ToolTest {
 protected:
  const std::string rules_ = Write("rules.json", kRules);
  const std::string three_ = Lines({kBigPaid, kNeither, kPaid});
};

TEST_F(MatchTest, PrintsTheLinesThatMatchAsTheyStand) {
  const Result result = Run({"match", rules_, Write("events.ndjson", three_)});
  EXPECT_EQ(result.code, 0);
  EXPECT_EQ(result.out, Lines({kBigPaid, kPaid}));
  EXPECT_THAT(result.err, IsEmpty());
}

TEST_F(MatchTest, ReadsStandardInputIfNoFileIsNamedOrADash) {
  EXPECT_EQ(Run({"match", rules_}, three_).out, Lines({kBigPaid, kPaid}));
  EXPECT_EQ(Run({"match", rules_, "-"}, three_).out, Lines({kBigPaid, kPaid}));
}

TEST_F(MatchTest, ReadsFilesInTheirOrder) {
  const std::string one = Write("1", Lines({kPaid}));
  const std::string two = Write("2", Lines({kBigPaid}));
  EXPECT_EQ(Run({"match", rules_, two, "-", one}, Lines({kPaid})).out,
            Lines({kBigPaid, kPaid, kPaid}));
}

TEST_F(MatchTest, RulesMayComeFromStandardInput) {
  EXPECT_EQ(Run({"match", "-", Write("events", three_)}, kRules).out, Lines({kBigPaid, kPaid}));
  const Result twice = Run({"match", "-"}, kRules);
  EXPECT_EQ(twice.code, 2);
  EXPECT_EQ(twice.err, "banyan match: standard input can be read only once (banyan help match)\n");
}

TEST_F(MatchTest, ExitCodeIsOneIfNothingMatches) {
  const Result result = Run({"match", rules_}, Lines({kNeither}));
  EXPECT_EQ(result.code, 1);
  EXPECT_THAT(result.out, IsEmpty());
  EXPECT_EQ(Run({"match", rules_}, "").code, 1);
}

TEST_F(MatchTest, InvertPrintsWhatNoRuleMatches) {
  EXPECT_EQ(Run({"match", "--invert", rules_}, three_).out, Lines({kNeither}));
  EXPECT_EQ(Run({"match", "-v", rules_}, Lines({kPaid})).code, 1);
  EXPECT_EQ(Run({"match", "-v", rules_}, Lines({kNeither})).code, 0);
}

TEST_F(MatchTest, WithRulesNamesThemInTheFilesOrder) {
  EXPECT_EQ(Run({"match", "--with-rules", rules_}, three_).out,
            Lines({std::string("big,paid\t") + kBigPaid, std::string("paid\t") + kPaid}));
}

TEST_F(MatchTest, OnlyChoosesRules) {
  EXPECT_EQ(Run({"match", "--only", "big", rules_}, three_).out, Lines({kBigPaid}));
  EXPECT_EQ(Run({"match", "--only=big", "--only=paid", rules_}, three_).out,
            Lines({kBigPaid, kPaid}));
  const Result unknown = Run({"match", "--only", "pay", rules_}, three_);
  EXPECT_EQ(unknown.code, 2);
  EXPECT_EQ(unknown.err, "banyan match: rules.json: has no rule pay; did you mean paid?\n");
}

TEST_F(MatchTest, QuietPrintsNothing) {
  const Result found = Run({"match", "-q", rules_}, three_);
  EXPECT_EQ(found.code, 0);
  EXPECT_THAT(found.out, IsEmpty());
  EXPECT_EQ(Run({"match", "--quiet", rules_}, Lines({kNeither})).code, 1);
  EXPECT_EQ(Run({"match", "-qv", rules_}, Lines({kNeither})).code, 0);
}

TEST_F(MatchTest, QuietStopsAtTheFirstEvent) {
  // It never gets as far as the file that is not there.
  EXPECT_EQ(Run({"match", "-q", rules_, "-", Path("missing")}, three_).code, 0);
  EXPECT_THAT(Run({"match", "-q", rules_, "-", Path("missing")}, three_).err, IsEmpty());
}

TEST_F(MatchTest, CountIsATable) {
  const Result result = Run({"match", "--count", rules_}, three_ + "nonsense\n");
  EXPECT_EQ(result.code, 0);
  EXPECT_EQ(result.out,
            "     1  big\n"
            "     2  paid\n"
            "     0  never\n"
            "------\n"
            "     2  matched\n"
            "     1  not matched\n"
            "     1  not events\n");
}

TEST_F(MatchTest, ExplainSaysWhyOfEveryEventAndRule) {
  const Result result =
      Run({"match", "--explain", rules_, Write("events.ndjson", three_ + "\r\n[1]\n")});
  EXPECT_EQ(result.code, 0);
  EXPECT_THAT(
      result.out,
      AllOf(StartsWith(std::string("events.ndjson:1: ") + kBigPaid +
                       "\n  yes  big\n  yes  paid\n  no   never  detail.state is \"paid\""),
            HasSubstr(std::string("events.ndjson:2: ") + kNeither + "\n  no   big    detail.total"),
            HasSubstr("\n  no   paid   detail.state is \"Paid\""),
            EndsWith("events.ndjson:5: [1]\n  not an event: not a JSON object\n")));
}

TEST_F(MatchTest, ExplainWithInvertShowsWhatMatchedNothing) {
  const Result result = Run({"match", "--explain", "-v", rules_}, three_);
  EXPECT_THAT(result.out, StartsWith("(standard input):2: "));
  EXPECT_THAT(result.out, Not(HasSubstr("(standard input):1")));
}

TEST_F(MatchTest, ExplainCutsLongEventsAndNoTerminalCodes) {
  const std::string event = R"({"detail": {"state": ")" + std::string(1000, 'x') + "\"}}";
  const std::string out = Run({"match", "--explain", rules_}, Lines({event, "\x1b[31mred"})).out;
  EXPECT_THAT(out, HasSubstr("xxx...\n"));
  EXPECT_THAT(out, HasSubstr("?[31mred\n"));
}

TEST_F(MatchTest, APatternMayStandOnTheCommandLine) {
  EXPECT_EQ(Run({"match", "-e", R"({"detail": {"state": ["Paid"]}})"}, three_).out,
            Lines({kNeither}));
  const Result two = Run({"match", "--with-rules", "-e", R"({"detail": {"state": ["paid"]}})", "-e",
                          R"({"detail": {"total": [120]}})"},
                         three_);
  EXPECT_EQ(two.out, Lines({std::string("pattern-1,pattern-2\t") + kBigPaid,
                            std::string("pattern-1\t") + kPaid}));
  const Result wrong = Run({"match", "-e", R"({"a": 1})"}, three_);
  EXPECT_EQ(wrong.code, 2);
  EXPECT_EQ(
      wrong.err,
      "banyan match: pattern:1:8: rule \"pattern\": Event pattern is not valid. Reason: \"a\" "
      "must be an object or an array\n");
}

TEST_F(MatchTest, LeavesOutRulesThatAreDisabledOrHaveASchedule) {
  const std::string rules = Write("aws.json", R"json({"Rules": [
    {"Name": "on", "State": "ENABLED", "EventPattern": "{\"detail\": {\"total\": [20]}}"},
    {"Name": "off", "State": "DISABLED", "EventPattern": "{\"detail\": {\"state\": [\"paid\"]}}"},
    {"Name": "nightly", "ScheduleExpression": "rate(1 day)"}]})json");
  EXPECT_EQ(Run({"match", rules}, three_).out, Lines({kPaid}));
  const Result off = Run({"match", "--only", "off", rules}, three_);
  EXPECT_EQ(off.code, 2);
  EXPECT_EQ(off.err, "banyan match: aws.json:3:59: rule off is DISABLED\n");
}

TEST_F(MatchTest, AFileWithoutRulesIsTrouble) {
  const Result result = Run({"match", Write("none.json", "[]")}, three_);
  EXPECT_EQ(result.code, 2);
  EXPECT_EQ(result.err, "banyan match: none.json: holds no rule to match with\n");
}

TEST_F(MatchTest, EveryInvalidRuleIsToldAndNothingIsRead) {
  const std::string rules = Write("bad.json",
                                  "[{\"name\": \"a\", \"pattern\": {\"s\": 1}},\n"
                                  " {\"name\": \"b\", \"pattern\": {\"s\": [1]}},\n"
                                  " {\"name\": \"c\", \"pattern\": {\"s\": []}}]");
  const Result result = Run({"match", rules}, "{\"s\": 1}\n");
  EXPECT_EQ(result.code, 2);
  EXPECT_THAT(result.out, IsEmpty());
  EXPECT_THAT(result.err, AllOf(HasSubstr("banyan match: bad.json:1:"), HasSubstr("rule \"a\": "),
                                HasSubstr("banyan match: bad.json:3:"), HasSubstr("rule \"c\": "),
                                Not(HasSubstr("rule \"b\""))));
}

TEST_F(MatchTest, BadUsageIsTroubleAndNamesTheWayOut) {
  for (const std::vector<std::string>& words : std::vector<std::vector<std::string>>{
           {"match"},
           {"match", "--explian", rules_},
           {"match", "--language", "sql", rules_},
           {"match", "--count", "--quiet", rules_},
           {"match", "--with-rules", "--invert", rules_},
           {"match", "--only", "x", "-e", "{}"},
           {"match", "--only"},
       }) {
    const Result result = Run(words, three_);
    EXPECT_EQ(result.code, 2);
    EXPECT_THAT(result.out, IsEmpty());
    EXPECT_THAT(result.err,
                AllOf(StartsWith("banyan match: "), EndsWith(" (banyan help match)\n")));
  }
}

TEST_F(MatchTest, FilesThatCannotBeReadAreToldAndDoNotStopTheOthers) {
  const Result result = Run({"match", rules_, Path("missing"), ::testing::TempDir(), "-"}, three_);
  EXPECT_EQ(result.code, 2);
  EXPECT_EQ(result.out, Lines({kBigPaid, kPaid}));
  EXPECT_THAT(result.err, HasSubstr("banyan match: missing: No such file or directory\n"));
  EXPECT_THAT(result.err, HasSubstr(": Is a directory\n"));
}

TEST_F(MatchTest, RulesThatCannotBeReadAreTrouble) {
  EXPECT_EQ(Run({"match", Path("missing.json")}, three_).err,
            "banyan match: missing.json: No such file or directory\n");
  EXPECT_EQ(Run({"match", ::testing::TempDir()}, three_).code, 2);
  EXPECT_EQ(Run({"match", Write("junk", std::string("\x7f\x45LF\0\x01", 6))}, three_).code, 2);
}

// Each kind of bad line is told once, with its first place and how many more there were.
TEST_F(MatchTest, LinesThatAreNoEventsAreToldOnceForEachKind) {
  const std::string events = Lines({kPaid, "[1]", "{\"a\":", "{} {}", "12", "\xff\xfe\x01", "nul"});
  const Result result = Run({"match", rules_, Write("events", events)});
  EXPECT_EQ(result.code, 0);
  EXPECT_EQ(result.out, Lines({kPaid}));
  EXPECT_THAT(
      result.err,
      AllOf(HasSubstr("banyan match: events:2: not a JSON object (and 3 lines more like it)\n"),
            HasSubstr("banyan match: events:3: a JSON object that cannot be read: "),
            Not(HasSubstr("line 1")), HasSubstr("column 6"),
            HasSubstr("banyan match: events:4: a JSON object and more behind it\n")));
  EXPECT_EQ(std::count(result.err.begin(), result.err.end(), '\n'), 3);
}

TEST_F(MatchTest, BadLinesAreNotInverted) {
  EXPECT_THAT(Run({"match", "-v", rules_}, "[1]\nnul\n").out, IsEmpty());
  EXPECT_EQ(Run({"match", "-v", rules_}, "[1]\nnul\n").code, 1);
}

TEST_F(MatchTest, StrictMakesThemTrouble) {
  const Result result = Run({"match", "--strict", rules_}, Lines({kPaid, "nul"}));
  EXPECT_EQ(result.code, 2);
  EXPECT_EQ(result.out, Lines({kPaid}));
  EXPECT_EQ(Run({"match", "--strict", "-q", rules_}, Lines({kPaid, "nul"})).code, 2);
  EXPECT_EQ(Run({"match", "--strict", rules_}, Lines({kPaid})).code, 0);
}

TEST_F(MatchTest, EmptyLinesAreSkippedAndCountAsLines) {
  const Result result = Run({"match", "--count", rules_}, "\n \t\n\r\n[]\n");
  EXPECT_THAT(result.out, EndsWith("     0  not matched\n     1  not events\n"));
  EXPECT_THAT(result.err, HasSubstr("(standard input):4: "));
}

TEST_F(MatchTest, LineEndsOfWindowsStayAndALastLineGetsOne) {
  const std::string crlf = std::string(kPaid) + "\r\n";
  EXPECT_EQ(Run({"match", rules_}, crlf).out, crlf);
  EXPECT_EQ(Run({"match", rules_}, kPaid).out, Lines({kPaid}));
  // So does the mark that some editors put in front.
  EXPECT_EQ(Run({"match", rules_}, "\xEF\xBB\xBF" + crlf).out, "\xEF\xBB\xBF" + crlf);
}

TEST_F(MatchTest, ALineOfTenMegabytesIsAnEvent) {
  const std::string event =
      R"({"pad": ")" + std::string(10 << 20, 'x') + R"(", "detail": {"state": "paid"}})";
  const Result result = Run({"match", rules_}, Lines({event, kNeither, kPaid}));
  EXPECT_EQ(result.code, 0);
  EXPECT_TRUE(result.out == Lines({event, kPaid}));
}

TEST_F(MatchTest, ALineBeyondTheLimitIsToldAndPassedOver) {
  const std::string event = "{\"pad\": \"" + std::string(17 << 20, 'x') + "\"}";
  const Result result = Run({"match", rules_}, Lines({event, kPaid}));
  EXPECT_EQ(result.out, Lines({kPaid}));
  EXPECT_EQ(result.err, "banyan match: (standard input):1: longer than an event may be\n");
}

TEST_F(MatchTest, AttributesOfSnsAreMatchedByTheirPolicies) {
  const std::string policy =
      Write("policy.json", R"({"tenant": ["acme"], "price": [{"numeric": [">", 5]}]})");
  const auto line = [](std::string_view tenant, std::string_view price) {
    return R"({"Type": "Notification", "Message": "m", "MessageAttributes": {
             "tenant": {"Type": "String", "Value": ")" +
           std::string(tenant) + R"("}, "price": {"Type": "Number", "Value": ")" +
           std::string(price) + R"("}}})";
  };
  const auto flat = [&line](std::string_view tenant, std::string_view price) {
    std::string text = line(tenant, price);
    std::erase(text, '\n');
    return text;
  };
  const std::vector<std::string> match = {"match", "--language", "sns-attributes", policy};
  const Result result = Run(match, Lines({flat("acme", "6"), flat("acme", "5"), flat("other", "6"),
                                          R"({"Message": "without any"})"}));
  EXPECT_EQ(result.code, 0);
  EXPECT_EQ(result.out, Lines({flat("acme", "6")}));
  EXPECT_THAT(result.err, IsEmpty());

  EXPECT_THAT(Run(match, R"({"MessageAttributes": []})").err,
              HasSubstr("not a message with attributes: MessageAttributes must be an object\n"));
  EXPECT_THAT(
      Run(match, R"({"MessageAttributes": {"tenant": {"Type": "String"}}})").err,
      HasSubstr("attribute \"tenant\" must be an object with Type and Value, both strings"));
  EXPECT_THAT(
      Run({"match", "--explain", "--language=sns-attributes", policy}, Lines({flat("other", "6")}))
          .out,
      HasSubstr("tenant is \"other\""));
}

TEST_F(MatchTest, BodiesOfSnsAreMatchedByTheirPolicies) {
  const std::string policy = Write("policy.json", R"({"order": {"state": ["paid"]}})");
  EXPECT_EQ(Run({"match", "--language", "sns-body", policy},
                Lines({R"({"order": {"state": "paid"}})", R"({"order": {}})"}))
                .out,
            Lines({R"({"order": {"state": "paid"}})"}));
  // Nesting is for bodies.
  const Result nested = Run({"match", "--language", "sns-attributes", policy}, "");
  EXPECT_EQ(nested.code, 2);
  EXPECT_THAT(nested.err, StartsWith("banyan match: policy.json:1:"));
}

// The counts are those of the interpreter, rule by rule.
TEST_F(MatchTest, CountsAgreeWithTheInterpreter) {
  const std::map<std::string, std::string> patterns = {
      {"a-region", R"({"region": [{"prefix": "eu-"}]})"},
      {"b-failed", R"({"detail": {"state": ["FAILED", "STOPPED"]}})"},
      {"c-not-ok", R"({"detail": {"state": [{"anything-but": ["OK"]}]}})"},
      {"d-slow", R"({"detail": {"seconds": [{"numeric": [">", 10, "<=", 50.5]}]}})"},
      {"e-absent", R"({"detail": {"retry": [{"exists": false}]}})"},
      {"f-one-item",
       R"({"detail": {"items": {"sku": ["mug"], "count": [{"numeric": [">", 3]}]}}})"},
      {"g-or", R"({"$or": [{"region": ["us-1"]}, {"detail": {"retry": [true]}}]})"},
  };
  std::string rules = "[";
  for (const auto& [name, pattern] : patterns) {
    rules += (rules.size() > 1 ? ", " : "") + std::string("{\"name\": \"") + name +
             "\", \"pattern\": " + pattern + "}";
  }
  const std::string path = Write("many.json", rules + "]");

  constexpr uint64_t kSeed = 20260102;
  std::mt19937_64 dice(kSeed);
  const auto choose = [&dice](const std::vector<std::string>& from) {
    return from[dice() % from.size()];
  };
  std::string events;
  std::map<std::string, int> expected;
  int matched = 0;
  constexpr int kEvents = 5'000;
  for (int i = 0; i < kEvents; ++i) {
    const std::string event =
        "{\"region\": \"" + choose({"eu-1", "eu-2", "us-1", "us-2"}) +
        "\", \"detail\": {\"state\": " +
        choose({"\"OK\"", "\"FAILED\"", "\"STOPPED\"", "null", "[\"OK\", \"FAILED\"]"}) +
        ", \"seconds\": " + choose({"10", "10.5", "50.5", "5.05e1", "51", "\"11\""}) +
        choose({"", ", \"retry\": true", ", \"retry\": null"}) +
        ", \"items\": [{\"sku\": \"mug\", \"count\": " + std::to_string(dice() % 7) +
        "}, {\"sku\": \"lamp\", \"count\": 9}]}}";
    events += event + choose({"\n", "\r\n", "\n\n"});
    bool any = false;
    for (const auto& [name, pattern] : patterns) {
      const bool matches = EventPattern::Parse(pattern)->Matches(event);
      expected[name] += matches;
      any = any || matches;
    }
    matched += any;
  }

  std::string table;
  const auto row = [&table](int number, const std::string& text) {
    const std::string digits = std::to_string(number);
    table += std::string(6 - digits.size(), ' ') + digits + "  " + text + "\n";
  };
  for (const auto& [name, count] : expected) {
    EXPECT_GT(count, 0) << name << " proves nothing";
    EXPECT_LT(count, kEvents) << name << " proves nothing";
    row(count, name);
  }
  table += "------\n";
  row(matched, "matched");
  row(kEvents - matched, "not matched");
  EXPECT_EQ(Run({"match", "--count", path}, events).out, table) << "seed " << kSeed;
}

// Time passes when somebody looks at it: a third of a second each time. And whoever looks gives the
// test a turn, on the thread that runs the tool.
class SteppingRuntime final : public Runtime {
 public:
  std::function<void()> on_read = [] {};

  Instant Read() override {
    on_read();
    under_.Advance(absl::Milliseconds(300));
    return under_.Read();
  }
  uint64_t Random() override { return under_.Random(); }
  void Post(Task task) override { under_.Post(std::move(task)); }
  TimerId PostAt(absl::Duration at, Task task) override {
    return under_.PostAt(at, std::move(task));
  }
  bool Cancel(TimerId timer) override { return under_.Cancel(timer); }
  bool Await(Mutex& mu, WaitList& waiters, absl::FunctionRef<bool()> ready, absl::Duration deadline,
             std::stop_token stop) override ABSL_NO_THREAD_SAFETY_ANALYSIS {
    return under_.Await(mu, waiters, ready, deadline, stop);
  }

 private:
  testing::SimulatedRuntime under_;
};

class MatchProgressTest : public MatchTest {
 protected:
  // Of several blocks, so that there is something to report in between.
  std::string Long() const {
    std::string text;
    while (text.size() < 2'000'000) text += std::string(kPaid) + "\n";
    return text;
  }
  SteppingRuntime clock_;
};

TEST_F(MatchProgressTest, IsOneLineOnATerminalAndGoneAtTheEnd) {
  const std::string err =
      Run({"match", rules_}, Long(), {.err_is_terminal = true, .clock = &clock_}).err;
  EXPECT_THAT(err, StartsWith("\r\033[K"));
  EXPECT_THAT(err, ::testing::ContainsRegex(
                       "[0-9.]+ MB of 2[.]0 MB .[0-9]+%., [0-9,]+ events/s, [0-9,]+ matched"));
  EXPECT_THAT(err, EndsWith("\r\033[K"));
  EXPECT_THAT(err, Not(HasSubstr("\n")));
}

TEST_F(MatchProgressTest, IsNotShownWithoutATerminalNorAmongTheEvents) {
  EXPECT_THAT(Run({"match", rules_}, Long(), {.clock = &clock_}).err, IsEmpty());
  const Io both = {.out_is_terminal = true, .err_is_terminal = true, .clock = &clock_};
  EXPECT_THAT(Run({"match", rules_}, Long(), both).err, IsEmpty());
  EXPECT_THAT(Run({"match", "--count", rules_}, Long(), both).err, HasSubstr("events/s"));
}

TEST_F(MatchProgressTest, IsNotShownInAShortRun) {
  EXPECT_THAT(Run({"match", rules_}, three_, {.err_is_terminal = true, .clock = &clock_}).err,
              IsEmpty());
}

// As behind `tail -f`: what matched comes out before more comes in. The progress line asks for the
// time after each block; then the test reads, and writes the next event.
TEST_F(MatchProgressTest, WhatMatchedIsWrittenBeforeMoreIsWaitedFor) {
  int in[2];
  int out[2];
  ASSERT_EQ(pipe(in), 0);
  ASSERT_EQ(pipe2(out, O_NONBLOCK), 0);
  const std::string event = Lines({kPaid});
  int turn = 0;
  clock_.on_read = [&] {
    if (turn++ > 0) {
      char got[1024];
      const ssize_t count = read(out[0], got, sizeof(got));
      ASSERT_EQ(count, static_cast<ssize_t>(event.size())) << "at turn " << turn;
      EXPECT_EQ(std::string(got, event.size()), event);
    }
    if (turn == 4) {
      close(in[1]);
      return;
    }
    ASSERT_EQ(write(in[1], event.data(), event.size()), static_cast<ssize_t>(event.size()));
  };
  const ScratchFile err;
  EXPECT_EQ(
      tool::Run(
          {"match", rules_},
          {.in = in[0], .out = out[1], .err = err.fd(), .err_is_terminal = true, .clock = &clock_}),
      0);
  EXPECT_EQ(turn, 4);
  for (const int fd : {in[0], out[0], out[1]}) close(fd);
}

TEST_F(MatchTest, AReaderThatHasSeenEnoughIsNoError) {
  std::signal(SIGPIPE, SIG_IGN);
  int out[2];
  ASSERT_EQ(pipe(out), 0);
  close(out[0]);
  const ScratchFile in(three_);
  const ScratchFile err;
  EXPECT_EQ(tool::Run({"match", rules_}, {.in = in.fd(), .out = out[1], .err = err.fd()}), 0);
  EXPECT_THAT(err.Text(), IsEmpty());
  close(out[1]);
}

TEST_F(MatchTest, AFullDiskIsTrouble) {
  const int full = open("/dev/full", O_WRONLY);
  if (full < 0) GTEST_SKIP() << "no /dev/full here";
  const ScratchFile in(three_);
  const ScratchFile err;
  EXPECT_EQ(tool::Run({"match", rules_}, {.in = in.fd(), .out = full, .err = err.fd()}), 2);
  EXPECT_EQ(err.Text(), "banyan match: cannot write: No space left on device\n");
  close(full);
}

}  // namespace
}  // namespace banyan::inline v0_1::tool
