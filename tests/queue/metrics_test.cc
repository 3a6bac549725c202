// SPDX-License-Identifier: Apache-2.0
//
// Metrics: section 9 of the sheet, and Prometheus' text format read by a strict parser.
#include <cmath>
#include <map>
#include <optional>
#include <set>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "banyan/broker.h"
#include "banyan/metrics.h"
#include "gmock/gmock.h"
#include "queue_testing.h"

namespace banyan::internal {
namespace {

using ::testing::AllOf;
using ::testing::Contains;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;
using ::testing::IsSupersetOf;
using ::testing::Key;
using ::testing::Not;
using ::testing::Pair;

class MetricsTest : public QueueTest {
 protected:
  // Every snapshot must balance.
  static QueueMetrics Metrics(const Queue& queue) {
    absl::StatusOr<QueueMetrics> metrics = queue.Metrics();
    EXPECT_TRUE(metrics.ok()) << metrics.status();
    if (!metrics.ok()) return {};
    EXPECT_EQ(metrics->number_of_messages_sent + metrics->messages_moved_in,
              metrics->messages_deleted + metrics->messages_expired + metrics->messages_moved_out +
                  metrics->messages_purged + metrics->messages_dropped +
                  metrics->approximate_number_of_messages_visible +
                  metrics->approximate_number_of_messages_not_visible +
                  metrics->approximate_number_of_messages_delayed);
    return *metrics;
  }

  static absl::Duration Age(const Queue& queue) {
    return Metrics(queue).approximate_age_of_oldest_message;
  }

  static void SendTo(const Queue& queue, std::string_view body, std::string_view group,
                     std::optional<absl::Duration> delay = std::nullopt) {
    SendRequest request = {.body = body, .delay = delay, .message_group_id = std::string(group)};
    if (queue.name().ends_with(".fifo")) request.message_deduplication_id = std::string(body);
    const absl::Status status = queue.Send(std::move(request)).status();
    EXPECT_TRUE(status.ok()) << status;
  }

  void Advance(int64_t seconds) { runtime_.Advance(absl::Seconds(seconds)); }
};

// --- Counters ------------------------------------------------------------------------------------

TEST_F(MetricsTest, AFreshQueueIsAllZero) {
  const QueueMetrics metrics = Metrics(broker_.Make("jobs"));
  EXPECT_EQ(metrics.queue_name, "jobs");
  EXPECT_FALSE(metrics.fifo);
  for (const Metric& metric : ListMetrics(metrics)) EXPECT_EQ(metric.value, 0) << metric.name;
}

TEST_F(MetricsTest, CountsSendsReceivesAndDeletes) {
  const Queue queue = broker_.Make("jobs");
  for (int i = 0; i < 3; ++i) Send(queue, "x");
  const std::vector<Received> taken = Receive(queue, {.max_messages = 2});
  ASSERT_TRUE(taken[0].Delete().ok());
  const QueueMetrics metrics = Metrics(queue);
  EXPECT_EQ(metrics.number_of_messages_sent, 3);
  EXPECT_EQ(metrics.number_of_messages_received, 2);
  EXPECT_EQ(metrics.number_of_messages_deleted, 1);
  EXPECT_EQ(metrics.approximate_number_of_messages_visible, 1);
  EXPECT_EQ(metrics.approximate_number_of_messages_not_visible, 1);
}

// The sheet: deletes with any handle, repeats too, count.
TEST_F(MetricsTest, RepeatedAndOutdatedDeletesCount) {
  const Queue queue = broker_.Make("jobs");
  Send(queue, "x");
  const Received first = ReceiveOne(queue);
  Advance(30);
  const Received second = ReceiveOne(queue);
  EXPECT_TRUE(first.Delete().ok());  // an older handle: OK, without effect
  EXPECT_EQ(Metrics(queue).number_of_messages_deleted, 1);
  EXPECT_EQ(Metrics(queue).stale_deletes, 1);
  EXPECT_EQ(Metrics(queue).messages_deleted, 0);
  EXPECT_TRUE(second.Delete().ok());
  EXPECT_TRUE(second.Delete().ok());
  EXPECT_TRUE(queue.DeleteBatch({second, second}).ok());
  EXPECT_EQ(Metrics(queue).number_of_messages_deleted, 5);
  EXPECT_EQ(Metrics(queue).messages_deleted, 1);
}

TEST_F(MetricsTest, RefusedDeletesDoNotCount) {
  const Queue queue = broker_.Make("jobs.fifo", {.fifo = true});
  SendTo(queue, "x", "g");
  const Received late = ReceiveOne(queue);
  Advance(30);
  EXPECT_FALSE(late.Delete().ok());
  EXPECT_FALSE(queue.DeleteBatch({late}).value()[0].ok());
  EXPECT_FALSE(queue.Delete("garbage").ok());
  EXPECT_EQ(Metrics(queue).number_of_messages_deleted, 0);
  EXPECT_EQ(Metrics(queue).stale_deletes, 2);
}

TEST_F(MetricsTest, CountsReceivesThatFoundNothing) {
  const Queue queue = broker_.Make("jobs");
  EXPECT_THAT(Receive(queue), IsEmpty());
  EXPECT_THAT(Receive(queue, {.wait = absl::Seconds(5)}), IsEmpty());
  EXPECT_EQ(Metrics(queue).number_of_empty_receives, 2);
  Send(queue, "x");
  ReceiveOne(queue);
  EXPECT_EQ(Metrics(queue).number_of_empty_receives, 2);
}

TEST_F(MetricsTest, SizesAreOfBodyAndAttributesTogether) {
  const Queue queue = broker_.Make("jobs");
  Send(queue, "12345");
  Attributes attributes;
  attributes.Set("abc", "defg");  // name, the type "String", value
  ASSERT_TRUE(queue.Send({.body = "1", .attributes = attributes}).ok());
  EXPECT_EQ(Metrics(queue).sent_message_size,
            (StatisticSet{.count = 2, .sum = 5 + 14, .min = 5, .max = 14}));
  EXPECT_EQ(Metrics(queue).bytes_resting, 5 + 14);
  ReceiveOne(queue).Delete().IgnoreError();
  EXPECT_EQ(Metrics(queue).sent_message_size.sum, 5 + 14);
  EXPECT_EQ(Metrics(queue).bytes_resting, 14);
}

// Marked in the sheet: automatic moves do not count as sent.
TEST_F(MetricsTest, ADeadLetterIsMovedAndNotSent) {
  const Queue dead = broker_.Make("dead");
  const Queue queue = broker_.Make("jobs", {.redrive = RedrivePolicy{dead.arn(), 1}});
  Send(queue, "x");
  ReceiveOne(queue);
  Advance(30);
  EXPECT_EQ(Metrics(queue).messages_moved_out, 1);
  const QueueMetrics metrics = Metrics(dead);
  EXPECT_EQ(metrics.number_of_messages_sent, 0);
  EXPECT_EQ(metrics.sent_message_size, StatisticSet());
  EXPECT_EQ(metrics.messages_moved_in, 1);
  EXPECT_EQ(metrics.approximate_number_of_messages_visible, 1);
}

TEST_F(MetricsTest, CountsTheOtherWaysToGo) {
  const Queue queue = broker_.Make(
      "jobs",
      {.retention = absl::Minutes(1), .messages_max = 2, .when_full = WhenFull::kDropOldest});
  for (int i = 0; i < 3; ++i) Send(queue, "x");
  EXPECT_EQ(Metrics(queue).messages_dropped, 1);
  Advance(60);
  EXPECT_EQ(Metrics(queue).messages_expired, 2);
  Send(queue, "x");
  ASSERT_TRUE(queue.Purge().ok());
  EXPECT_EQ(Metrics(queue).messages_purged, 1);

  const Queue narrow = broker_.Make("narrow", {.messages_max = 1});
  Send(narrow, "x");
  EXPECT_FALSE(narrow.Send({.body = "y"}).ok());
  EXPECT_EQ(Metrics(narrow).sends_rejected, 1);
  EXPECT_EQ(Metrics(narrow).number_of_messages_sent, 1);
}

// --- The age of the oldest -----------------------------------------------------------------------

TEST_F(MetricsTest, AgeIsThatOfTheOldestInWhateverState) {
  const Queue queue = broker_.Make("jobs");
  EXPECT_EQ(Age(queue), absl::ZeroDuration());
  SendTo(queue, "delayed", "", absl::Seconds(100));
  Advance(10);
  Send(queue, "young");
  EXPECT_EQ(Age(queue), absl::Seconds(10));
  Advance(90);
  EXPECT_EQ(Age(queue), absl::Seconds(100));
  const std::vector<Received> taken = ReceiveAll(queue);
  ASSERT_EQ(Bodies(taken), (std::vector<std::string>{"young", "delayed"}));
  EXPECT_EQ(Age(queue), absl::Seconds(100));  // both in flight
  ASSERT_TRUE(taken[1].Delete().ok());
  EXPECT_EQ(Age(queue), absl::Seconds(90));
}

// Marked in the sheet: three receives and it may be poison.
TEST_F(MetricsTest, AMessageReceivedThreeTimesIsNotAskedForItsAge) {
  const Queue queue = broker_.Make("jobs", {.visibility_timeout = absl::Seconds(1)});
  Send(queue, "poison");
  for (int i = 0; i < 2; ++i) {
    ReceiveOne(queue);
    Advance(1);
  }
  Advance(8);
  Send(queue, "good");
  EXPECT_EQ(Age(queue), absl::Seconds(10));
  ASSERT_EQ(ReceiveOne(queue).body(), "poison");  // the third time
  EXPECT_EQ(Age(queue), absl::ZeroDuration());
  Advance(5);
  EXPECT_EQ(Age(queue), absl::Seconds(5));  // that of the good one
}

TEST_F(MetricsTest, PoisonCountsInAFifoQueue) {
  const Queue queue =
      broker_.Make("jobs.fifo", {.visibility_timeout = absl::Seconds(1), .fifo = true});
  SendTo(queue, "x", "g");
  for (int i = 0; i < 4; ++i) {
    ReceiveOne(queue);
    Advance(1);
  }
  EXPECT_EQ(Age(queue), absl::Seconds(4));
}

// The sheet: on a dead-letter queue it counts from the move, of both kinds.
TEST_F(MetricsTest, AgeOfADeadLetterCountsFromTheMove) {
  for (const bool fifo : {false, true}) {
    SCOPED_TRACE(fifo ? "FIFO" : "standard");
    const std::string end = fifo ? ".fifo" : "";
    const Queue dead = broker_.Make("dead" + end, {.fifo = fifo});
    const Queue queue =
        broker_.Make("jobs" + end, {.fifo = fifo, .redrive = RedrivePolicy{dead.arn(), 3}});
    SendTo(queue, "x", fifo ? "g" : "");
    for (int i = 0; i < 3; ++i) {
      ReceiveOne(queue);
      Advance(30);
    }
    EXPECT_EQ(Age(queue), absl::ZeroDuration());
    EXPECT_EQ(Age(dead), absl::ZeroDuration());
    Advance(7);
    // The three receives were elsewhere.
    EXPECT_EQ(Age(dead), absl::Seconds(7));
  }
}

// The oldest by what it was elsewhere need not be the one that came here first.
TEST_F(MetricsTest, AgeOfDeadLettersIsThatOfTheFirstThatCame) {
  const Queue dead = broker_.Make("dead");
  const Queue queue = broker_.Make("jobs", {.redrive = RedrivePolicy{dead.arn(), 1}});
  Send(queue, "first sent");
  Advance(10);
  Send(queue, "first moved");
  const std::vector<Received> taken = ReceiveAll(queue);
  ASSERT_EQ(Bodies(taken), (std::vector<std::string>{"first sent", "first moved"}));
  ASSERT_TRUE(taken[1].MoveToDeadLetterQueue("").ok());
  Advance(10);
  ASSERT_TRUE(taken[0].MoveToDeadLetterQueue("").ok());
  Advance(10);
  EXPECT_EQ(Age(dead), absl::Seconds(20));
  Send(dead, "sent there");
  EXPECT_EQ(Age(dead), absl::Seconds(20));
}

// The sheet: what a redrive brings is a new message.
TEST_F(MetricsTest, AgeOfARedrivenMessageBeginsAnew) {
  const Queue dead = broker_.Make("dead");
  const Queue queue = broker_.Make("jobs", {.redrive = RedrivePolicy{dead.arn(), 1}});
  Send(queue, "x");
  ReceiveOne(queue);
  Advance(60);
  ASSERT_EQ(dead.Redrive().value_or(0), 1);
  EXPECT_EQ(Age(queue), absl::ZeroDuration());
  EXPECT_EQ(Age(dead), absl::ZeroDuration());
  Advance(5);
  EXPECT_EQ(Age(queue), absl::Seconds(5));
}

// --- FIFO and fair queues ------------------------------------------------------------------------

TEST_F(MetricsTest, CountsGroupsInFlightAndDuplicates) {
  const Queue queue = broker_.Make("jobs.fifo", {.fifo = true});
  SendTo(queue, "a1", "a");
  SendTo(queue, "a2", "a");
  SendTo(queue, "b1", "b");
  SendTo(queue, "c1", "c");
  SendTo(queue, "c1", "c");
  Receive(queue, {.max_messages = 3});
  const QueueMetrics metrics = Metrics(queue);
  EXPECT_TRUE(metrics.fifo);
  EXPECT_EQ(metrics.approximate_number_of_groups_with_inflight_messages, 2);
  EXPECT_EQ(metrics.approximate_number_of_messages_not_visible, 3);
  EXPECT_EQ(metrics.number_of_deduplicated_sent_messages, 1);
  EXPECT_EQ(metrics.number_of_messages_sent, 4);
}

TEST_F(MetricsTest, WithoutTenantsEverythingIsQuiet) {
  const Queue queue = broker_.Make("jobs");
  for (int i = 0; i < 3; ++i) Send(queue, "x");
  SendTo(queue, "x", "", absl::Seconds(60));
  ReceiveOne(queue);
  Advance(5);
  const QueueMetrics metrics = Metrics(queue);
  EXPECT_EQ(metrics.approximate_number_of_noisy_groups, 0);
  EXPECT_EQ(metrics.approximate_number_of_messages_visible_in_quiet_groups, 2);
  EXPECT_EQ(metrics.approximate_number_of_messages_not_visible_in_quiet_groups, 1);
  EXPECT_EQ(metrics.approximate_number_of_messages_delayed_in_quiet_groups, 1);
  EXPECT_EQ(metrics.approximate_age_of_oldest_message_in_quiet_groups, absl::Seconds(5));
}

// Marked in the sheet: more than a tenth of what is in flight, and thirty at least.
TEST_F(MetricsTest, NoisyTenantsAreLeftOutOfWhatIsQuiet) {
  const Queue queue = broker_.Make("jobs");
  for (int i = 0; i < 30; ++i) SendTo(queue, "loud", "loud");
  for (int i = 0; i < 3; ++i) ReceiveAll(queue);
  for (int i = 0; i < 4; ++i) SendTo(queue, "loud", "loud");
  SendTo(queue, "loud", "loud", absl::Seconds(60));
  Advance(10);
  SendTo(queue, "quiet", "quiet");
  SendTo(queue, "quiet", "quiet", absl::Seconds(60));
  Send(queue, "no tenant");
  Advance(5);
  QueueMetrics metrics = Metrics(queue);
  EXPECT_EQ(metrics.approximate_number_of_noisy_groups, 1);
  EXPECT_EQ(metrics.approximate_number_of_messages_visible, 6);
  EXPECT_EQ(metrics.approximate_number_of_messages_visible_in_quiet_groups, 2);
  EXPECT_EQ(metrics.approximate_number_of_messages_not_visible_in_quiet_groups, 0);
  EXPECT_EQ(metrics.approximate_number_of_messages_delayed_in_quiet_groups, 1);
  EXPECT_EQ(metrics.approximate_age_of_oldest_message, absl::Seconds(15));
  EXPECT_EQ(metrics.approximate_age_of_oldest_message_in_quiet_groups, absl::Seconds(5));
  ASSERT_EQ(Bodies(Receive(queue, {.max_messages = 2})),
            (std::vector<std::string>{"quiet", "no tenant"}));
  metrics = Metrics(queue);
  EXPECT_EQ(metrics.approximate_number_of_messages_visible_in_quiet_groups, 0);
  EXPECT_EQ(metrics.approximate_number_of_messages_not_visible_in_quiet_groups, 2);
}

TEST_F(MetricsTest, TwentyNineInFlightAreNotNoise) {
  const Queue queue = broker_.Make("jobs");
  for (int i = 0; i < 29; ++i) SendTo(queue, "x", "tenant");
  for (int i = 0; i < 3; ++i) ReceiveAll(queue);
  EXPECT_EQ(Metrics(queue).approximate_number_of_noisy_groups, 0);
  EXPECT_EQ(Metrics(queue).approximate_number_of_messages_not_visible_in_quiet_groups, 29);
}

// The sheet: noisy by the share of consumers' time. Who prolongs does not spend it twice.
TEST_F(MetricsTest, ProlongingAMessageDoesNotCountItsTimeTwice) {
  const Queue queue = broker_.Make("jobs", {.fairness = {.processing_share = 0.5}});
  SendTo(queue, "x", "prolongs");
  SendTo(queue, "x", "does-not");
  const std::vector<Received> taken = ReceiveAll(queue);
  ASSERT_EQ(taken.size(), 2u);
  for (int i = 0; i < 5; ++i) {
    Advance(1);
    ASSERT_TRUE(taken[0].ChangeVisibility(absl::Seconds(30)).ok());
  }
  Advance(1);
  ASSERT_TRUE(taken[0].Delete().ok());
  ASSERT_TRUE(taken[1].Delete().ok());
  // Both had six seconds of a consumer: neither more than half.
  EXPECT_EQ(Metrics(queue).approximate_number_of_noisy_groups, 0);
}

// --- The list ------------------------------------------------------------------------------------

std::map<std::string_view, double> ByName(const QueueMetrics& metrics) {
  std::map<std::string_view, double> by_name;
  for (const Metric& metric : ListMetrics(metrics)) by_name[metric.name] = metric.value;
  return by_name;
}

std::set<std::string_view> AwsNames(const QueueMetrics& metrics) {
  std::set<std::string_view> names;
  for (const Metric& metric : ListMetrics(metrics)) {
    if (!metric.name.starts_with("banyan_")) names.insert(metric.name);
  }
  return names;
}

const std::set<std::string_view> kOfAllQueues = {"NumberOfMessagesSent",
                                                 "NumberOfMessagesReceived",
                                                 "NumberOfMessagesDeleted",
                                                 "NumberOfEmptyReceives",
                                                 "SentMessageSize",
                                                 "ApproximateNumberOfMessagesVisible",
                                                 "ApproximateNumberOfMessagesNotVisible",
                                                 "ApproximateNumberOfMessagesDelayed",
                                                 "ApproximateAgeOfOldestMessage"};

TEST_F(MetricsTest, TheListHasTheSheetsNamesAndNoOthers) {
  std::set<std::string_view> standard = kOfAllQueues;
  standard.insert({"ApproximateNumberOfNoisyGroups",
                   "ApproximateNumberOfMessagesVisibleInQuietGroups",
                   "ApproximateNumberOfMessagesNotVisibleInQuietGroups",
                   "ApproximateNumberOfMessagesDelayedInQuietGroups",
                   "ApproximateAgeOfOldestMessageInQuietGroups"});
  EXPECT_EQ(AwsNames({.fifo = false}), standard);
  std::set<std::string_view> fifo = kOfAllQueues;
  fifo.insert(
      {"ApproximateNumberOfGroupsWithInflightMessages", "NumberOfDeduplicatedSentMessages"});
  EXPECT_EQ(AwsNames({.fifo = true}), fifo);
}

// A value of its own in every field: a row that reads another field is seen.
TEST_F(MetricsTest, TheListReadsEachFieldOnce) {
  QueueMetrics metrics;
  metrics.number_of_messages_sent = 1;
  metrics.number_of_messages_received = 2;
  metrics.number_of_messages_deleted = 3;
  metrics.number_of_empty_receives = 4;
  metrics.sent_message_size = {.count = 2, .sum = 5, .min = 2, .max = 3};
  metrics.approximate_number_of_messages_visible = 6;
  metrics.approximate_number_of_messages_not_visible = 7;
  metrics.approximate_number_of_messages_delayed = 8;
  metrics.approximate_age_of_oldest_message = absl::Milliseconds(9'500);
  metrics.approximate_number_of_groups_with_inflight_messages = 10;
  metrics.number_of_deduplicated_sent_messages = 11;
  metrics.approximate_number_of_noisy_groups = 12;
  metrics.approximate_number_of_messages_visible_in_quiet_groups = 13;
  metrics.approximate_number_of_messages_not_visible_in_quiet_groups = 14;
  metrics.approximate_number_of_messages_delayed_in_quiet_groups = 15;
  metrics.approximate_age_of_oldest_message_in_quiet_groups = absl::Seconds(16);
  metrics.messages_deleted = 17;
  metrics.messages_expired = 18;
  metrics.messages_moved_in = 19;
  metrics.messages_moved_out = 20;
  metrics.messages_purged = 21;
  metrics.messages_dropped = 22;
  metrics.sends_rejected = 23;
  metrics.stale_deletes = 24;
  metrics.bytes_resting = 25;
  const std::map<std::string_view, double> of_all = {{"NumberOfMessagesSent", 1},
                                                     {"NumberOfMessagesReceived", 2},
                                                     {"NumberOfMessagesDeleted", 3},
                                                     {"NumberOfEmptyReceives", 4},
                                                     {"SentMessageSize", 5},
                                                     {"ApproximateNumberOfMessagesVisible", 6},
                                                     {"ApproximateNumberOfMessagesNotVisible", 7},
                                                     {"ApproximateNumberOfMessagesDelayed", 8},
                                                     {"ApproximateAgeOfOldestMessage", 9.5},
                                                     {"banyan_queue_messages_deleted", 17},
                                                     {"banyan_queue_messages_expired", 18},
                                                     {"banyan_queue_messages_moved_in", 19},
                                                     {"banyan_queue_messages_moved_out", 20},
                                                     {"banyan_queue_messages_purged", 21},
                                                     {"banyan_queue_messages_dropped", 22},
                                                     {"banyan_queue_sends_rejected", 23},
                                                     {"banyan_queue_stale_deletes", 24},
                                                     {"banyan_queue_resting", 25}};
  std::map<std::string_view, double> standard = of_all;
  standard.insert({{"ApproximateNumberOfNoisyGroups", 12},
                   {"ApproximateNumberOfMessagesVisibleInQuietGroups", 13},
                   {"ApproximateNumberOfMessagesNotVisibleInQuietGroups", 14},
                   {"ApproximateNumberOfMessagesDelayedInQuietGroups", 15},
                   {"ApproximateAgeOfOldestMessageInQuietGroups", 16}});
  EXPECT_EQ(ByName(metrics), standard);
  std::map<std::string_view, double> fifo = of_all;
  fifo.insert({{"ApproximateNumberOfGroupsWithInflightMessages", 10},
               {"NumberOfDeduplicatedSentMessages", 11}});
  metrics.fifo = true;
  EXPECT_EQ(ByName(metrics), fifo);
  for (const Metric& metric : ListMetrics(metrics)) {
    EXPECT_EQ(metric.statistics,
              metric.name == "SentMessageSize" ? metrics.sent_message_size : StatisticSet());
  }
}

// --- Prometheus ----------------------------------------------------------------------------------

// The text format 0.0.4 by the letter of its description, and stricter where that is lax: no blank
// line, no spare space, no timestamp; HELP, TYPE and samples of a family together, in that order;
// no series twice.
class StrictParser {
 public:
  struct Family {
    std::string type;
    std::string help;
    std::map<std::string, double> samples;  // "name{a=\"b\"}", values unescaped
  };

  // Empty: the text is as it should be.
  std::string Parse(std::string_view text) {
    if (!text.empty() && text.back() != '\n') return "the last line does not end";
    std::string current;
    while (!text.empty()) {
      const std::string_view line = text.substr(0, text.find('\n'));
      text.remove_prefix(line.size() + 1);
      const std::string fault =
          line.starts_with('#') ? Comment(line, &current) : Sample(line, current);
      if (!fault.empty()) return fault + ": " + std::string(line);
    }
    for (const auto& [name, family] : families) {
      if (family.type.empty()) return "no TYPE: " + name;
      if (family.samples.empty()) return "no sample: " + name;
      if (family.type == "counter" && !name.ends_with("_total")) return "counter's name: " + name;
    }
    return "";
  }

  std::map<std::string, Family> families;

 private:
  static bool TakeWord(std::string_view* line, std::string_view word) {
    if (!line->starts_with(word)) return false;
    line->remove_prefix(word.size());
    return true;
  }

  static std::string TakeName(std::string_view* line) {
    size_t end = 0;
    while (end < line->size()) {
      const char c = (*line)[end];
      const bool letter = (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || c == '_';
      const bool digit = c >= '0' && c <= '9';
      if (!letter && !(digit && end > 0)) break;
      ++end;
    }
    std::string name(line->substr(0, end));
    line->remove_prefix(end);
    return name;
  }

  std::string Comment(std::string_view line, std::string* current) {
    if (TakeWord(&line, "# HELP ")) {
      const std::string name = TakeName(&line);
      if (name.empty() || !TakeWord(&line, " ") || line.empty()) return "bad HELP";
      if (families.contains(name)) return "a family comes twice";
      families[name].help = line;
      *current = name;
      return "";
    }
    if (!TakeWord(&line, "# TYPE ")) return "bad comment";
    const std::string name = TakeName(&line);
    if (name != *current || !TakeWord(&line, " ")) return "TYPE without its HELP";
    Family& family = families[name];
    if (!family.type.empty() || !family.samples.empty()) return "TYPE too late";
    if (line != "counter" && line != "gauge" && line != "summary") return "unknown type";
    family.type = line;
    return "";
  }

  std::string Sample(std::string_view line, const std::string& current) {
    if (current.empty()) return "a sample of no family";
    Family& family = families[current];
    std::string series = TakeName(&line);
    const bool is_summary = family.type == "summary";
    const bool fits = series == current ||
                      (is_summary && (series == current + "_sum" || series == current + "_count"));
    if (!fits) return "a sample of another family";
    const bool wants_quantile = is_summary && series == current;
    if (!TakeWord(&line, "{")) return "no labels";
    std::set<std::string> labels;
    for (bool first = true; first || TakeWord(&line, ","); first = false) {
      const std::string label = TakeName(&line);
      if (label.empty() || !labels.insert(label).second) return "bad label";
      if (!TakeWord(&line, "=\"")) return "bad label";
      std::string value;
      for (;;) {
        if (line.empty()) return "a label's value does not end";
        const char c = line[0];
        line.remove_prefix(1);
        if (c == '"') break;
        if (c != '\\') {
          value += c;
          continue;
        }
        if (line.empty()) return "bad escape";
        if (line[0] == 'n')
          value += '\n';
        else if (line[0] == '\\' || line[0] == '"')
          value += line[0];
        else
          return "bad escape";
        line.remove_prefix(1);
      }
      series += "|" + label + "=" + value;
    }
    if (labels.contains("quantile") != wants_quantile) return "quantile where none belongs";
    if (!TakeWord(&line, "} ")) return "labels do not end";
    const std::string number(line);
    if (number.find_first_not_of("0123456789.") != std::string::npos || number.empty()) {
      return "bad number";
    }
    if (!family.samples.emplace(series, std::stod(number)).second) return "a series comes twice";
    return "";
  }
};

std::map<std::string, StrictParser::Family> Parsed(const std::string& text) {
  StrictParser parser;
  EXPECT_EQ(parser.Parse(text), "") << text;
  return parser.families;
}

// The parser can say no.
TEST(StrictParserTest, RefusesWhatIsWrong) {
  const std::string head = "# HELP a_total b.\n# TYPE a_total counter\n";
  EXPECT_EQ(StrictParser().Parse(head + "a_total{q=\"x\"} 1\n"), "");
  for (const std::string& bad :
       {head, head + "a_total{q=\"x\"} 1", head + "a_total{q=\"x\"}  1\n",
        head + "b_total{q=\"x\"} 1\n", head + "a_total{q=\"x} 1\n", head + "a_total{q=\"\\x\"} 1\n",
        head + "a_total{q=\"x\"} 1\na_total{q=\"x\"} 2\n", head + "a_total{q=\"x\"} nan\n",
        head + "a_total{q=\"x\"} 1\n" + head + "a_total{q=\"y\"} 1\n",
        head + "\na_total{q=\"x\"} 1\n", std::string("a_total{q=\"x\"} 1\n"),
        head + "a_total{q=\"x\",q=\"y\"} 1\n"}) {
    EXPECT_NE(StrictParser().Parse(bad), "") << bad;
  }
}

TEST_F(MetricsTest, PrometheusTextReadsAsItShould) {
  const Queue jobs = broker_.Make("jobs");
  const Queue ledger = broker_.Make("ledger.fifo", {.fifo = true});
  Send(jobs, "12345");
  Send(jobs, "123");
  SendTo(ledger, "x", "g");
  SendTo(ledger, "x", "g");
  runtime_.Advance(absl::Milliseconds(1'500));
  const auto families = Parsed(PrometheusText({.queues = {Metrics(jobs), Metrics(ledger)}}));
  const auto samples = [&](const std::string& name) {
    return families.contains(name) ? families.at(name).samples : std::map<std::string, double>();
  };
  using Samples = std::map<std::string, double>;
  EXPECT_EQ(samples("banyan_sqs_number_of_messages_sent_total"),
            (Samples{{"banyan_sqs_number_of_messages_sent_total|queue=jobs", 2},
                     {"banyan_sqs_number_of_messages_sent_total|queue=ledger.fifo", 1}}));
  EXPECT_EQ(
      samples("banyan_sqs_approximate_age_of_oldest_message_seconds"),
      (Samples{{"banyan_sqs_approximate_age_of_oldest_message_seconds|queue=jobs", 1.5},
               {"banyan_sqs_approximate_age_of_oldest_message_seconds|queue=ledger.fifo", 1.5}}));
  // Only where they apply.
  EXPECT_EQ(
      samples("banyan_sqs_number_of_deduplicated_sent_messages_total"),
      (Samples{{"banyan_sqs_number_of_deduplicated_sent_messages_total|queue=ledger.fifo", 1}}));
  EXPECT_EQ(samples("banyan_sqs_approximate_number_of_noisy_groups"),
            (Samples{{"banyan_sqs_approximate_number_of_noisy_groups|queue=jobs", 0}}));
  EXPECT_THAT(samples("banyan_sqs_sent_message_size_bytes"),
              IsSupersetOf({Pair("banyan_sqs_sent_message_size_bytes|queue=jobs|quantile=0", 3),
                            Pair("banyan_sqs_sent_message_size_bytes|queue=jobs|quantile=1", 5),
                            Pair("banyan_sqs_sent_message_size_bytes_sum|queue=jobs", 8),
                            Pair("banyan_sqs_sent_message_size_bytes_count|queue=jobs", 2)}));
  EXPECT_THAT(families, AllOf(Contains(Key("banyan_queue_resting_bytes")),
                              Contains(Key("banyan_queue_messages_expired_total"))));
  // Every metric of either queue has its family.
  std::set<std::string_view> names;
  for (const bool fifo : {false, true}) {
    for (const Metric& metric : ListMetrics(QueueMetrics{.fifo = fifo})) names.insert(metric.name);
  }
  EXPECT_EQ(families.size(), names.size());
}

TEST_F(MetricsTest, PrometheusTextToTheLetter) {
  const std::string text = PrometheusText({.queues = {Metrics(broker_.Make("jobs"))}});
  EXPECT_THAT(text, ::testing::StartsWith(
                        "# HELP banyan_sqs_number_of_messages_sent_total Messages stored by a send "
                        "or a delivery; moves do not count.\n"
                        "# TYPE banyan_sqs_number_of_messages_sent_total counter\n"
                        "banyan_sqs_number_of_messages_sent_total{queue=\"jobs\"} 0\n"));
}

TEST_F(MetricsTest, PrometheusTextWithoutSizesHasNoQuantiles) {
  const std::string text = PrometheusText({.queues = {Metrics(broker_.Make("jobs"))}});
  EXPECT_THAT(text, AllOf(HasSubstr("banyan_sqs_sent_message_size_bytes_count{queue=\"jobs\"} 0\n"),
                          Not(HasSubstr("quantile"))));
}

TEST_F(MetricsTest, PrometheusTextEscapesLabels) {
  const auto families = Parsed(PrometheusText({.queues = {{.queue_name = "a\"b\\c\nd"}}}));
  EXPECT_THAT(families.at("banyan_sqs_number_of_messages_sent_total").samples,
              ElementsAre(Pair("banyan_sqs_number_of_messages_sent_total|queue=a\"b\\c\nd", 0)));
}

TEST_F(MetricsTest, PrometheusTextOfGreatNumbersHasNoExponent) {
  QueueMetrics metrics = {.queue_name = "jobs"};
  metrics.number_of_messages_sent = int64_t{1} << 60;
  metrics.approximate_age_of_oldest_message = absl::Nanoseconds(1);
  const std::string text = PrometheusText({.queues = {metrics}});
  EXPECT_THAT(text, HasSubstr("sent_total{queue=\"jobs\"} 1152921504606846976\n"));
  EXPECT_THAT(text, HasSubstr("oldest_message_seconds{queue=\"jobs\"} 0.000000001\n"));
  Parsed(text);
}

TEST_F(MetricsTest, PrometheusTextOfNothingIsEmpty) { EXPECT_EQ(PrometheusText({}), ""); }

// --- The broker ----------------------------------------------------------------------------------

TEST_F(MetricsTest, ABrokerTellsOfAllItsQueuesByName) {
  absl::StatusOr<Broker> broker = Broker::Create(runtime_, {});
  ASSERT_TRUE(broker.ok());
  EXPECT_THAT(broker->Metrics().queues, IsEmpty());
  const Queue b = broker->CreateQueue("b").value();
  const Queue a = broker->CreateQueue("a.fifo", {.fifo = true}).value();
  Send(b, "x");
  const BrokerMetrics metrics = broker->Metrics();
  ASSERT_EQ(metrics.queues.size(), 2u);
  EXPECT_EQ(metrics.queues[0].queue_name, "a.fifo");
  EXPECT_EQ(metrics.queues[1].queue_name, "b");
  EXPECT_EQ(metrics.queues[1].number_of_messages_sent, 1);
  Parsed(PrometheusText(metrics));
  ASSERT_TRUE(broker->DeleteQueue("b").ok());
  EXPECT_EQ(broker->Metrics().queues.size(), 1u);
  broker->Stop(absl::ZeroDuration());
  EXPECT_THAT(broker->Metrics().queues, IsEmpty());
}

TEST_F(MetricsTest, AQueueThatIsGoneHasNone) {
  const Queue queue = broker_.Make("jobs");
  broker_.Delete(queue);
  EXPECT_EQ(AwsCode(queue.Metrics().status()), "AWS.SimpleQueueService.NonExistentQueue");
  EXPECT_EQ(AwsCode(Queue().Metrics().status()), "AWS.SimpleQueueService.NonExistentQueue");
}

}  // namespace
}  // namespace banyan::internal
