// SPDX-License-Identifier: Apache-2.0
//
// The text in which a request rests in the host's database.
#include "broker/outbox_row.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <random>
#include <string>
#include <string_view>
#include <variant>

#include "banyan/testing/matchers.h"
#include "base/utf8.h"

namespace banyan::internal {
namespace {

using ::banyan::testing::IsOk;
using ::banyan::testing::StatusIs;
using ::testing::HasSubstr;

constexpr Id kId = {0x5fea77560ea4451a, 0xa703a558b933e274};
constexpr std::string_view kStart =
    R"({"banyan_outbox":1,"kind":"queue","id":"5fea7756-0ea4-451a-a703-a558b933e274","arn":"a")";

// Equal if they are written equally; and bodies are compared as they are.
void ExpectRoundTrip(const OutboxLetter& letter) {
  const std::string row = WriteOutboxRow(letter);
  const absl::StatusOr<OutboxLetter> read = ReadOutboxRow(row);
  ASSERT_THAT(read, IsOk()) << row;
  EXPECT_EQ(read->id, letter.id);
  EXPECT_EQ(read->arn, letter.arn);
  ASSERT_EQ(read->request.index(), letter.request.index());
  if (const auto* publish = std::get_if<PublishRequest>(&letter.request)) {
    const auto& other = std::get<PublishRequest>(read->request);
    EXPECT_EQ(other.body, publish->body);
    EXPECT_EQ(other.subject, publish->subject);
    EXPECT_EQ(other.attributes, publish->attributes);
    EXPECT_EQ(other.trace_header, publish->trace_header);
    EXPECT_EQ(other.message_group_id, publish->message_group_id);
    EXPECT_EQ(other.message_deduplication_id, publish->message_deduplication_id);
    EXPECT_EQ(other.json_structure, publish->json_structure);
  } else if (const auto* send = std::get_if<SendRequest>(&letter.request)) {
    const auto& other = std::get<SendRequest>(read->request);
    EXPECT_EQ(other.body, send->body);
    EXPECT_EQ(other.attributes, send->attributes);
    EXPECT_EQ(other.delay, send->delay);
    EXPECT_EQ(other.trace_header, send->trace_header);
    EXPECT_EQ(other.message_group_id, send->message_group_id);
    EXPECT_EQ(other.message_deduplication_id, send->message_deduplication_id);
  } else {
    const auto& entry = std::get<EventEntry>(letter.request);
    const auto& other = std::get<EventEntry>(read->request);
    EXPECT_EQ(other.source, entry.source);
    EXPECT_EQ(other.detail_type, entry.detail_type);
    EXPECT_EQ(other.detail, entry.detail);
    EXPECT_EQ(other.resources, entry.resources);
    EXPECT_EQ(other.time, entry.time);
    EXPECT_EQ(other.trace_header, entry.trace_header);
  }
}

OutboxLetter FullQueueLetter() {
  return {.id = kId,
          .arn = "arn:aws:sqs:us-east-1:000000000000:jobs.fifo",
          .request = SendRequest{
              .body = "resize 17",
              .attributes = {{"n", AttributeValue::Number(7)},
                             {"raw", AttributeValue::Binary(std::string_view("\xff\0", 2))},
                             {"tenant", "acme"}},
              .delay = absl::Milliseconds(1'500),
              .trace_header = "Root=1",
              .message_group_id = "g",
              .message_deduplication_id = "d"}};
}

TEST(OutboxRow, IsTheTextOfTheDocumentation) {
  EXPECT_EQ(WriteOutboxRow(FullQueueLetter()),
            R"({"banyan_outbox":1,"kind":"queue","id":"5fea7756-0ea4-451a-a703-a558b933e274",)"
            R"("arn":"arn:aws:sqs:us-east-1:000000000000:jobs.fifo","body":"resize 17",)"
            R"("attributes":{"n":{"type":"Number","value":"7"},)"
            R"("raw":{"type":"Binary","value":{"base64":"/wA="}},)"
            R"("tenant":{"type":"String","value":"acme"}},)"
            R"("group":"g","deduplication":"d","delay_ns":1500000000,"trace":"Root=1"})");
  EXPECT_EQ(
      WriteOutboxRow({.id = kId,
                      .arn = "a",
                      .request = EventEntry{.source = "s",
                                            .detail_type = "t",
                                            .detail = R"({"a":1})",
                                            .resources = {"r"},
                                            .time = absl::FromUnixMillis(1'767'225'600'500)}}),
      R"({"banyan_outbox":1,"kind":"bus","id":"5fea7756-0ea4-451a-a703-a558b933e274","arn":"a",)"
      R"("source":"s","detail_type":"t","detail":"{\"a\":1}",)"
      R"("time":"2026-01-01T00:00:00.5+00:00","resources":["r"]})");
}

TEST(OutboxRow, ComesBackAsItWas) {
  ExpectRoundTrip(FullQueueLetter());
  ExpectRoundTrip({.id = kId,
                   .arn = "arn:aws:sns:us-east-1:000000000000:t",
                   .request = PublishRequest{.body = R"({"default": "\u0000"})",
                                             .subject = "\u00e4\"",
                                             .attributes = {{"a", "b"}},
                                             .trace_header = "t",
                                             .message_group_id = "g",
                                             .message_deduplication_id = "d",
                                             .json_structure = true}});
  ExpectRoundTrip({.id = kId,
                   .arn = "b",
                   .request = EventEntry{.source = "s",
                                         .detail_type = "t",
                                         .detail = "{}",
                                         .resources = {"", "\xff", "r"},
                                         .time = absl::FromUnixNanos(1'767'225'600'123'456'789),
                                         .trace_header = "t"}});
  ExpectRoundTrip({.id = kId, .arn = "b", .request = EventEntry{}});
  // The year 9999 is beyond what 64 bits of nanoseconds hold.
  ExpectRoundTrip({.id = kId,
                   .arn = "b",
                   .request = EventEntry{.time = absl::FromUnixSeconds(253'402'300'799)}});
}

TEST(OutboxRow, HoldsAnyBytesAsUtf8WithoutNul) {
  const auto seed = static_cast<uint64_t>(::testing::UnitTest::GetInstance()->random_seed()) + 1;
  SCOPED_TRACE("seed " + std::to_string(seed));
  std::mt19937_64 random(seed);
  const std::string_view pieces[] = {"a",
                                     "\"",
                                     "\\",
                                     "\n",
                                     std::string_view("\0", 1),
                                     "\u00e4",
                                     "\u20ac",
                                     "\U0001F600",
                                     "\x80",
                                     "\xff",
                                     "\xed\xa0\x80",
                                     "{}"};
  for (int i = 0; i < 2'000; ++i) {
    std::string text;
    for (uint64_t n = random() % 6; n > 0; --n) text += pieces[random() % std::size(pieces)];
    const OutboxLetter letter = {
        .id = {random(), random()},
        .arn = "a" + text,
        .request = SendRequest{.body = text,
                               .attributes = {{"x", AttributeValue(text, text)}},
                               .message_group_id = text}};
    ExpectRoundTrip(letter);
    const std::string row = WriteOutboxRow(letter);
    for (std::string_view rest = row; !rest.empty();) {
      const size_t length = Utf8Length(rest);
      ASSERT_GT(length, 0u) << row;
      ASSERT_NE(rest.front(), '\0');
      rest.remove_prefix(length);
    }
  }
}

// A column of a binary JSON type keeps neither the order of members nor white space.
TEST(OutboxRow, IsReadInAnyOrderAndWithAnySpace) {
  const absl::StatusOr<OutboxLetter> letter = ReadOutboxRow(
      "  {\"arn\" : \"a\",\n \"body\":\"b\",\"id\": \"5FEA7756-0ea4-451a-a703-a558b933e274\", "
      "\"kind\":\"queue\",\"banyan_outbox\": 1 }\n ");
  ASSERT_THAT(letter, IsOk());
  EXPECT_EQ(letter->id, kId);
  EXPECT_EQ(std::get<SendRequest>(letter->request).body.view(), "b");
}

TEST(OutboxRow, OfALaterVersionIsCalledThatWhateverElseItHas) {
  EXPECT_THAT(ReadOutboxRow(R"({"new":{"a":[1]},"kind":"stream","banyan_outbox":2})"),
              StatusIs(absl::StatusCode::kDataLoss,
                       "This is no outbox row: its version is 2, and this library reads 1"));
}

TEST(OutboxRow, ThatIsNotAsDocumentedIsRefusedWithTheReason) {
  const std::string start(kStart);
  const std::pair<std::string, std::string> bad[] = {
      {"", "no JSON object"},
      {"[]", "no JSON object"},
      {"1", "no JSON object"},
      {"{}", "no member banyan_outbox"},
      {start, ""},  // its end is missing
      {start + "} x", "more text behind"},
      {start + R"(,"banyan_outbox":1})", "two members banyan_outbox"},
      {start + R"(,"priority":1})", "unknown member priority"},
      {start + R"(,"subject":"s"})", "its kind is queue, and it has a member subject"},
      {start + R"(,"detail":"s"})", "its kind is queue, and it has a member detail"},
      {start + R"(,"body":1})", "body is not a text, at byte"},
      {start + R"(,"body":null})", "body is not a text, at byte"},
      {start + R"(,"body":{}})", "body is not a text, at byte"},
      {start + R"(,"body":{"base64":1}})", "body is not a text, at byte"},
      {start + R"(,"body":{"base64":"!"}})", "body is not in base64, at byte"},
      {start + R"(,"body":{"base64":"YQ==","b":1}})", "body is not a text, at byte"},
      {start + R"(,"delay_ns":"1"})", "delay_ns is not a number"},
      {start + R"(,"delay_ns":1.5})", "delay_ns is 1.5"},
      {start + R"(,"delay_ns":1e3})", "delay_ns is 1e3"},
      {start + R"(,"delay_ns":9999999999999999999})", "delay_ns is 9999999999999999999"},
      {start + R"(,"attributes":[]})", "attributes is not an object"},
      {start + R"(,"attributes":{"a":"b"}})", "a is not an object"},
      {start + R"(,"attributes":{"a":{"type":"String"}}})", "lacks a type or a value"},
      {start + R"(,"attributes":{"a":{"value":"x"}}})", "lacks a type or a value"},
      {start + R"(,"attributes":{"a":{"type":"String","value":"x","c":1}}})", "too many"},
      {start + R"(,"attributes":{"a":{"type":"S","type":"S","value":"x"}}})", "too many"},
      {start + R"(,"attributes":{"a":{"type":"S","value":"x"},"a":{"type":"S","value":"x"}}})",
       "two attributes a"},
      {R"({"banyan_outbox":"1"})", "banyan_outbox is not a number"},
      {R"({"banyan_outbox":1})", "its kind is \"\""},
      {R"({"banyan_outbox":1,"kind":"stream"})", "its kind is \"stream\""},
      {R"({"banyan_outbox":1,"kind":"queue","id":"7","arn":"a"})", "its id is \"7\""},
      {R"({"banyan_outbox":1,"kind":"queue","id":"5fea7756-0ea4-451a-a703-a558b933e274"})",
       "no member arn"},
      {R"({"banyan_outbox":1,"kind":"topic","json_structure":false})",
       "json_structure is not true"},
      {R"({"banyan_outbox":1,"kind":"bus","id":"5fea7756-0ea4-451a-a703-a558b933e274",)"
       R"("arn":"a","time":"yesterday"})",
       "time is \"yesterday\""},
      {R"({"banyan_outbox":1,"kind":"bus","resources":"r"})", "resources is not an array"},
      {R"({"banyan_outbox":1,"kind":"bus","resources":[1]})", "resources is not a text"},
      {R"({"banyan_outbox":1,"kind":"bus","resources":["a"})", ""},
  };
  for (const auto& [row, reason] : bad) {
    EXPECT_THAT(ReadOutboxRow(row), StatusIs(absl::StatusCode::kDataLoss, HasSubstr(reason)))
        << row;
  }
}

// Whatever befalls a row: it is read, or it is refused.
TEST(OutboxRow, CutOffAnywhereItIsRefused) {
  const std::string row = WriteOutboxRow(FullQueueLetter());
  for (size_t length = 0; length < row.size(); ++length) {
    EXPECT_THAT(ReadOutboxRow(row.substr(0, length)), StatusIs(absl::StatusCode::kDataLoss))
        << length;
  }
}

TEST(OutboxRow, DamagedAnywhereItIsReadOrRefused) {
  const auto seed = static_cast<uint64_t>(::testing::UnitTest::GetInstance()->random_seed()) + 1;
  SCOPED_TRACE("seed " + std::to_string(seed));
  std::mt19937_64 random(seed);
  const std::string row = WriteOutboxRow(FullQueueLetter());
  int refused = 0;
  for (int i = 0; i < 20'000; ++i) {
    std::string damaged = row;
    for (uint64_t n = 1 + random() % 3; n > 0; --n) {
      const size_t at = random() % damaged.size();
      switch (random() % 4) {
        case 0:
          damaged[at] = static_cast<char>(random());
          break;
        case 1:
          damaged.erase(at, random() % 8);
          break;
        case 2:
          damaged.insert(at, damaged.substr(random() % damaged.size(), random() % 8));
          break;
        default:
          damaged[at] = R"({}[]":,\)"[random() % 8];
      }
      if (damaged.empty()) break;
    }
    const absl::StatusOr<OutboxLetter> letter = ReadOutboxRow(damaged);
    if (letter.ok()) {
      ExpectRoundTrip(*letter);  // then it means something
    } else {
      EXPECT_THAT(letter, StatusIs(absl::StatusCode::kDataLoss));
      ++refused;
    }
  }
  EXPECT_GT(refused, 10'000);
}

}  // namespace
}  // namespace banyan::internal
