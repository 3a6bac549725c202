// SPDX-License-Identifier: Apache-2.0
//
// From spec/buses.md 1 and 2: sizes, envelope, faults of one entry.
#include "route/event.h"

#include <string>
#include <utility>

#include "base/json.h"
#include "gmock/gmock.h"
#include "route_testing.h"

namespace banyan::internal {
namespace {

using ::testing::HasSubstr;

const Id kId = {0x17793124050546u << 8, 0x8a4b000000000001u};

class EventTest : public RouteTest {
 protected:
  absl::StatusOr<std::string> Make(const EventEntry& entry) {
    absl::StatusOr<Event> event = MakeEvent(entry, kId, absl::FromUnixSeconds(0), *house_.env);
    if (!event.ok()) return event.status();
    return event->json;
  }
  absl::StatusOr<std::string> Read(std::string_view json) {
    absl::StatusOr<Event> event = ReadEvent(json, kId, absl::FromUnixSeconds(0), *house_.env);
    if (!event.ok()) return event.status();
    return event->json;
  }
};

TEST_F(EventTest, B33_TheEnvelopeHasEventBridgesOrder) {
  EXPECT_EQ(Make({.source = "shop.orders",
                  .detail_type = "Order \"placed\"",
                  .detail = " { \"b\" : 1.50 , \"a\" : [ 1 , \"x y\" ] } ",
                  .resources = {"r1", "r\"2"},
                  .time = absl::FromUnixMillis(1'700'000'000'999)})
                .value(),
            R"({"version":"0","id":")" + kId.ToString() +
                R"(","detail-type":"Order \"placed\"","source":"shop.orders",)"
                R"("account":"000000000000","time":"2023-11-14T22:13:20Z","region":"us-east-1",)"
                R"("resources":["r1","r\"2"],"detail":{"b":1.50,"a":[1,"x y"]}})");
}

// What rules are told about an event made from parts is true of the whole.
TEST_F(EventTest, TheOutlineOfAnEventFitsItsText) {
  const std::string large(300, 'x');
  const std::string details[] = {
      "{}",
      R"({"a":1})",
      R"(  { "a" : { "b" : [ 1 , "x y" ] } }  )",
      R"({"big":{"text":")" + large + R"("},"list":[{"text":")" + large + R"("},{"b":2}],"z":1})",
      "{ \"big\" : {\n \"text\" : \"" + large + "\" } , \"z\" : 1 }",
      R"({"a":1,"a":2})",
      R"({"a.b":1,"a":{"b":2}})",
      R"({"quote":"\"}","back\\slash":"\\"})",
  };
  for (const std::string& detail : details) {
    for (const std::string resource : {"r", "r\"\\", "long"}) {
      const std::string text = resource == "long" ? large : resource;
      const Event event = MakeEvent({.source = "s",
                                     .detail_type = "d \"t\"",
                                     .detail = detail,
                                     .resources = {text, text}},
                                    kId, absl::FromUnixSeconds(0), *house_.env)
                              .value();
      ASSERT_TRUE(event.outline.has_value()) << detail;
      const EventOutline& ours = *event.outline;
      const CheckedEvent whole = CheckedEvent::Check(event.json).value();
      EXPECT_EQ(whole.json(), event.json);
      EXPECT_GE(ours.may_repeat, whole.outline().may_repeat) << event.json;
      EXPECT_GE(ours.has_escapes, whole.outline().has_escapes) << event.json;
      ASSERT_FALSE(ours.jumps.empty());
      EXPECT_EQ(ours.jumps[0].end, event.json.size());
      for (size_t i = 0; i < ours.jumps.size(); ++i) {
        const EventOutline::Jump& jump = ours.jumps[i];
        std::string part;
        EXPECT_TRUE(CompactJson(event.json.substr(jump.begin, jump.end - jump.begin), &part));
        EXPECT_TRUE(part.starts_with('{') || part.starts_with('[')) << part;
        EXPECT_GT(jump.next, i);
        if (jump.next < ours.jumps.size()) {
          EXPECT_GE(ours.jumps[jump.next].begin, jump.end);
        }
        if (i + 1 < jump.next) {
          EXPECT_LT(ours.jumps[i + 1].end, jump.end);
        }
      }
    }
  }
}

TEST_F(EventTest, ADetailAtTheLimitOfDepthIsTakenButNotMatched) {
  const auto nested = [](int depth) {
    return "{\"a\":" + std::string(static_cast<size_t>(depth) - 1, '[') +
           std::string(static_cast<size_t>(depth) - 1, ']') + "}";
  };
  const auto make = [this](const std::string& detail) {
    return MakeEvent({.source = "s", .detail_type = "d", .detail = detail}, kId,
                     absl::FromUnixSeconds(0), *house_.env);
  };
  EXPECT_TRUE(make(nested(999))->outline.has_value());
  ASSERT_TRUE(make(nested(1000)).ok());
  EXPECT_FALSE(make(nested(1000))->outline.has_value());
  EXPECT_FALSE(make(nested(1001)).ok());
}

TEST_F(EventTest, AnEventBeyondThePatternLimitsHasNoOutline) {
  Limits limits = Limits::Aws();
  limits.pattern.event_bytes_max = 400;
  limits.pattern.event_names_max = 12;
  TestHouse house(runtime_, limits);
  const auto has_outline = [&house](const std::string& detail) {
    return MakeEvent({.source = "s", .detail_type = "d", .detail = detail}, kId,
                     absl::FromUnixSeconds(0), *house.env)
        ->outline.has_value();
  };
  EXPECT_TRUE(has_outline(R"({"a":1})"));
  EXPECT_FALSE(has_outline(R"({"a":1,"b":1,"c":1,"d":1})"));
  EXPECT_FALSE(has_outline("{\"a\":\"" + std::string(300, 'x') + "\"}"));
}

TEST_F(EventTest, B34_ResourcesAreAlwaysThereAndTimeIsNowByDefault) {
  const std::string json = Make({.source = "s", .detail_type = "d", .detail = "{}"}).value();
  EXPECT_THAT(json, HasSubstr("\"time\":\"1970-01-01T00:00:00Z\""));
  EXPECT_THAT(json, HasSubstr("\"resources\":[],\"detail\":{}}"));
}

TEST_F(EventTest, EntryFaultsAreInEventBridgesWords) {
  const struct {
    EventEntry entry;
    std::string code;
    std::string text;
  } cases[] = {
      {{.detail_type = "d", .detail = "{}"},
       "InvalidArgument",
       "Parameter Source is not valid. Reason: Source is a required argument."},
      {{.source = "s", .detail = "{}"},
       "InvalidArgument",
       "Parameter DetailType is not valid. Reason: DetailType is a required argument."},
      {{.source = "s", .detail_type = "d"},
       "InvalidArgument",
       "Parameter Detail is not valid. Reason: Detail is a required argument."},
      {{.source = "aws.ec2", .detail_type = "d", .detail = "{}"},
       "NotAuthorizedForSourceException",
       "Not authorized for the source."},
  };
  for (const auto& c : cases) {
    const absl::Status refused = Make(c.entry).status();
    EXPECT_EQ(CodeOf(refused), c.code);
    EXPECT_EQ(TextOf(refused), c.text);
  }
}

TEST_F(EventTest, ADetailMustBeAJsonObject) {
  for (const char* bad :
       {"[]", "\"text\"", "\"{}\"", "17", "null", "{", "{} {}", "{'a':1}", "{\"a\":01}"}) {
    const absl::Status refused = Make({.source = "s", .detail_type = "d", .detail = bad}).status();
    EXPECT_EQ(CodeOf(refused), "MalformedDetail") << bad;
    EXPECT_TRUE(TextOf(refused).starts_with("Detail is malformed. Reason: ")) << TextOf(refused);
    EXPECT_THAT(TextOf(refused), HasSubstr(" at line 1, column ")) << bad;
  }
  EXPECT_EQ(
      TextOf(Make({.source = "s", .detail_type = "d", .detail = "{\n \"a\": nul}"}).status()),
      "Detail is malformed. Reason: Unrecognized token 'nul': was expecting (JSON String, Number, "
      "Array, Object or token 'null', 'true' or 'false') at line 2, column 10.");
  EXPECT_EQ(TextOf(Make({.source = "s", .detail_type = "d", .detail = " [1]"}).status()),
            "Detail is malformed. Reason: it is not a JSON object at line 1, column 2.");
}

TEST_F(EventTest, TextsThatAreNotUtf8AreRefusedByTheirName) {
  const struct {
    EventEntry entry;
    std::string text;
  } cases[] = {
      {{.source = "s\xFF", .detail_type = "d", .detail = "{}"},
       "Parameter Source is not valid. Reason: Source must be UTF-8; its byte 2 is 0xFF."},
      {{.source = "s", .detail_type = "\xC3", .detail = "{}"},
       "Parameter DetailType is not valid. Reason: DetailType must be UTF-8; its byte 1 is 0xC3."},
      {{.source = "s",
        .detail_type = "d",
        .detail = "{}",
        .resources = {"\xC3\xA4", "a\xED\xA0\x80"}},  // half a surrogate pair
       "Parameter Resources is not valid. Reason: Resources[1] must be UTF-8; its byte 2 is "
       "0xED."},
  };
  for (const auto& c : cases) {
    const absl::Status refused = Make(c.entry).status();
    EXPECT_EQ(CodeOf(refused), "InvalidArgument");
    EXPECT_EQ(TextOf(refused), c.text);
  }
  EXPECT_EQ(
      CodeOf(Make({.source = "s", .detail_type = "d", .detail = "{\"a\": \"\xFF\"}"}).status()),
      "MalformedDetail");
}

TEST_F(EventTest, SourcesThatOnlyLookReservedPass) {
  EXPECT_TRUE(Make({.source = "aws", .detail_type = "d", .detail = "{}"}).ok());
  EXPECT_TRUE(Make({.source = "my.aws.thing", .detail_type = "d", .detail = "{}"}).ok());
}

TEST_F(EventTest, ATimeOutsideOfTheCalendarIsRefused) {
  for (const absl::Time bad : {absl::InfiniteFuture(), absl::InfinitePast(),
                               absl::FromUnixSeconds(-1), absl::FromUnixSeconds(253'402'300'800)}) {
    EXPECT_EQ(
        CodeOf(Make({.source = "s", .detail_type = "d", .detail = "{}", .time = bad}).status()),
        "InvalidArgument");
  }
}

TEST_F(EventTest, TheSizeFormulaIsTheDocumentedOne) {
  EXPECT_EQ(EntryBytes({}), 0);
  EXPECT_EQ(EntryBytes({.source = "abc",
                        .detail_type = "\xC3\xA4",
                        .detail = "{}",
                        .resources = {"12345", "6"},
                        .time = absl::UnixEpoch(),
                        .trace_header = "does not count"}),
            14 + 3 + 2 + 2 + 6);
}

TEST_F(EventTest, AnEnvelopedEventKeepsWhatItSays) {
  EXPECT_EQ(Read(R"({ "detail": {"x": 1}, "source": "aws.s3", "detail-type": "Object Created",
               "id": "17793124-0505-4600-8a4b-1234567890ab", "account": "123456789012",
               "time": "2021-11-12T00:00:00.123Z", "region": "ca-central-1", "version": "0",
               "resources": ["arn:aws:s3:::bucket"], "replay-name": "r", "more": [1, 2] })")
                .value(),
            R"({"version":"0","id":"17793124-0505-4600-8a4b-1234567890ab",)"
            R"("detail-type":"Object Created","source":"aws.s3","account":"123456789012",)"
            R"("time":"2021-11-12T00:00:00Z","region":"ca-central-1","replay-name":"r",)"
            R"("resources":["arn:aws:s3:::bucket"],"detail":{"x":1},"more":[1,2]})");
}

TEST_F(EventTest, AnEnvelopedEventIsCompleted) {
  EXPECT_EQ(
      Read(R"({"source":"s","detail-type":"d","detail":{}})").value(),
      R"({"version":"0","id":")" + kId.ToString() +
          R"(","detail-type":"d","source":"s","account":"000000000000",)"
          R"("time":"1970-01-01T00:00:00Z","region":"us-east-1","resources":[],"detail":{}})");
}

TEST_F(EventTest, ReadingAnswersTheEventsIdOrANewOne) {
  const std::string rest = R"("source":"s","detail-type":"d","detail":{}})";
  const absl::Time now = absl::FromUnixSeconds(0);
  EXPECT_EQ(
      ReadEvent(R"({"id":"00000000-0000-0001-0000-000000000002",)" + rest, kId, now, *house_.env)
          ->id,
      (Id{1, 2}));
  const Event odd = ReadEvent(R"({"id":"order-17",)" + rest, kId, now, *house_.env).value();
  EXPECT_EQ(odd.id, kId);
  EXPECT_THAT(odd.json, HasSubstr("\"id\":\"order-17\""));
}

TEST_F(EventTest, WhatIsNoEventIsRefusedWithPositionAndReason) {
  const struct {
    const char* json;
    const char* code;
    const char* reason;
  } cases[] = {
      {"", "InvalidArgument", "there is no JSON value in the text at line 1, column 1."},
      {"\n ", "InvalidArgument", "there is no JSON value in the text at line 2, column 2."},
      {"[1]", "InvalidArgument", "not a JSON object at line 1, column 1."},
      {"{}\n x", "InvalidArgument", "more text behind the JSON object at line 2, column 2."},
      {"{\"a\": 1", "InvalidArgument", "(start marker at line 1, column 1) at line 1, column 8."},
      {R"({"detail-type":"d","detail":{}})", "InvalidArgument", "Source"},
      {R"({"source":"","detail-type":"d","detail":{}})", "InvalidArgument", "Source"},
      {R"({"source":"s","detail-type":"","detail":{}})", "InvalidArgument", "DetailType"},
      {R"({"source":"s","detail-type":"d"})", "InvalidArgument", "Detail"},
      {R"({"source":"s","detail-type":"d","detail":[]})", "MalformedDetail",
       "Detail is malformed. Reason: it is not a JSON object at line 1, column 42."},
      {"{\"detail\": {\"a\": [1]},\n \"source\": 1}", "InvalidArgument",
       "source is not a string at line 2, column 12."},
      {R"({"source":"s","detail-type":"d","detail":{},"resources":"r"})", "InvalidArgument",
       "resources is not an array at line 1, column 57."},
      {R"({"source":"s","detail-type":"d","detail":{},"time":"noon"})", "InvalidArgument", "noon"},
  };
  for (const auto& c : cases) {
    const absl::Status refused = Read(c.json).status();
    EXPECT_EQ(CodeOf(refused), c.code) << c.json;
    EXPECT_THAT(TextOf(refused), HasSubstr(c.reason));
  }
}

TEST_F(EventTest, WhatIsNestedTooDeepIsRefusedWithPositionAndReason) {
  const std::string deep = R"({"source":"s","detail-type":"d","detail":{"a":)" +
                           std::string(1000, '[') + std::string(1000, ']') + "}}";
  const absl::Status refused = Read(deep).status();
  EXPECT_EQ(CodeOf(refused), "InvalidArgument");
  EXPECT_THAT(TextOf(refused), HasSubstr("exceeds the maximum allowed nesting depth (1000)"));
  EXPECT_THAT(TextOf(refused), HasSubstr(" at line 1, column "));
}

TEST_F(EventTest, TraceHeadersAreAtMost500BytesOfPrintableAscii) {
  const auto check = [](std::string header) {
    return ValidateEntryShape({.source = "s", .trace_header = std::move(header)}, 2, Limits::Aws());
  };
  EXPECT_TRUE(check(std::string(500, '~')).ok());
  EXPECT_EQ(CodeOf(check(std::string(501, 'x'))), "ValidationException");
  EXPECT_EQ(
      TextOf(check(std::string(501, 'x'))),
      "1 validation error detected: Value at 'entries.2.member.traceHeader' failed to satisfy "
      "constraint: Member must have length less than or equal to 500; it has 501");
  EXPECT_THAT(TextOf(check("Root=1\r\nX: y")), HasSubstr("byte 7 is 0x0D"));
}

}  // namespace
}  // namespace banyan::internal
