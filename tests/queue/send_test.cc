// SPDX-License-Identifier: Apache-2.0
//
// What a queue takes and what it refuses: sections 1, 7 and 8 of the sheet.
#include <string>

#include "banyan/tap.h"
#include "gmock/gmock.h"
#include "queue/validate.h"
#include "queue_testing.h"

namespace banyan::internal {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;

constexpr int64_t kMiB = 1'048'576;

class SendTest : public QueueTest {
 protected:
  absl::Status SendStatus(SendRequest request) { return queue_.Send(std::move(request)).status(); }

  absl::Status SendAttribute(std::string_view name, AttributeValue value) {
    SendRequest request{.body = "b"};
    request.attributes.Set(name, std::move(value));
    return SendStatus(std::move(request));
  }

  Queue queue_ = broker_.Make("jobs");
};

TEST_F(SendTest, BodyAndAttributesArriveAsSent) {
  SendRequest request{.body = "line one\r\nline two\t\xF0\x9F\x8C\xB3",
                      .attributes = {{"tenant", "acme"}, {"n", AttributeValue::Number(7)}},
                      .trace_header = "Root=1-5759e988-bd862e3fe1be46a994272793"};
  const Id id = queue_.Send(request)->message_id;
  const Received got = ReceiveOne(queue_);
  EXPECT_EQ(got.body(), request.body.view());
  EXPECT_EQ(got.attributes(), request.attributes);
  EXPECT_EQ(got.id(), id);
  EXPECT_EQ(got.event_id(), id);
  EXPECT_EQ(got.trace_header(), request.trace_header);
  EXPECT_EQ(got.trace_id(), "1-5759e988-bd862e3fe1be46a994272793");
  EXPECT_EQ(got.sent_time(), runtime_.Now());
  EXPECT_TRUE(got.payload().SharesBlockWith(request.body)) << "a body is not copied";
}

TEST_F(SendTest, EmptyBodyIsAMissingParameter) {
  const absl::Status status = SendStatus({.body = ""});
  EXPECT_EQ(AwsCode(status), "MissingParameter");
  EXPECT_EQ(status.message(), "The request must contain the parameter MessageBody.");
}

TEST_F(SendTest, OneMebibyteIsTakenAndOneByteMoreIsNot) {
  EXPECT_TRUE(SendStatus({.body = std::string(kMiB, 'x')}).ok());
  const absl::Status status = SendStatus({.body = std::string(kMiB + 1, 'x')});
  EXPECT_EQ(AwsCode(status), "InvalidParameterValue");
  EXPECT_EQ(status.message(),
            "One or more parameters are invalid. Reason: Message must be shorter than 1048576 "
            "bytes. It has 1048577.");
}

TEST_F(SendTest, NamesTypesAndValuesOfAttributesCountTowardsTheSize) {
  queue_ = broker_.Make("small", {.message_bytes_max = 1'024});
  // "n" + "String" + "v" are eight bytes.
  EXPECT_TRUE(SendStatus({.body = std::string(1'016, 'x'), .attributes = {{"n", "v"}}}).ok());
  EXPECT_EQ(AwsCode(SendStatus({.body = std::string(1'017, 'x'), .attributes = {{"n", "v"}}})),
            "InvalidParameterValue");
}

TEST_F(SendTest, TraceHeadersAreAtMost500BytesOfPrintableAscii) {
  EXPECT_TRUE(SendStatus({.body = "x", .trace_header = std::string(500, '~')}).ok());
  for (const std::string& bad : {std::string(501, 'x'), std::string("a\nb"), std::string("\x7F"),
                                 std::string("\xC3\xA4"), std::string(1, '\0')}) {
    const absl::Status status = SendStatus({.body = "x", .trace_header = bad});
    EXPECT_EQ(AwsCode(status), "InvalidParameterValue");
    EXPECT_EQ(status.message().find("Value for parameter AWSTraceHeader is invalid. Reason: Must "),
              0u);
  }
}

TEST_F(SendTest, TraceHeaderDoesNotCountTowardsTheSize) {
  queue_ = broker_.Make("small", {.message_bytes_max = 1'024});
  EXPECT_TRUE(SendStatus({.body = std::string(1'024, 'x'), .trace_header = "Root=1-2-3"}).ok());
}

TEST_F(SendTest, CharactersThatXmlLacksAreInvalidContents) {
  for (const std::string& bad :
       {std::string("\0", 1), std::string("\x08"), std::string("\x0B"), std::string("\x1F"),
        std::string("\xEF\xBF\xBE"), std::string("\xEF\xBF\xBF"), std::string("\xED\xA0\x80"),
        std::string("\xFF"), std::string("\xC3")}) {
    for (const size_t before : {0u, 1u, 63u, 64u, 65u, 200u}) {
      const std::string body = std::string(before, 'a') + bad + std::string(100, 'b');
      EXPECT_EQ(AwsCode(SendStatus({.body = body})), "InvalidMessageContents")
          << ::testing::PrintToString(bad) << " after " << before;
    }
  }
  EXPECT_EQ(queue_.Depth(), QueueDepth{});
}

TEST_F(SendTest, EdgesOfTheAllowedCharactersAreTaken) {
  for (const std::string& good :
       {std::string("\t\n\r "), std::string("\x7F"), std::string("\xC2\x80"),
        std::string("\xED\x9F\xBF"), std::string("\xEE\x80\x80"), std::string("\xEF\xBF\xBD"),
        std::string("\xF0\x90\x80\x80"), std::string("\xF4\x8F\xBF\xBF")}) {
    for (const size_t before : {0u, 62u, 63u, 64u, 130u}) {
      const absl::Status status = SendStatus({.body = std::string(before, 'a') + good});
      EXPECT_TRUE(status.ok()) << status;
    }
  }
}

// In a body it is InvalidMessageContents.
TEST_F(SendTest, TheSameCharacterInAnAttributeIsAnInvalidParameterValue) {
  EXPECT_EQ(AwsCode(SendAttribute("a", "x\x01")), "InvalidParameterValue");
  EXPECT_TRUE(SendAttribute("a", AttributeValue::Binary("x\x01")).ok());
}

TEST_F(SendTest, AttributeNamesFollowTheSheet) {
  for (const char* good : {"a", "A-b_c.d9", "attr.1\xC3\xB8\xC3\x9F\xC3\xA4", "aws", "AWSx.y"}) {
    EXPECT_TRUE(SendAttribute(good, "v").ok()) << good;
  }
  EXPECT_TRUE(SendAttribute(std::string(255, 'n'), "v").ok());
  for (const char* bad : {"", ".a", "a.", "a..b", "AWS.x", "aws.x", "Amazon.x", "AMAZON.x", "a b",
                          "a/b", "a$", "bad\xFF"}) {
    EXPECT_EQ(AwsCode(SendAttribute(bad, "v")), "InvalidParameterValue") << bad;
  }
  EXPECT_EQ(AwsCode(SendAttribute(std::string(256, 'n'), "v")), "InvalidParameterValue");
}

TEST_F(SendTest, AttributeTypesFollowTheSheet) {
  for (const char* good :
       {"String", "String.url", "Number", "Number.int", "Binary", "Binary.png"}) {
    EXPECT_TRUE(SendAttribute("a", AttributeValue(good, "1")).ok()) << good;
  }
  for (const char* bad : {"", "string", "Strings", "Integer", "Numbers.x", "Boolean"}) {
    const absl::Status status = SendAttribute("a", AttributeValue(bad, "1"));
    EXPECT_EQ(AwsCode(status), "InvalidParameterValue") << bad;
    EXPECT_THAT(std::string(status.message()),
                HasSubstr("the set of supported type prefixes is Binary, Number, and String"));
  }
}

TEST_F(SendTest, EmptyAttributeIsRefusedByName) {
  const absl::Status status = SendAttribute("colour", "");
  EXPECT_EQ(AwsCode(status), "InvalidParameterValue");
  EXPECT_EQ(status.message(),
            "Message (user) attribute 'colour' must contain a non-empty value of type 'String'.");
}

TEST_F(SendTest, NumbersHave38DigitsAndABoundedMagnitude) {
  const std::string digits38(38, '7');
  for (const std::string& good :
       {std::string("0"), std::string("-0.50"), std::string("+1"), std::string(".5"),
        std::string("1."), std::string("1e126"), std::string("-1E128"), digits38, "-" + digits38,
        digits38 + "000", "0.000" + digits38, std::string("1e-300")}) {
    EXPECT_TRUE(SendAttribute("n", AttributeValue::Number(good)).ok()) << good;
  }
  for (const std::string& bad :
       {std::string("one"), std::string("1,5"), std::string("1 "), std::string("--1"),
        std::string("1e"), std::string("e5"), std::string("."), std::string("0x10"),
        std::string("NaN"), digits38 + "7", std::string("1e127"), std::string("1.1e126"),
        std::string("-1.1e128"), std::string("1e99999999999999999999")}) {
    EXPECT_EQ(AwsCode(SendAttribute("n", AttributeValue::Number(bad))), "InvalidParameterValue")
        << bad;
  }
}

TEST_F(SendTest, TenAttributesAreTakenAndElevenAreNot) {
  SendRequest request{.body = "b"};
  for (int i = 0; i < 10; ++i) request.attributes.Set("a" + std::to_string(i), "v");
  EXPECT_TRUE(SendStatus(request).ok());
  request.attributes.Set("a10", "v");
  const absl::Status status = SendStatus(request);
  EXPECT_EQ(AwsCode(status), "InvalidParameterValue");
  EXPECT_EQ(status.message(),
            "Number of message attributes [11] exceeds the allowed maximum [10].");
}

TEST_F(SendTest, DelayBeyondItsRangeIsRefused) {
  EXPECT_TRUE(SendStatus({.body = "b", .delay = absl::Minutes(15)}).ok());
  for (const absl::Duration bad :
       {absl::Minutes(15) + absl::Nanoseconds(1), absl::Seconds(-1), absl::InfiniteDuration()}) {
    EXPECT_EQ(AwsCode(SendStatus({.body = "b", .delay = bad})), "InvalidParameterValue") << bad;
  }
}

TEST_F(SendTest, FullQueueRefusesAndCounts) {
  queue_ = broker_.Make("two", {.messages_max = 2});
  Send(queue_, "1");
  Send(queue_, "2");
  const absl::Status status = SendStatus({.body = "3"});
  EXPECT_EQ(AwsCode(status), "RequestThrottled");
  EXPECT_EQ(status.code(), absl::StatusCode::kResourceExhausted);
  EXPECT_EQ(queue_.Stats().rejected, 1);
  EXPECT_EQ(queue_.Depth().total(), 2);

  ASSERT_TRUE(ReceiveOne(queue_).Delete().ok());
  EXPECT_TRUE(SendStatus({.body = "3"}).ok()) << "a settled message makes room";
}

TEST_F(SendTest, BytesAreBounded) {
  queue_ = broker_.Make("bytes", {.bytes_max = 100});
  EXPECT_TRUE(SendStatus({.body = std::string(60, 'x')}).ok());
  EXPECT_EQ(AwsCode(SendStatus({.body = std::string(41, 'x')})), "RequestThrottled");
  EXPECT_TRUE(SendStatus({.body = std::string(40, 'x')}).ok());
  EXPECT_EQ(queue_.Stats().bytes, 100);
}

TEST_F(SendTest, ExpiredMessagesMakeRoom) {
  queue_ = broker_.Make("one", {.retention = absl::Minutes(1), .messages_max = 1});
  Send(queue_, "old");
  runtime_.Advance(absl::Minutes(1));
  Send(queue_, "new");
  EXPECT_EQ(ReceiveOne(queue_).body(), "new");
}

TEST(QueueNameTest, FollowsTheSheet) {
  const Limits aws = Limits::Aws();
  EXPECT_TRUE(ValidateQueueName("a", false, aws).ok());
  EXPECT_TRUE(ValidateQueueName("A-b_9", false, aws).ok());
  EXPECT_TRUE(ValidateQueueName(std::string(80, 'q'), false, aws).ok());
  for (const std::string& bad : {std::string(), std::string(81, 'q'), std::string("a b"),
                                 std::string("jobs.fifo"), std::string("caf\xC3\xA9")}) {
    const absl::Status status = ValidateQueueName(bad, false, aws);
    EXPECT_EQ(AwsCode(status), "InvalidParameterValue") << bad;
    EXPECT_THAT(std::string(status.message()),
                HasSubstr("Can only include alphanumeric characters, hyphens, or underscores. 1 "
                          "to 80 in length"));
  }
}

TEST(QueueOptionsTest, EveryFieldIsChecked) {
  const Limits aws = Limits::Aws();
  EXPECT_TRUE(ValidateQueueOptions({}, aws).ok());
  const absl::Duration tick = absl::Nanoseconds(1);
  for (const QueueOptions& bad : {
           QueueOptions{.visibility_timeout = absl::Hours(12) + tick},
           QueueOptions{.visibility_timeout = -tick},
           QueueOptions{.delay = absl::Minutes(15) + tick},
           QueueOptions{.receive_wait = absl::Seconds(20) + tick},
           QueueOptions{.receive_wait = -absl::InfiniteDuration()},
           QueueOptions{.retention = absl::Seconds(59)},
           QueueOptions{.retention = absl::InfiniteDuration()},
           QueueOptions{.message_bytes_max = 1'023},
           QueueOptions{.message_bytes_max = 1'048'577},
           QueueOptions{.in_flight_max = 0},
           QueueOptions{.in_flight_max = 120'001},
           QueueOptions{.messages_max = 0},
           QueueOptions{.bytes_max = 0},
       }) {
    EXPECT_EQ(AwsCode(ValidateQueueOptions(bad, aws)), "InvalidAttributeValue");
  }
  const absl::Status status =
      ValidateQueueOptions({.visibility_timeout = absl::Seconds(43'201)}, aws);
  EXPECT_EQ(status.message(),
            "Invalid value for the parameter VisibilityTimeout. Reason: 43201 is outside 0 to "
            "43200.");

  const Arn dead = Arn::Parse("arn:aws:sqs:us-east-1:000000000000:dead").value();
  for (const int64_t count : {int64_t{1}, int64_t{1'000}}) {
    EXPECT_TRUE(ValidateQueueOptions({.redrive = RedrivePolicy{dead, count}}, aws).ok());
  }
  for (const int64_t count : {int64_t{0}, int64_t{-1}, int64_t{1'001}}) {
    EXPECT_EQ(AwsCode(ValidateQueueOptions({.redrive = RedrivePolicy{dead, count}}, aws)),
              "InvalidParameterValue");
  }
  const Arn topic = Arn::Parse("arn:aws:sns:us-east-1:000000000000:dead").value();
  EXPECT_EQ(AwsCode(ValidateQueueOptions({.redrive = RedrivePolicy{topic, 1}}, aws)),
            "InvalidParameterValue");
}

// --- deliveries from topics and buses -------------------------------------------------------

class AcceptTest : public QueueTest {
 protected:
  static Delivery Raw(std::string_view body, Attributes attributes = {}) {
    MessageParts parts;
    parts.id = parts.event_id = Id{1, 2};
    parts.body = body;
    parts.attributes = std::move(attributes);
    return {MakeMessage(std::move(parts)), nullptr};
  }

  static absl::Status Accept(const Queue& queue, const Delivery& delivery) {
    std::optional<absl::Status> answer = queue.core()->Accept(delivery, [] {
      ADD_FAILURE() << "a queue answers at once";
      return Completion();
    });
    EXPECT_TRUE(answer.has_value());
    return answer.value_or(absl::UnknownError("no answer"));
  }
};

class Envelope : public Presentation {
 public:
  Payload Body(const Message& message) const override {
    ++rendered;
    return "<" + std::string(message.body.view()) + ">";
  }
  size_t SizeAtMost(const Message& message) const override { return 6 * message.bytes() + 100; }
  bool ShowsAttributes() const override { return false; }
  mutable int rendered = 0;
};

TEST_F(AcceptTest, EachQueueGivesItsOwnIdAndSharesTheBody) {
  Queue a = broker_.Make("a");
  Queue b = broker_.Make("b");
  const Delivery delivery = Raw("news", {{"k", "v"}});
  ASSERT_TRUE(Accept(a, delivery).ok());
  ASSERT_TRUE(Accept(b, delivery).ok());
  const Received in_a = ReceiveOne(a);
  const Received in_b = ReceiveOne(b);
  EXPECT_NE(in_a.id(), in_b.id());
  EXPECT_EQ(in_a.event_id(), (Id{1, 2}));
  EXPECT_EQ(in_b.event_id(), (Id{1, 2}));
  EXPECT_TRUE(in_a.payload().SharesBlockWith(in_b.payload()));
  EXPECT_EQ(in_a.attributes(), (Attributes{{"k", "v"}}));
}

TEST_F(AcceptTest, EnvelopeIsMadeWhenItIsReadAndHidesAttributes) {
  Queue queue = broker_.Make("a");
  auto envelope = std::make_shared<Envelope>();
  Delivery delivery = Raw("news", {{"k", "v"}});
  delivery.presentation = envelope;
  ASSERT_TRUE(Accept(queue, delivery).ok());
  EXPECT_EQ(envelope->rendered, 0);
  const Received got = ReceiveOne(queue);
  EXPECT_EQ(got.body(), "<news>");
  EXPECT_TRUE(got.attributes().empty());
}

// A presentation whose ids differ from the message's.
class OtherIds : public Presentation {
 public:
  OtherIds(std::string group, std::string deduplication)
      : group_(std::move(group)), deduplication_(std::move(deduplication)) {}
  Payload Body(const Message& message) const override { return message.body; }
  bool ShowsAttributes() const override { return true; }
  std::string_view GroupId(const Message&) const override { return group_; }
  std::string_view DeduplicationId(const Message&) const override { return deduplication_; }

 private:
  const std::string group_, deduplication_;
};

TEST_F(AcceptTest, AFifoQueueTakesTheIdsOfTheDeliveryInPlaceOfTheMessages) {
  Queue queue = broker_.Make("a.fifo", {.fifo = true});
  MessageParts parts;
  parts.group_id = "published";
  parts.deduplication_id = "d";
  parts.body = "news";
  Delivery delivery = {MakeMessage(std::move(parts)), std::make_shared<OtherIds>("g", "x")};
  ASSERT_TRUE(Accept(queue, delivery).ok());
  delivery.presentation = std::make_shared<OtherIds>("h", "x");
  ASSERT_TRUE(Accept(queue, delivery).ok()) << "a duplicate";
  delivery.presentation = std::make_shared<OtherIds>("h", "y");
  ASSERT_TRUE(Accept(queue, delivery).ok());
  delivery.presentation = nullptr;
  ASSERT_TRUE(Accept(queue, delivery).ok());
  delivery = Delivery();  // what the queue has, it keeps

  std::vector<std::string> got;
  for (const Received& one : ReceiveAll(queue)) {
    got.push_back(std::string(one.message_group_id()) + "/" + one.deduplication_id());
  }
  EXPECT_THAT(got, ::testing::ElementsAre("g/x", "h/y", "published/d"));
}

TEST_F(AcceptTest, WithoutADeduplicationIdTheContentAsPresentedDecides) {
  Queue queue = broker_.Make("a.fifo", {.fifo = true, .content_based_deduplication = true});
  Delivery delivery = Raw("news");
  delivery.presentation = std::make_shared<Regrouped>("g");
  ASSERT_TRUE(Accept(queue, delivery).ok());
  Delivery other = Raw("news");
  other.presentation = std::make_shared<Regrouped>("h");
  ASSERT_TRUE(Accept(queue, other).ok()) << "a duplicate: the id is the queue's, not the group's";
  EXPECT_EQ(queue.Depth().visible, 1);
  const Received got = ReceiveOne(queue);
  EXPECT_EQ(got.message_group_id(), "g");
  EXPECT_EQ(got.SystemAttributes().at("MessageGroupId"), "g");
}

TEST_F(AcceptTest, NoGroupOfADeliveryIsAPermanentFaultForAFifoQueue) {
  Queue queue = broker_.Make("a.fifo", {.fifo = true, .content_based_deduplication = true});
  EXPECT_TRUE(IsPermanent(Accept(queue, Raw("1"))));
  MessageParts parts;
  parts.group_id = "published";
  parts.body = "news";
  Delivery delivery = {MakeMessage(std::move(parts)), std::make_shared<Regrouped>("")};
  EXPECT_TRUE(IsPermanent(Accept(queue, delivery)));

  Queue no_content = broker_.Make("b.fifo", {.fifo = true});
  delivery.presentation = std::make_shared<Regrouped>("g");
  EXPECT_TRUE(IsPermanent(Accept(no_content, delivery))) << "nobody gives a deduplication id";
}

TEST_F(AcceptTest, AStandardQueuesTenantIsTheGroupOfTheDelivery) {
  Queue queue = broker_.Make("a");
  Delivery delivery = Raw("1");
  delivery.presentation = std::make_shared<Regrouped>("tenant");
  ASSERT_TRUE(Accept(queue, delivery).ok());
  MessageParts parts;
  parts.group_id = "published";
  parts.body = "2";
  Delivery hidden = {MakeMessage(std::move(parts)), std::make_shared<Regrouped>("")};
  ASSERT_TRUE(Accept(queue, hidden).ok());
  queue.core()->CheckInvariants();
  EXPECT_EQ(ReceiveOne(queue).message_group_id(), "tenant");
  const Received none = ReceiveOne(queue);
  EXPECT_EQ(none.message_group_id(), "");
  EXPECT_FALSE(none.SystemAttributes().contains("MessageGroupId"));
  queue.core()->CheckInvariants();
}

TEST_F(AcceptTest, TheGroupOfADeliveryGoesAlongToTheDeadLetterQueue) {
  Queue dead = broker_.Make("dead.fifo", {.fifo = true});
  Queue queue = broker_.Make("a.fifo", {.visibility_timeout = absl::Seconds(1),
                                        .fifo = true,
                                        .content_based_deduplication = true,
                                        .redrive = RedrivePolicy{dead.arn(), 1}});
  queue.core()->SetDeadLetter(dead.core());
  Delivery delivery = Raw("news");
  delivery.presentation = std::make_shared<Regrouped>("g");
  ASSERT_TRUE(Accept(queue, delivery).ok());
  ReceiveOne(queue);
  runtime_.Advance(absl::Seconds(2));
  EXPECT_EQ(ReceiveOne(dead).message_group_id(), "g");
}

TEST_F(AcceptTest, TooManyRawAttributesAreAPermanentFault) {
  Queue queue = broker_.Make("a");
  Attributes eleven;
  for (int i = 0; i < 11; ++i) eleven.Set("a" + std::to_string(i), "v");
  const absl::Status raw = Accept(queue, Raw("b", eleven));
  EXPECT_EQ(raw.code(), absl::StatusCode::kInvalidArgument);
  EXPECT_TRUE(IsPermanent(raw));

  Delivery wrapped = Raw("b", eleven);
  wrapped.presentation = std::make_shared<Envelope>();
  EXPECT_TRUE(Accept(queue, wrapped).ok()) << "they are inside the body";
}

TEST_F(AcceptTest, TooLongIsAPermanentFaultAlsoInItsEnvelope) {
  Queue queue = broker_.Make("a", {.message_bytes_max = 1'024});
  EXPECT_TRUE(Accept(queue, Raw(std::string(1'024, 'x'))).ok());
  EXPECT_TRUE(IsPermanent(Accept(queue, Raw(std::string(1'025, 'x')))));

  Delivery wrapped = Raw(std::string(1'022, 'x'));
  wrapped.presentation = std::make_shared<Envelope>();
  EXPECT_TRUE(Accept(queue, wrapped).ok());
  wrapped = Raw(std::string(1'023, 'x'));
  wrapped.presentation = std::make_shared<Envelope>();
  EXPECT_TRUE(IsPermanent(Accept(queue, wrapped)));
}

TEST_F(AcceptTest, TheSizeOfALargeEnvelopeIsFoundOnceHoweverManyQueuesAsk) {
  auto envelope = std::make_shared<Envelope>();
  Delivery delivery = Raw(std::string(500'000, 'x'));
  delivery.presentation = envelope;
  const Queue small = broker_.Make("small", {.message_bytes_max = 500'001});
  EXPECT_TRUE(IsPermanent(Accept(small, delivery)));
  const Delivery copy = delivery;  // as for another attempt
  for (int i = 0; i < 100; ++i) {
    ASSERT_TRUE(Accept(broker_.Make("q" + std::to_string(i)), i % 2 == 0 ? delivery : copy).ok());
  }
  EXPECT_EQ(envelope->rendered, 1);
}

TEST_F(AcceptTest, WhatWasAcceptedBeforeIsTakenWhateverTheBounds) {
  Queue queue = broker_.Make("a", {.message_bytes_max = 1'024, .messages_max = 1});
  ASSERT_TRUE(Accept(queue, Raw("1")).ok());
  Attributes eleven;
  for (int i = 0; i < 11; ++i) eleven.Set("a" + std::to_string(i), "v");
  Delivery letter = Raw(std::string(1'025, 'x'), eleven);
  EXPECT_TRUE(IsPermanent(Accept(queue, letter)));
  letter.accepted_before = true;
  EXPECT_TRUE(Accept(queue, letter).ok());
  EXPECT_EQ(queue.Depth().visible, 2);

  letter.presentation = std::make_shared<Envelope>();
  EXPECT_TRUE(Accept(queue, letter).ok());
  EXPECT_FALSE(Accept(queue, Raw("2")).ok()) << "others still find it full";
  broker_.Delete(queue);
  EXPECT_EQ(Accept(queue, letter).code(), absl::StatusCode::kNotFound);
}

TEST_F(AcceptTest, FullIsTransientAndDeletedIsPermanent) {
  Queue queue = broker_.Make("a", {.messages_max = 1});
  ASSERT_TRUE(Accept(queue, Raw("1")).ok());
  const absl::Status full = Accept(queue, Raw("2"));
  EXPECT_EQ(full.code(), absl::StatusCode::kResourceExhausted);
  EXPECT_FALSE(IsPermanent(full));
  broker_.Delete(queue);
  EXPECT_EQ(Accept(queue, Raw("3")).code(), absl::StatusCode::kNotFound);

  Queue stopped = broker_.Make("b");
  stopped.core()->Close(CloseKind::kStopped);
  EXPECT_EQ(Accept(stopped, Raw("3")).code(), absl::StatusCode::kUnavailable);
}

TEST_F(AcceptTest, TheQueuesDelayAppliesToDeliveries) {
  Queue queue = broker_.Make("a", {.delay = absl::Seconds(5)});
  ASSERT_TRUE(Accept(queue, Raw("later")).ok());
  EXPECT_EQ(queue.Depth(), (QueueDepth{.delayed = 1}));
  runtime_.Advance(absl::Seconds(5));
  EXPECT_EQ(Bodies(ReceiveAll(queue)), std::vector<std::string>{"later"});
}

// --- the tap --------------------------------------------------------------------------------

class RecordingTap : public Tap {
 public:
  TapVerdict Accepted(const AcceptedMessage& message) override {
    bodies.emplace_back(message.body.view());
    sequences.push_back(message.sequence);
    return verdict;
  }
  TapVerdict verdict = TapVerdict::kDeliver;
  std::vector<std::string> bodies;
  std::vector<uint64_t> sequences;
};

TEST_F(AcceptTest, TapSeesSendsButNotDeliveriesNorRefusals) {
  RecordingTap tap;
  broker_.env->tap = &tap;
  Queue queue = broker_.Make("a");
  Send(queue, "1");
  EXPECT_FALSE(queue.Send({.body = ""}).ok());
  ASSERT_TRUE(Accept(queue, Raw("delivered")).ok());
  Send(queue, "2");
  EXPECT_THAT(tap.bodies, ElementsAre("1", "2"));
  EXPECT_THAT(tap.sequences, ElementsAre(1, 2));

  tap.verdict = TapVerdict::kTakeOver;
  EXPECT_FALSE(Send(queue, "3").IsZero());
  EXPECT_EQ(Bodies(ReceiveAll(queue)), (std::vector<std::string>{"1", "delivered", "2"}));
}

}  // namespace
}  // namespace banyan::internal
