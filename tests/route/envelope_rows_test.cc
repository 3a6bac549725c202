// SPDX-License-Identifier: Apache-2.0
//
// What a subscriber of a topic reads, fact by fact, by the numbers in tests/data/topic_rows.md:
// spec/topics.md 3, through the public API alone. The order of keys, byte for byte, is in
// notification_test.cc; functions, HTTP and signatures stand beside their kind.
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "banyan/broker.h"
#include "banyan/message_md5.h"
#include "banyan/testing/fake_http_transport.h"
#include "banyan/testing/matchers.h"
#include "banyan/testing/simulated_runtime.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "shared_testing.h"

namespace banyan {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::SizeIs;

// The text of a member as it is written, without looking into it: from behind `"name" : ` to the end
// of its line, and the comma.
std::string WrittenMember(std::string_view json, const std::string& name) {
  const std::string before = "\n  \"" + name + "\" : ";
  const size_t at = json.find(before);
  if (at == json.npos) return "(none)";
  const size_t begin = at + before.size();
  std::string_view line = json.substr(begin, json.find('\n', begin) - begin);
  if (line.ends_with(',')) line.remove_suffix(1);
  return std::string(line);
}

// Without the line that is each subscription's own.
std::string WithoutUnsubscribeUrl(std::string json) {
  const size_t begin = json.find("\n  \"UnsubscribeURL\"");
  EXPECT_NE(begin, json.npos) << json;
  if (begin != json.npos) json.erase(begin, json.find('\n', begin + 1) - begin);
  return json;
}

// The keys of an SNS text, in their order.
std::vector<std::string> KeysOf(std::string_view json) {
  constexpr std::string_view kBefore = "\n  \"";
  std::vector<std::string> keys;
  for (size_t at = json.find(kBefore); at != json.npos; at = json.find(kBefore, at + 1)) {
    const size_t begin = at + kBefore.size();
    keys.emplace_back(json.substr(begin, json.find('"', begin) - begin));
  }
  return keys;
}

class EnvelopeRows : public ::testing::Test {
 protected:
  std::string Published(PublishRequest request) {
    EXPECT_THAT(topic_.Publish(std::move(request)), testing::IsOk());
    const std::vector<std::string> bodies = DrainBodies(queue_);
    EXPECT_THAT(bodies, SizeIs(1));
    return bodies.empty() ? "" : bodies[0];
  }
  std::string PostedToken() {
    runtime_.RunUntilIdle();
    const std::string token = WrittenMember(http_.TakeRequests().at(0).body(), "Token");
    return token.substr(1, token.size() - 2);
  }

  testing::SimulatedRuntime runtime_;  // it is 2026-01-01T00:00:00Z
  testing::FakeHttpTransport http_{runtime_};
  Broker broker_ = Broker::Create(runtime_, {.http_transport = &http_}).value();
  Topic topic_ = broker_.CreateTopic("t").value();
  Queue queue_ = broker_.CreateQueue("q").value();
  Subscription subscription_ = topic_.Subscribe(queue_).value();
};

TEST_F(EnvelopeRows, T23_AnAttributeIsTypeAndValueAndABinaryOneIsBase64) {
  const std::string envelope =
      Published({.body = "m",
                 .attributes = {{"attr1", AttributeValue::Binary("\x02\x03\x04")},
                                {"attr2", AttributeValue::Number("12.50")},
                                {"attr3", "text"}}});
  EXPECT_THAT(envelope, ::testing::EndsWith("\"MessageAttributes\" : {\n"
                                            R"(    "attr1" : {"Type":"Binary","Value":"AgME"},)"
                                            "\n"
                                            R"(    "attr2" : {"Type":"Number","Value":"12.50"},)"
                                            "\n"
                                            R"(    "attr3" : {"Type":"String","Value":"text"})"
                                            "\n  }\n}"));
}

TEST_F(EnvelopeRows, T24_TheTimestampIsUtcWithMilliseconds) {
  runtime_.Advance(absl::Microseconds(1'999));
  EXPECT_EQ(WrittenMember(Published({.body = "m"}), "Timestamp"), R"("2026-01-01T00:00:00.001Z")");
}

TEST_F(EnvelopeRows, T25_TheMessageIsEscapedAsAJsonString) {
  const std::string envelope = Published({.body = "{\"a\":\"b\\c\"}\n\r\t\x01 caf\xC3\xA9 </a>"});
  EXPECT_EQ(WrittenMember(envelope, "Message"),
            "\"{\\\"a\\\":\\\"b\\\\c\\\"}\\n\\r\\t\\u0001 caf\xC3\xA9 </a>\"");
  const std::string subject = Published({.body = "m", .subject = "say \"hi\" \\"});
  EXPECT_EQ(WrittenMember(subject, "Subject"), R"("say \"hi\" \\")");
}

TEST_F(EnvelopeRows, T26_AQueuesMessageHasNoAttributesAllIsInTheBody) {
  topic_.Publish({.body = "m", .attributes = {{"k", "v"}}}).value();
  const std::vector<Received> got = Drain(queue_);
  ASSERT_THAT(got, SizeIs(1));
  EXPECT_TRUE(got[0].attributes().empty());
  EXPECT_THAT(std::string(got[0].body()), HasSubstr(R"("k" : {"Type":"String","Value":"v"})"));
}

TEST_F(EnvelopeRows, T27_TheTraceHeaderIsTheQueuesAwsTraceHeader) {
  constexpr char kTrace[] = "Root=1-5759e988-bd862e3fe1be46a994272793;Sampled=1";
  topic_.Publish({.body = "m", .trace_header = kTrace}).value();
  const std::vector<Received> got = Drain(queue_);
  ASSERT_THAT(got, SizeIs(1));
  EXPECT_EQ(got[0].SystemAttributes()["AWSTraceHeader"], kTrace);
  EXPECT_EQ(got[0].body().find("Root="), std::string_view::npos) << "and not in the body";
}

TEST_F(EnvelopeRows, T28_AFifoTopicsEnvelopeByteForByte) {
  const Topic fifo = broker_.CreateTopic("t.fifo", {.fifo = true}).value();
  const Queue queue = broker_.CreateQueue("q.fifo", {.fifo = true}).value();
  fifo.Subscribe(queue).value();
  const PublishResult sent = fifo.Publish({.body = "Hello",
                                           .subject = "S",
                                           .attributes = {{"k", "v"}},
                                           .message_group_id = "g",
                                           .message_deduplication_id = "d"})
                                 .value();
  EXPECT_THAT(DrainBodies(queue), ElementsAre("{\n"
                                              "  \"Type\" : \"Notification\",\n"
                                              "  \"MessageId\" : \"" +
                                              sent.message_id.ToString() +
                                              "\",\n"
                                              "  \"SequenceNumber\" : \"" +
                                              std::to_string(sent.sequence_number) +
                                              "\",\n"
                                              "  \"TopicArn\" : \"" +
                                              fifo.arn().ToString() +
                                              "\",\n"
                                              "  \"Subject\" : \"S\",\n"
                                              "  \"Message\" : \"Hello\",\n"
                                              "  \"Timestamp\" : \"2026-01-01T00:00:00.000Z\",\n"
                                              "  \"UnsubscribeURL\" : \"\",\n"
                                              "  \"MessageAttributes\" : {\n"
                                              "    \"k\" : {\"Type\":\"String\",\"Value\":\"v\"}\n"
                                              "  }\n"
                                              "}"));
}

TEST_F(EnvelopeRows, T29_AServerAndAJsonLetterHaveTheTextThatAQueueHas) {
  topic_.Subscribe(Target::Url("http://a")).value();
  ASSERT_THAT(topic_.ConfirmSubscription(PostedToken()), testing::IsOk());
  topic_.Subscribe(Target::EmailJson("a@b.example")).value();
  const std::string letter = broker_.CapturedNotifications().notifications.at(0).body;
  const std::string token = WrittenMember(letter, "Token");
  ASSERT_THAT(topic_.ConfirmSubscription(token.substr(1, token.size() - 2)), testing::IsOk());
  broker_.ClearCapturedNotifications();

  const std::string expected = WithoutUnsubscribeUrl(
      Published({.body = "say \"hi\"", .subject = "S", .attributes = {{"k", "v"}}}));
  runtime_.RunUntilIdle();
  const auto posted = http_.TakeRequests();
  ASSERT_THAT(posted, SizeIs(1));
  EXPECT_EQ(WithoutUnsubscribeUrl(posted[0].body()), expected);
  const auto captured = broker_.CapturedNotifications().notifications;
  ASSERT_THAT(captured, SizeIs(1));
  EXPECT_EQ(WithoutUnsubscribeUrl(captured[0].body), expected);
}

TEST_F(EnvelopeRows, T30_TheSignatureVersionIsTheTopicsAndWithoutASignerTheRestIsEmpty) {
  EXPECT_EQ(topic_.GetAttributes().value().count("SignatureVersion"), 0u) << "absent means 1";
  const std::string first = Published({.body = "m"});
  EXPECT_EQ(WrittenMember(first, "SignatureVersion"), R"("1")");
  ASSERT_THAT(topic_.SetAttribute("SignatureVersion", "2"), testing::IsOk());
  const std::string second = Published({.body = "m"});
  EXPECT_EQ(WrittenMember(second, "SignatureVersion"), R"("2")");
  for (const std::string& envelope : {first, second}) {
    for (const char* key : {"Signature", "SigningCertURL", "UnsubscribeURL"}) {
      EXPECT_EQ(WrittenMember(envelope, key), R"("")") << key;
    }
  }
}

TEST_F(EnvelopeRows, T31_RawIsTheMessageAndItsAttributesWithoutSubjectAndIds) {
  ASSERT_THAT(subscription_.SetRaw(true), testing::IsOk());
  const Attributes attributes = {{"bin", AttributeValue::Binary("\x02\x03\x04")},
                                 {"n", AttributeValue::Number("1.50")},
                                 {"s", "x"}};
  const Id id = topic_.Publish({.body = "{\"a\": 1}", .subject = "S", .attributes = attributes})
                    .value()
                    .message_id;
  const std::vector<Received> got = Drain(queue_);
  ASSERT_THAT(got, SizeIs(1));
  EXPECT_EQ(got[0].body(), "{\"a\": 1}");
  EXPECT_EQ(got[0].attributes(), attributes);
  EXPECT_NE(got[0].id(), id);
}

// Known answers, as in queue/message_md5_test.cc.
TEST_F(EnvelopeRows, T32_TheMd5OfRawAttributesIsThatOfTheQueuesAlgorithm) {
  ASSERT_THAT(subscription_.SetRaw(true), testing::IsOk());
  topic_.Publish({.body = "m", .attributes = {{"k", "x"}}}).value();
  topic_.Publish({.body = "m", .attributes = {{"n", AttributeValue::Number("12.50")}}}).value();
  const std::vector<Received> got = Drain(queue_);
  ASSERT_THAT(got, SizeIs(2));
  EXPECT_EQ(Md5OfAttributes(got[0].attributes()), "a45daa70926828a2f0a1db3418e6feb4");
  EXPECT_EQ(Md5OfAttributes(got[1].attributes()), "37f920709d58e1038b22d83d7fbe678d");
}

// A function's subscription may bear the flag, which changes nothing; an address may not.
TEST_F(EnvelopeRows, T33_FunctionsAndLettersAreNeverRaw) {
  std::string record;
  const Function function = broker_
                                .CreateFunction("f", {},
                                                [&record](const FunctionEvent& event) {
                                                  record = event.LambdaEvent();
                                                  return absl::OkStatus();
                                                })
                                .value();
  topic_.Subscribe(function, {.raw = true, .call_inline = true}).value();
  topic_.Publish({.body = "m"}).value();
  EXPECT_THAT(record, ::testing::StartsWith(R"({"Records":[{"EventSource":"aws:sns",)"));
  for (const Target& target : {Target::Email("a@b.example"), Target::EmailJson("a@b.example")}) {
    const absl::Status refused = topic_.Subscribe(target, {.raw = true}).status();
    EXPECT_EQ(CodeOf(refused), "InvalidParameter");
    EXPECT_THAT(TextOf(refused), HasSubstr("does not support raw message delivery"));
  }
  ASSERT_THAT(broker_.DeleteFunction("f"), testing::IsOk());  // it writes into `record`
}

TEST_F(EnvelopeRows, T37_TheUnsubscribeConfirmationHasTheShapeOfTheOther) {
  const Subscription server = topic_.Subscribe(Target::Url("http://a")).value();
  runtime_.RunUntilIdle();
  const std::string asked = http_.TakeRequests().at(0).body();
  const std::string token = WrittenMember(asked, "Token");
  ASSERT_THAT(topic_.ConfirmSubscription(token.substr(1, token.size() - 2)), testing::IsOk());
  ASSERT_THAT(server.Unsubscribe(), testing::IsOk());
  runtime_.RunUntilIdle();
  const auto told = http_.TakeRequests();
  ASSERT_THAT(told, SizeIs(1));
  EXPECT_EQ(told[0].header("x-amz-sns-message-type"), "UnsubscribeConfirmation");
  EXPECT_EQ(WrittenMember(told[0].body(), "Type"), R"("UnsubscribeConfirmation")");
  EXPECT_EQ(KeysOf(told[0].body()), KeysOf(asked));
  EXPECT_THAT(KeysOf(asked),
              ElementsAre("Type", "MessageId", "Token", "TopicArn", "Message", "SubscribeURL",
                          "Timestamp", "SignatureVersion", "Signature", "SigningCertURL"));
}

TEST_F(EnvelopeRows, T40_EverySubscriptionSeesTheTopicsMessageIdAndEachQueueHasOneOfItsOwn) {
  const Queue other = broker_.CreateQueue("other").value();
  topic_.Subscribe(other).value();
  const Id id = topic_.Publish({.body = "m"}).value().message_id;
  std::vector<Id> own;
  for (const Queue& queue : {queue_, other}) {
    const std::vector<Received> got = Drain(queue);
    ASSERT_THAT(got, SizeIs(1));
    EXPECT_EQ(WrittenMember(got[0].body(), "MessageId"), "\"" + id.ToString() + "\"");
    own.push_back(got[0].id());
  }
  EXPECT_NE(own[0], own[1]);
  EXPECT_NE(own[0], id);
  EXPECT_NE(own[1], id);
}

}  // namespace
}  // namespace banyan
