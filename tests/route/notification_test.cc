// SPDX-License-Identifier: Apache-2.0
//
// From spec/topics.md 3: the envelope, byte for byte but for signature and URL values.
#include "route/notification.h"

#include "gtest/gtest.h"

namespace banyan::internal {
namespace {

const Id kNotificationId = {0x22b80b92fdea4c2cu, 0x8f9dbdfb0c7bf324u};

MessageRef MakeNote(std::string subject, Attributes attributes, Payload body) {
  return MakeMessage({.id = kNotificationId,
                      .event_id = kNotificationId,
                      .accepted = {.uptime_ns = 0, .unix_ns = 1'335'916'446'655'999'999},
                      .subject = std::move(subject),
                      .attributes = std::move(attributes),
                      .body = std::move(body)});
}

TEST(NotificationTest, T21_KeysComeInTheOrderOfSns) {
  const Notification notification("arn:aws:sns:us-west-2:123456789012:MyTopic");
  EXPECT_EQ(notification.Render(*MakeNote("My First Message",
                                          {{"bin", AttributeValue::Binary("\x02\x03\x04")},
                                           {"n", AttributeValue::Number("12.50")},
                                           {"s", "x\"y"},
                                           {"sa", AttributeValue::StringArray(R"(["a",1])")}},
                                          "Hello world!")),
            R"({
  "Type" : "Notification",
  "MessageId" : "22b80b92-fdea-4c2c-8f9d-bdfb0c7bf324",
  "TopicArn" : "arn:aws:sns:us-west-2:123456789012:MyTopic",
  "Subject" : "My First Message",
  "Message" : "Hello world!",
  "Timestamp" : "2012-05-01T23:54:06.655Z",
  "SignatureVersion" : "1",
  "Signature" : "",
  "SigningCertURL" : "",
  "UnsubscribeURL" : "",
  "MessageAttributes" : {
    "bin" : {"Type":"Binary","Value":"AgME"},
    "n" : {"Type":"Number","Value":"12.50"},
    "s" : {"Type":"String","Value":"x\"y"},
    "sa" : {"Type":"String.Array","Value":"[\"a\",1]"}
  }
})");
}

TEST(NotificationTest, T22_SubjectAndAttributesAreAbsentWhenNotGiven) {
  const Notification notification("arn:aws:sns:us-east-1:000000000000:t");
  EXPECT_EQ(notification.Render(*MakeNote("", {}, R"({"a":"b"})")), R"({
  "Type" : "Notification",
  "MessageId" : "22b80b92-fdea-4c2c-8f9d-bdfb0c7bf324",
  "TopicArn" : "arn:aws:sns:us-east-1:000000000000:t",
  "Message" : "{\"a\":\"b\"}",
  "Timestamp" : "2012-05-01T23:54:06.655Z",
  "SignatureVersion" : "1",
  "Signature" : "",
  "SigningCertURL" : "",
  "UnsubscribeURL" : ""
})");
}

TEST(NotificationTest, ItsSizeIsCountedWithoutMakingIt) {
  const Notification notification("arn:aws:sns:us-east-1:000000000000:t");
  for (const std::string& body :
       {std::string("b"), std::string(100'000, '"'), std::string("\\\n\r\t\b\x1F\x7F/"),
        std::string("caf\xC3\xA9 \xF0\x9F\x98\x80"), std::string("not UTF-8: \xFF\xC3"),
        std::string("half a pair: \xED\xA0\x80")}) {
    const MessageRef plain = MakeNote("", {}, body);
    EXPECT_EQ(notification.Size(*plain), notification.Render(*plain).size()) << body.substr(0, 80);
    const MessageRef full = MakeNote("a \"subject\"", {{"k", "v"}}, body);
    EXPECT_EQ(notification.Size(*full), notification.Render(*full).size()) << body.substr(0, 80);
  }
}

TEST(NotificationTest, TheReaderSeesNoAttributes) {
  EXPECT_FALSE(Notification("arn").ShowsAttributes());
}

}  // namespace
}  // namespace banyan::internal
