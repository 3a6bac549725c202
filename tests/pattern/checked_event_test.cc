// SPDX-License-Identifier: Apache-2.0
#include <algorithm>
#include <atomic>
#include <limits>
#include <random>
#include <string>
#include <string_view>
#include <thread>
#include <vector>

#include "banyan/rule_set.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "pattern/event_checker.h"
#include "pattern_testing.h"
#include "plain_checker.h"

namespace banyan::inline v0_1::internal {
namespace {

using ::testing::EndsWith;
using ::testing::HasSubstr;
using ::testing::SizeIs;

// JSON texts, good and bad, that stand for what an event may hold anywhere.
const std::vector<std::string>& Values() {
  using namespace std::string_literals;  // NOLINT(google-build-using-namespace)
  static const std::vector<std::string>& values = *new std::vector<std::string>{
      // Literals and what is nearly one.
      "true", "false", "null", "tru", "truex", "true1", "True", "TRUE", "nul", "nulll", "falsey",
      "true\"x\"", "true{}", "true[]", "true:", "t", "f", "n", "truetrue", "NaN", "Infinity",
      "-Infinity", "undefined", "true\x0c", "true\x1a", "true\v", "true/", "null\0"s,
      // Numbers.
      "0", "-0", "1", "-1", "10", "1234567", "12345678", "123456789", "1234567890123456789012345",
      "0.5", "-0.0", "1.25e10", "1E5", "1e+5", "1e-5", "1e400", "-1e400", "1e-400", "0e0", "01",
      "-01", "00", "-", "--1", "+1", "1.", ".5", "-.5", "1.e5", "1e", "1e+", "1e-", "1e5.5",
      "1.2.3", "0x10", "1a", "1_000", "12\"a\"", "1 2", "1-", "1+1",
      "0.00000000000000000000000000000001", "1.0000000000000000", "12345678.", "12345678e",
      "1234567:", "1\x0c", "1\x1a", "1{", "1[", "1/**/", "0\0"s, "1\\", "1\\\"", "\xef\xbc\x91",
      "1\xef\xbc\x91",
      // Strings.
      R"("")", R"("a")", R"("\"")", R"("\\")", R"("\\\"")", R"("\/\b\f\n\r\t")", R"("\u0041")",
      R"("\uD83D\uDE00")", R"("\ud800")", R"("\udc00")", R"("\ud800x")", R"("\ud800\ud800")",
      R"("\ud800\u0041")", R"("\u00e")", R"("\u00g0")", R"("\u")", R"("\ud800\u12")", R"("\x41")",
      R"("\'")", R"("\a")", R"("\0")", R"("\ ")", R"("\")", R"("a)", R"(")", R"(a")", R"("a"b)",
      R"("a""b")", R"("a" "b")", R"('a')", R"(\"a\")", R"("a"\)", "\"\\\n\"", "\"\\\0\""s, "\"\n\"",
      "\"\t\"", "\"\r\"", "\"\x01\"", "\"\x1f\"", "\"\x7f\"", "\"\0\""s, "\"a\0b\""s,
      // UTF-8 and what only looks so.
      "\"\xc3\xa4\"", "\"\xe2\x82\xac\"", "\"\xf0\x9f\x98\x80\"", "\"\xf4\x8f\xbf\xbf\"",
      "\"\xf4\x90\x80\x80\"", "\"\xc0\x80\"", "\"\xc1\xbf\"", "\"\xe0\x80\x80\"",
      "\"\xed\xa0\x80\"", "\"\xed\xb0\x80\"", "\"\xef\xbb\xbf\"", "\"\xff\"", "\"\xfe\"",
      "\"\x80\"", "\"\xc3\"", "\"\xe2\x82\"", "\"\xf0\x9f\x98\"", "\"\xc3\" \"\xa4\"", "\xc3\xa4",
      "\xef\xbb\xbf{}", "\xe2\x80\xa8", "\xc2\xa0true", "1\xc2\xa0",
      // Brackets.
      "{}", "[]", "{ }", "[ ]", "[[]]", "[{}]", R"({"a":{}})", R"({"a":[]})", "[1,2]",
      "[1,[2,3],4]", "{", "[", "}", "]", "[}", "{]", "[1}", R"({"a":1])", "[[]", "[]]", "{}}",
      R"({"a":{})", "[,]", "[1,]", "[,1]", "[1,,2]", "[1 2]", "{,}", R"({"a"})", R"({"a":})",
      R"({"a":1,})", R"({,"a":1})", R"({"a":1,,"b":2})", R"({"a" 1})", R"({"a"::1})", R"({:1})",
      R"({1:2})", R"({a:1})", R"({"a":1 "b":2})", R"({"a":1:2})", R"({"a",1})", R"({"a":"b":"c"})",
      R"({"a":1;"b":2})", R"({[]:1})", R"({{}:1})", R"({null:1})", R"({"a"b:1})", R"({"a":1}x)",
      R"(["a":1])", "[:]", "[true false]", R"({"a":1}{"b":2})", "[][]", R"({"a":[}])",
      // White space and comments.
      "", " ", " 1 ", "\t\n\r 1", "[ 1 , 2 ]", "{ \"a\" : 1 }", "{\"a\"\n\t:\r\n1}", "\v1", "\f1",
      "1\v", "[1,\f2]", "{\"a\"\f:1}", "[1\f2]", "{\"a\"\x1atrue}", "[1//\n]", "[/**/1]", "#1", ",",
      ":", "\\", "\0"s, "/",
      // Names.
      R"({"":1})", R"({"":1,"":2})", R"({"a":1,"a":2})", R"({"a.b":1,"a":{"b":2}})",
      R"({"\u0061":1})", R"({"a":1,"\u0061":2})", R"({"\ud800":1})", R"({"\q":1})", "{\"\n\":1}",
      "{\"\xff\":1}", R"({"12345678":1,"12345678":2})", R"({"123456789":1,"123456789":2})",
      R"({"1234567":1,"12345678":2,"123456789":3})"};
  return values;
}

class CheckedEventTest : public ::testing::Test {
 protected:
  std::string FaultOf(std::string_view text, const Limits& limits = Limits::Aws()) {
    return Fault(text, limits, &checker_, &event_);
  }

  bool IsEvent(std::string_view text) { return checker_.Check(text, Limits::Aws(), &event_); }

  bool MayRepeat(std::string_view text) {
    EXPECT_EQ(FaultOf(text), "") << text;
    EXPECT_TRUE(IsEvent(text)) << text;
    return event_.outline().may_repeat;
  }

  std::string ErrorOf(std::string_view text, const Limits& limits = Limits::Aws()) {
    const absl::StatusOr<CheckedEvent> event = CheckedEvent::Check(text, limits);
    if (event.ok()) return "";
    EXPECT_EQ(event.status().code(), absl::StatusCode::kInvalidArgument);
    return std::string(event.status().message());
  }

  EventChecker checker_;
  CheckedEvent event_ = EventChecker::Blank();
};

TEST_F(CheckedEventTest, JsonIsTheObjectWithoutItsSurroundings) {
  const std::string text = " \r\n\t{\"a\": {\"b\": [1, 2]} } \n garbage \" \xff { ";
  const absl::StatusOr<CheckedEvent> event = CheckedEvent::Check(text);
  ASSERT_TRUE(event.ok()) << event.status();
  EXPECT_EQ(event->json(), "{\"a\": {\"b\": [1, 2]} }");
  EXPECT_EQ(event->json().data(), text.data() + 4);
}

TEST_F(CheckedEventTest, AgreesWithTheReaderOnNastyTexts) {
  for (const std::string& value : Values()) {
    for (const std::string& text :
         {value, "{\"a\":" + value + "}", "{\"a\": " + value + " }", "{\"a\":1," + value + "}",
          "{\"s\":{\"t\":[" + value + "]},\"u\":2}", "{\"s\":[{\"t\":1}," + value + ",3]}",
          "{" + value + ":1}", "{\"a\":1}" + value, value + "{\"a\":1}",
          "{\"a\":\"" + value + "\"}"}) {
      EXPECT_EQ(FaultOf(text), "") << text;
    }
  }
}

TEST_F(CheckedEventTest, AgreesWhereverTheBlocksOfTheFastWayEnd) {
  // It looks at 64 bytes at a time; each text is moved over two such borders.
  for (const std::string& value : Values()) {
    for (size_t shift = 0; shift < 130; ++shift) {
      const std::string text = "{\"" + std::string(shift, 'x') + "\":" + value + "}";
      ASSERT_EQ(FaultOf(text), "") << text;
    }
  }
}

TEST_F(CheckedEventTest, AgreesOnEveryPrefix) {
  const std::string text =
      R"( {"a":[1,-2.5e+3,true,null,{"b":"c\n\ud800","":[]}],"d":"ä€😀","e":{"f":{}},"g":false} )";
  for (size_t size = 0; size <= text.size(); ++size) {
    EXPECT_EQ(FaultOf(text.substr(0, size)), "") << text.substr(0, size);
  }
}

TEST_F(CheckedEventTest, AgreesOnRandomlyDamagedEvents) {
  std::mt19937_64 random = SeededRandom();
  const auto below = [&random](size_t n) { return static_cast<size_t>(random() % n); };
  const std::vector<std::string> events = {
      R"({"version":"0","id":"6a7e8feb-b491","detail-type":"EC2 Instance State-change Notification",)"
      R"("source":"aws.ec2","time":"2017-12-22T18:43:48Z","resources":["arn:aws:ec2:i-12345"],)"
      R"("detail":{"instance-id":"i-1234567890abcdef0","state":"terminated","n":[1,2.5,-3e-7]}})",
      R"({"geometry":{"coordinates":[{"x":-122.39938820711456,"y":37.71996000006389,"z":0},)"
      R"({"x":-122.4,"y":37.7,"z":1e-3}],"first":{"x":0.5}},"ok":true,"none":null,"no":false})",
      R"({"a":"\"\\\/\b\f\n\r\t\u0041\ud83d\ude00\ud800","b\\":["\\\\","\\\""],"c":{"d":"ä€😀"}})",
      "{ \"a\" : [ [ ] , { } , [ [ 1 ] , 2 ] ] ,\n\t\"b\" : { \"c\" : { \"d\" : \"e\" } } }\r\n",
      R"({"a":1,"b":{"a":1,"b":2},"a.b":3,"c":{"":{"":0}},"longer than a word":1,"longer than":2})",
  };
  constexpr std::string_view likely =
      "{}[]:,\"\\ \n\t0123456789-+.eEtfnua/\x0c\x1a\x80\xc3\xa4\xff";
  constexpr int kRounds = 300'000;
  int events_found = 0;
  for (int round = 0; round < kRounds; ++round) {
    std::string text = events[below(events.size())];
    for (size_t changes = below(4) + (round % 8 == 0 ? 0 : 1); changes > 0; --changes) {
      if (text.empty()) break;
      const size_t at = below(text.size());
      switch (below(6)) {
        case 0:
          text[at] = likely[below(likely.size())];
          break;
        case 1:
          text.insert(at, 1, likely[below(likely.size())]);
          break;
        case 2:
          text.erase(at, 1 + below(3));
          break;
        case 3:
          text[at] = static_cast<char>(random());
          break;
        case 4:  // something of the event again, at another place
          text.insert(at, text.substr(below(text.size()), below(40)));
          break;
        default:
          std::swap(text[at], text[below(text.size())]);
          break;
      }
    }
    const std::string fault = FaultOf(text);
    ASSERT_EQ(fault, "") << "round " << round << ": " << text;
    if (!event_.json().empty()) ++events_found;
  }
  // Both answers must have been common, or the comparison would say little.
  EXPECT_GT(events_found, kRounds / 10);
  EXPECT_LT(events_found, kRounds * 9 / 10);
}

TEST_F(CheckedEventTest, DepthIsCountedAsTheReaderCountsIt) {
  const auto nested = [](size_t depth) {
    return "{\"a\":" + std::string(depth - 1, '[') + std::string(depth - 1, ']') + "}";
  };
  EXPECT_EQ(ErrorOf(nested(1000)), "");
  EXPECT_THAT(ErrorOf(nested(1001)),
              HasSubstr("Depth (1001) exceeds the maximum allowed nesting depth (1000)"));
  EXPECT_THAT(ErrorOf(nested(1'000'000)), HasSubstr("Depth (1001)"));
  for (size_t depth : {2u, 999u, 1000u, 1001u, 1002u})
    EXPECT_EQ(FaultOf(nested(depth)), "") << depth;

  Limits limits = Limits::Aws();
  limits.pattern.depth_max = 2;
  EXPECT_EQ(ErrorOf("{\"a\":[]}", limits), "");
  EXPECT_THAT(ErrorOf("{\"a\":[{}]}", limits), HasSubstr("Depth (3)"));
}

TEST_F(CheckedEventTest, ErrorsSayWhatIsWrongAndWhere) {
  const std::string start = "Parameter Event is not valid. Reason: ";
  EXPECT_EQ(ErrorOf(""), start + "there is no JSON value in the text at line 1, column 1.");
  EXPECT_EQ(ErrorOf("\n []"), start + "it is not a JSON object at line 2, column 2.");
  EXPECT_EQ(ErrorOf("{\"a\":\n01}"),
            start + "Invalid numeric value: Leading zeroes not allowed at line 2, column 2.");
  EXPECT_THAT(ErrorOf("{\"a\":[1}"), HasSubstr("expected ']' (for Array starting at line 1"));
  EXPECT_THAT(ErrorOf("\xef\xbb\xbf{}"), HasSubstr("Unexpected character"));
}

TEST_F(CheckedEventTest, SizeIsLimitedBeforeAnythingIsRead) {
  Limits limits = Limits::Aws();
  limits.pattern.event_bytes_max = 10;
  EXPECT_EQ(ErrorOf("{\"abcd\":1}", limits), "");
  EXPECT_EQ(ErrorOf("{\"abcde\":1}", limits),
            "Parameter Event is not valid. Reason: the event has 11 bytes; at most 10 are allowed "
            "(limits.pattern.event_bytes_max).");

  // No such memory exists: whoever reads it crashes.
  limits.pattern.event_bytes_max = std::numeric_limits<int64_t>::max();
  EXPECT_THAT(ErrorOf(std::string_view("{}", size_t{1} << 40), limits),
              HasSubstr("1099511627776 bytes; at most 4294967295 are allowed"));
}

TEST_F(CheckedEventTest, NamesAreLimited) {
  Limits limits = Limits::Aws();
  limits.pattern.event_names_max = 3;
  const std::string text = R"({"a":{"b":[{"c":1}]}})";
  EXPECT_EQ(ErrorOf(text, limits), "");
  EXPECT_EQ(FaultOf(text, limits), "");
  const std::string more = R"({"a":{"b":[{"c":1}]}, "d":2})";
  EXPECT_THAT(ErrorOf(more, limits),
              EndsWith("the event has 4 names or more; at most 3 are allowed "
                       "(limits.pattern.event_names_max) at line 1, column 23."));
  EXPECT_EQ(FaultOf(more, limits), "");
  // What is malformed before the name too many is what is told.
  EXPECT_THAT(ErrorOf(R"({"a":01,"b":1,"c":1,"d":1})", limits), HasSubstr("Leading zeroes"));
}

TEST_F(CheckedEventTest, JumpsLeadOverLargeContainers) {
  const std::string fill(100, 'x');
  const std::string big = "[\"" + fill + "\",\"" + fill + "\"]";  // 207 bytes
  const std::string text =
      "{\"a\":{\"b\":" + big + ",\"c\":[1]},\"d\":{\"e\":{}},\"f\":" + big + "}";
  ASSERT_EQ(FaultOf(text), "");
  const auto& jumps = event_.outline().jumps;
  ASSERT_THAT(jumps, SizeIs(4));
  const uint32_t next[] = {4, 3, 3, 4};
  const char* starts[] = {"{\"a\"", "{\"b\"", "[\"x", "[\"x"};
  for (size_t j = 0; j < 4; ++j) {
    EXPECT_EQ(jumps[j].next, next[j]);
    EXPECT_TRUE(text.substr(jumps[j].begin).starts_with(starts[j])) << j;
  }
  EXPECT_EQ(jumps[0].end, text.size());
  EXPECT_EQ(jumps[2].end - jumps[2].begin, big.size());
}

TEST_F(CheckedEventTest, AJumpNeedsOneHundredAndTwentyEightBytes) {
  for (size_t size : {127u, 128u, 129u}) {
    const std::string text = "{\"a\":[\"" + std::string(size - 4, 'x') + "\"]}";
    ASSERT_EQ(FaultOf(text), "");
    EXPECT_THAT(event_.outline().jumps, SizeIs(size < 128 ? 1 : 2)) << size;
  }
}

TEST_F(CheckedEventTest, BracketBombsDoNotBuyJumps) {
  // The bound is met inside "b", when "a" has jumps to lose and "b" has not closed yet.
  const std::string nest = std::string(990, '[') + std::string(990, ']');
  std::string text = "{\"a\":[" + nest;
  for (int i = 0; i < 20; ++i) text += "," + nest;
  text += "],\"b\":[" + nest;
  for (int i = 0; i < 300; ++i) text += "," + nest;
  text += "],\"c\":[\"" + std::string(10'000, 'x') + "\"]}";
  EXPECT_EQ(FaultOf(text), "");
  const auto& jumps = event_.outline().jumps;
  EXPECT_LE(jumps.size(), text.size() / 16);

  // What is large keeps its jump: the event and its three arrays at least.
  ASSERT_GE(jumps.size(), 4);
  EXPECT_EQ(jumps[0].next, jumps.size());
  for (const char* start : {"[[[[[", "[\"xxx"}) {
    EXPECT_TRUE(std::any_of(jumps.begin(), jumps.end(), [&](const EventOutline::Jump& jump) {
      return jump.end - jump.begin > 9'000 && text.substr(jump.begin).starts_with(start);
    })) << start;
  }
  EXPECT_EQ(jumps[jumps[1].next].begin, text.find("\"b\"") + 4);

  // Open brackets cannot be given up before they close.
  Limits limits = Limits::Aws();
  limits.pattern.depth_max = 100'000;
  const std::string deep = "{\"a\":" + std::string(50'000, '[') + std::string(50'000, ']') + "}";
  ASSERT_TRUE(checker_.Check(deep, limits, &event_));
  EXPECT_EQ(event_.json().size(), deep.size());
  EXPECT_LE(event_.outline().jumps.size(), 100'000u);
}

TEST_F(CheckedEventTest, OrdinaryEventsDoNotRepeat) {
  EXPECT_FALSE(MayRepeat("{}"));
  EXPECT_FALSE(MayRepeat(R"({"a":1,"b":{"a":1,"b":[{"a":1},{"a":1,"b":2}]},"c":"a.b\\"})"));
  EXPECT_FALSE(
      MayRepeat(R"({"":1,"a":2,"aaaaaaa":3,"aaaaaaaa":4,"aaaaaaaaa":5,"aaaaaaaaaaaaaaaa":6,)"
                R"("aaaaaaaaaaaaaaaaa":7,"baaaaaaaaaaaaaaaaa":8,"aaaaaaaabaaaaaaaaa":9})"));
  for (int names : {2, 8, 9, 64, 1000, 100'000}) {
    std::string text = "{";
    for (int i = 0; i < names; ++i) text += "\"name-" + std::to_string(i) + "\":{\"x\":1,\"y\":2},";
    text.back() = '}';
    ASSERT_TRUE(IsEvent(text));
    EXPECT_FALSE(event_.outline().may_repeat) << names;
  }
}

TEST_F(CheckedEventTest, NamesThatMayMeanOnePathAreSeen) {
  EXPECT_TRUE(MayRepeat(R"({"a":1,"a":2})"));
  EXPECT_TRUE(MayRepeat(R"({"":1,"":2})"));
  EXPECT_TRUE(MayRepeat(R"({"a":{"x":1},"b":2,"a":{"y":1}})"));
  EXPECT_TRUE(MayRepeat(R"({"s":[[{"t":{"u":1,"v":2,"u":3}}]]})"));
  EXPECT_TRUE(MayRepeat(R"({"a.b":1,"a":{"b":2}})"));
  EXPECT_TRUE(MayRepeat(R"({"a":1,"\u0061":2})"));
  EXPECT_TRUE(MayRepeat(R"({"longer than eight":1,"b":2,"longer than eight":3})"));
  for (int names : {3, 8, 9, 64, 10'000}) {
    std::string text = "{";
    for (int i = 0; i < names; ++i) text += "\"name-" + std::to_string(i) + "\":0,";
    for (int again : {0, names / 2, names - 1}) {
      EXPECT_TRUE(MayRepeat(text + "\"name-" + std::to_string(again) + "\":1}")) << names;
    }
  }
}

TEST_F(CheckedEventTest, ACheckerForgetsWhatItSawBefore) {
  std::string large = "{\"a\":[";
  for (int i = 0; i < 60'000; ++i) large += "{\"x\":1,\"x\":\"\\n\"},";
  large.back() = ']';
  large += "}";
  for (const char* small : {"{\"b\":1}", "{", "{\"b\":[]} \"", "", "{\"b\":{\"x\":\"y\"}}"}) {
    ASSERT_TRUE(IsEvent(large));
    EXPECT_TRUE(event_.outline().may_repeat);
    EXPECT_EQ(FaultOf(small), "") << small;
    EXPECT_FALSE(event_.outline().has_escapes);
  }
}

TEST_F(CheckedEventTest, LargeTextsAreReadByTheStrictReaderAlone) {
  Limits limits = Limits::Relaxed();
  const std::string text = "{\"a\":[\"" + std::string(size_t{65} << 20, 'x') + "\"],\"b\":{}}";
  ASSERT_TRUE(checker_.Check(text, limits, &event_));
  EXPECT_EQ(event_.json().size(), text.size());
  EXPECT_THAT(event_.outline().jumps, SizeIs(2));
  EXPECT_FALSE(checker_.Check(text.substr(0, text.size() - 1), limits, &event_));
}

TEST_F(CheckedEventTest, ManyThreadsMayCheckAtOnce) {
  std::vector<std::thread> threads;
  std::atomic<int> events = 0;
  for (int t = 0; t < 4; ++t) {
    threads.emplace_back([&events] {
      for (int i = 0; i < 500; ++i) {
        const std::string text = "{\"a\":[" + std::to_string(i) + (i % 2 == 0 ? "]}" : "}");
        if (CheckedEvent::Check(text).ok()) ++events;
      }
    });
  }
  for (std::thread& thread : threads) thread.join();
  EXPECT_EQ(events, 4 * 250);
}

}  // namespace
}  // namespace banyan::inline v0_1::internal
