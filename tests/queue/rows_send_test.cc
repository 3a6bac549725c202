// SPDX-License-Identifier: Apache-2.0
//
// Numbered rows of the queue sheet: what a queue takes. Sections 1, 7 and 8.
#include <string>
#include <vector>

#include "banyan/message_md5.h"
#include "rows_testing.h"

namespace banyan {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::SizeIs;
using ::testing::StartsWith;

constexpr int64_t kMebibyte = 1'048'576;

std::string OfBytes(int64_t bytes) { return std::string(static_cast<size_t>(bytes), 'x'); }

TEST_F(QueueRows, Q1_AMessageHasUpToOneMebibyteAndAQueueMaySetLess) {
  EXPECT_EQ(QueueOptions().message_bytes_max, kMebibyte);
  const Queue queue = Make("jobs");
  Send(queue, OfBytes(1));
  Send(queue, OfBytes(kMebibyte));
  EXPECT_EQ(AwsCode(queue.Send({.body = OfBytes(kMebibyte + 1)}).status()),
            "InvalidParameterValue");

  // Name, type and value count: "n", "String" and "v" are eight bytes.
  Send(queue, {.body = OfBytes(kMebibyte - 8), .attributes = {{"n", "v"}}});
  EXPECT_FALSE(queue.Send({.body = OfBytes(kMebibyte - 7), .attributes = {{"n", "v"}}}).ok());

  for (const char* bad : {"1023", "1048577", "-1", "much"}) {
    EXPECT_FALSE(queue.SetAttributes({{"MaximumMessageSize", bad}}).ok()) << bad;
  }
  ASSERT_THAT(queue.SetAttributes({{"MaximumMessageSize", "1024"}}), testing::IsOk());
  Send(queue, OfBytes(1'024));
  EXPECT_THAT(Text(queue.Send({.body = OfBytes(1'025)}).status()),
              HasSubstr("Message must be shorter than 1024 bytes."));
  EXPECT_EQ(queue.Depth().visible, 4);
}

TEST_F(QueueRows, Q2_ABatchHasOneMebibyteInAllWhateverTheQueueAllowsAMessage) {
  const Queue queue = Make("jobs");
  const auto split = [](int64_t bytes) {
    std::vector<SendRequest> batch;
    for (int i = 0; i < 9; ++i) batch.push_back({.body = OfBytes(100'000)});
    batch.push_back({.body = OfBytes(bytes - 900'000)});
    return batch;
  };
  EXPECT_THAT(queue.SendBatch(split(kMebibyte)), testing::IsOkAndHolds(SizeIs(10)));
  const absl::Status too_long = queue.SendBatch(split(kMebibyte + 1)).status();
  EXPECT_EQ(AwsCode(too_long), "AWS.SimpleQueueService.BatchRequestTooLong");
  EXPECT_THAT(Text(too_long), StartsWith("Batch requests cannot be longer than 1048576 bytes. You "
                                         "have sent 1048577 bytes."));
  EXPECT_EQ(queue.Depth().visible, 10) << "the second batch changed nothing";

  // Attributes count here, too.
  std::vector<SendRequest> with_attribute = split(kMebibyte);
  with_attribute[3].attributes.Set("n", "v");
  EXPECT_EQ(AwsCode(queue.SendBatch(std::move(with_attribute)).status()),
            "AWS.SimpleQueueService.BatchRequestTooLong");

  // A queue of small messages: ten of them are no more than a tenth of a mebibyte, and still it is
  // the mebibyte that a batch is refused by.
  const Queue small = Make("small", {.message_bytes_max = 1'024});
  auto answers = small.SendBatch({{.body = OfBytes(1'024)},
                                  {.body = OfBytes(1'025)},
                                  {.body = OfBytes(kMebibyte - 3'073)},
                                  {.body = OfBytes(1'024)}});
  ASSERT_THAT(answers, testing::IsOkAndHolds(SizeIs(4)));
  EXPECT_TRUE((*answers)[0].ok());
  for (const size_t i : {1u, 2u}) {
    EXPECT_EQ(AwsCode((*answers)[i].status()), "InvalidParameterValue");
    EXPECT_THAT(Text((*answers)[i].status()), HasSubstr("shorter than 1024 bytes."));
  }
  EXPECT_TRUE((*answers)[3].ok());
  EXPECT_EQ(
      AwsCode(small.SendBatch({{.body = OfBytes(1'024)}, {.body = OfBytes(kMebibyte - 1'023)}})
                  .status()),
      "AWS.SimpleQueueService.BatchRequestTooLong");
  EXPECT_EQ(small.Depth().visible, 2);
}

TEST_F(QueueRows, Q5_AStandardQueueTakesAMessageGroupIdByTheSameRules) {
  const Queue queue = Make("jobs");
  const std::string marks = "!\"#$%&'()*+,-./:;<=>?@[\\]^_`{|}~";
  for (const std::string& good :
       {std::string("a"), std::string("tenant-7"), marks, std::string(128, 'g')}) {
    SendTo(queue, good, "m");
    const Received got = ReceiveOne(queue);
    EXPECT_EQ(got.message_group_id(), good);
    EXPECT_EQ(got.SystemAttributes()["MessageGroupId"], good);
    EXPECT_EQ(got.sequence_number(), 0u) << "numbers are for FIFO queues";
    EXPECT_FALSE(got.SystemAttributes().contains("SequenceNumber"));
    ASSERT_TRUE(got.Delete().ok());
  }
  for (const std::string& bad :
       {std::string(129, 'g'), std::string("a b"), std::string(" "), std::string("caf\xC3\xA9"),
        std::string("a\n"), std::string("a\0b", 3), std::string("\x7F")}) {
    const absl::Status status = queue.Send({.body = "m", .message_group_id = bad}).status();
    EXPECT_EQ(AwsCode(status), "InvalidParameterValue") << ::testing::PrintToString(bad);
    EXPECT_THAT(Text(status), HasSubstr("Reason: MessageGroupId can only include alphanumeric and "
                                        "punctuation characters. 1 to 128 in length"));
  }

  // A tenant is no FIFO group: another of its messages does not wait for the one in flight, and
  // equal messages are not one.
  SendTo(queue, "t", "same");
  SendTo(queue, "t", "same");
  EXPECT_EQ(ReceiveOne(queue).body(), "same");
  EXPECT_EQ(ReceiveOne(queue).body(), "same");
}

// The digests are from a program of its own, written from section 7.
TEST_F(QueueRows, Q25_TheAttributesMd5CoversThoseThatWereAskedFor) {
  const Queue queue = Make("jobs");
  Send(queue,
       {.body = "m",
        .attributes = {{"other", AttributeValue("Binary.png", std::string_view("\0\xFF", 2))},
                       {"app.b", AttributeValue("Number.int", "2")},
                       {"app.a", "1"}},
        .trace_header = "Root=1-5759e988-bd862e3fe1be46a994272793"});
  const Attributes all = ReceiveOne(queue).attributes();
  const auto md5_of = [&all](const std::vector<std::string>& names) {
    return Md5OfAttributes(SelectMessageAttributes(all, names)).value_or("absent");
  };
  for (const char* everything : {"All", ".*", "*"}) {
    EXPECT_EQ(md5_of({everything}), "74a93bf16c6709982651065fc267c7ba") << everything;
  }
  EXPECT_EQ(md5_of({"app.*"}), "5b73bded2dbf4079171c8d906bbb989a");
  EXPECT_EQ(md5_of({"app.b", "app.a"}), "5b73bded2dbf4079171c8d906bbb989a");
  EXPECT_EQ(md5_of({"other"}), "ffbd3a1586f8797017db13486751ee09");
  EXPECT_EQ(md5_of({"unknown"}), "absent");
  EXPECT_EQ(md5_of({}), "absent");
  EXPECT_EQ(Md5OfAttributes({{"k", "x"}}), "a45daa70926828a2f0a1db3418e6feb4") << "the sheet's own";
}

TEST_F(QueueRows, Q26_CharactersOutsideXmlAreBadContentsInABodyAndABadParameterInAnAttribute) {
  const Queue queue = Make("jobs");
  const std::vector<std::string> good = {"\t\n\r ",
                                         "a\rb\r\nc",
                                         "\x7F",
                                         "\xED\x9F\xBF" /* D7FF */,
                                         "\xEE\x80\x80" /* E000 */,
                                         "\xEF\xBF\xBD" /* FFFD */,
                                         "\xF0\x90\x80\x80" /* 10000 */,
                                         "\xF4\x8F\xBF\xBF" /* 10FFFF */};
  for (const std::string& text : good) {
    Send(queue, {.body = text, .attributes = {{"a", text}}});
    const Received got = ReceiveOne(queue);
    EXPECT_EQ(got.body(), text) << "stored to the byte, carriage returns too";
    EXPECT_EQ(got.attributes(), (Attributes{{"a", text}}));
    ASSERT_TRUE(got.Delete().ok());
  }
  const std::vector<std::string> bad = {std::string(1, '\0'),
                                        "\x01",
                                        "\x08",
                                        "\x0B",
                                        "\x0C",
                                        "\x0E",
                                        "\x1F",
                                        "\xEF\xBF\xBE" /* FFFE */,
                                        "\xEF\xBF\xBF" /* FFFF */,
                                        "\xED\xA0\x80" /* D800 */};
  for (const std::string& text : bad) {
    EXPECT_EQ(AwsCode(queue.Send({.body = "a" + text}).status()), "InvalidMessageContents")
        << ::testing::PrintToString(text);
    EXPECT_EQ(AwsCode(queue.Send({.body = "b", .attributes = {{"a", "a" + text}}}).status()),
              "InvalidParameterValue")
        << ::testing::PrintToString(text);
  }
  // One bad entry of a batch, in either place, fails alone.
  const auto answers = queue.SendBatch(
      {{.body = "1"}, {.body = "\x01"}, {.body = "3", .attributes = {{"a", "\x01"}}}});
  ASSERT_THAT(answers, testing::IsOkAndHolds(SizeIs(3)));
  EXPECT_EQ(AwsCode((*answers)[0].status()), "OK");
  EXPECT_EQ(AwsCode((*answers)[1].status()), "InvalidMessageContents");
  EXPECT_EQ(AwsCode((*answers)[2].status()), "InvalidParameterValue");
  EXPECT_THAT(ReceiveBodies(queue), ElementsAre("1"));
}

TEST_F(QueueRows, Q27_AttributeNamesMayHaveLettersBeyondAscii) {
  const Queue queue = Make("jobs");
  const auto code = [&queue](std::string_view name, AttributeValue value = "v") {
    SendRequest request{.body = "m"};
    request.attributes.Set(name, std::move(value));
    return AwsCode(queue.Send(std::move(request)).status());
  };
  for (const char* good :
       {"attr.1\xC3\xB8\xC3\x9F\xC3\xA4", "a", "A_b-c.9", "AWSome", "AWS", "Amazonas.river"}) {
    EXPECT_EQ(code(good), "OK") << good;
  }
  EXPECT_EQ(code(std::string(255, 'n')), "OK");
  for (const char* bad : {"", ".a", "a.", "a..b", "AWS.a", "aws.a", "aWs.a", "Amazon.a", "AMAZON.a",
                          "a b", "a/b", "a!", "a\n"}) {
    EXPECT_EQ(code(bad), "InvalidParameterValue") << bad;
  }
  EXPECT_EQ(code(std::string(256, 'n')), "InvalidParameterValue");

  for (const char* type : {"String", "String.url", "Number.int", "Binary.png"}) {
    EXPECT_EQ(code("a", AttributeValue(type, "1")), "OK") << type;
  }
  EXPECT_EQ(code("a", AttributeValue("String." + std::string(248, 't'), "1")), "OK");
  EXPECT_EQ(code("a", AttributeValue("String." + std::string(249, 't'), "1")),
            "InvalidParameterValue");
  for (const char* type : {"", "string", "Strings", "Boolean"}) {
    EXPECT_EQ(code("a", AttributeValue(type, "1")), "InvalidParameterValue") << type;
  }
  EXPECT_EQ(code("a", ""), "InvalidParameterValue");
}

TEST_F(QueueRows, Q29_ABatchForAFifoQueueWithoutAGroupFailsWhole) {
  const Queue queue = MakeFifo("jobs.fifo");
  const absl::Status status =
      queue.SendBatch({{.body = "1", .message_group_id = "g"}, {.body = "2"}}).status();
  EXPECT_EQ(AwsCode(status), "InvalidParameterValue") << "not MissingParameter, as singly";
  EXPECT_EQ(Text(status), "The request must contain the parameter MessageGroupId.");
  EXPECT_EQ(queue.Stats().accepted, 0);

  // The good one was not remembered as sent, either.
  SendTo(queue, "g", "1");
  EXPECT_THAT(ReceiveBodies(queue), ElementsAre("1"));

  EXPECT_EQ(AwsCode(queue.Send({.body = "2"}).status()), "MissingParameter");
}

}  // namespace
}  // namespace banyan
