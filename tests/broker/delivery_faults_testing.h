// SPDX-License-Identifier: Apache-2.0
//
// The world of delivery_faults_test.cc, and the model that judges it.
//
// An edge is one subscription of a topic or one target of a rule. What it was to deliver is known to
// the test, message by message; so is what was seen at its end (a queue, a function) and in its
// dead-letter queue, and what the log says was dropped. Nothing else is asked but the books:
//
//   to deliver = arrived + in the dead-letter queue + dropped + pending       each message in one
//
// with as many in each as DeliveryStats says. Every edge has an end and a dead-letter queue of its
// own, so that one message found twice is one message too many.
#ifndef BANYAN_TESTS_BROKER_DELIVERY_FAULTS_TESTING_H_
#define BANYAN_TESTS_BROKER_DELIVERY_FAULTS_TESTING_H_

#include <cstdint>
#include <map>
#include <memory>
#include <optional>
#include <random>
#include <set>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "absl/strings/numbers.h"
#include "absl/strings/str_split.h"
#include "banyan/broker.h"
#include "banyan/consumer.h"
#include "banyan/log.h"
#include "banyan/testing/matchers.h"
#include "banyan/testing/simulated_runtime.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"

namespace banyan {

// Every body has its message's name in it, between two '#'.
inline std::string NameIn(std::string_view text) {
  const size_t begin = text.find('#');
  const size_t end = begin == text.npos ? begin : text.find('#', begin + 1);
  return end == text.npos ? "" : std::string(text.substr(begin, end - begin + 1));
}

// What was accepted for an edge.
struct Accepted {
  int64_t order;  // among all that was accepted
  absl::Duration since;
  std::string group;  // FIFO topics
  bool even;
};

struct Edge {
  enum class End { kQueue, kFunction, kConsumer };
  // What a function does with a message.
  enum class Habit { kTakes, kFailsFirst, kFailsAlways, kTossesACoin, kIsSlow, kThrows };

  std::string name;
  End end = End::kQueue;
  Habit habit = Habit::kTakes;
  bool even_only = false;
  bool raw = true;
  bool to_fifo = false;
  RetryPolicy retry;

  // One of these two.
  std::optional<Subscription> subscription = std::nullopt;
  std::optional<Rule> rule = std::nullopt;

  Queue queue = {};
  Function function = {};
  Queue dead = {};
  std::optional<Consumer> consumer = std::nullopt;
  int64_t room = 0;  // of the queue

  bool is_open = true;       // gets what is published
  bool keeps_trying = true;  // its topic was not deleted
  bool end_is_there = true;
  absl::Duration end_went = absl::InfiniteDuration();  // uptime
  bool has_dead = true;                                // and it is there

  std::map<std::string, Accepted> to_deliver = {};
  std::set<std::string> arrived = {};  // and taken out of the queue, or taken by the function
  std::map<std::string, int64_t> attempts = {};
  std::map<std::string, absl::Duration> last_attempt = {};
  std::set<std::string> dropped = {};
  std::set<std::string> buried = {};  // with their dead-letter queue
  std::map<std::string, int64_t> latest_of_group = {};
  std::map<std::string, Received> held = {};
  std::set<std::string> letters = {};   // as last seen
  std::set<std::string> redriven = {};  // or were to be
  bool had_task = false;
  std::map<std::string, std::string> failed_of_group = {};  // of a consumer, until it comes again
  int64_t published = 0;                                    // while it was open
  Queue impostor = {};                                      // has the name of a deleted queue

  // A task takes also what came after it was started.
  bool MayBeRedriven(const std::string& message) const {
    return had_task || redriven.contains(message);
  }
  DeliveryStats Stats() const {
    if (subscription.has_value()) return subscription->Stats().delivery;
    const RuleStats stats = rule->Stats();
    return stats.targets.at(0).delivery;
  }
  std::string source_arn() const {
    return (subscription.has_value() ? subscription->arn() : rule->arn()).ToString();
  }
};

class FaultLog : public LogSink {
 public:
  void Write(const LogRecord& record) override {
    if (record.severity == LogSeverity::kError) {
      drops.emplace_back(std::string(record.resource), std::string(record.text));
    }
  }
  std::vector<std::pair<std::string, std::string>> drops;
};

class World {
 public:
  explicit World(uint64_t seed);
  ~World();

  // Something random.
  void Act();
  // Judges every edge.
  void Check();
  // Lets everything come to its end, which it must.
  void Settle();
  // Of all edges together.
  DeliveryStats Totals() const;
  // What Stop() says is left is what the books say.
  void Stop();

 private:
  struct Source {
    std::optional<Topic> topic = std::nullopt;
    std::optional<EventBus> bus = std::nullopt;
    bool fifo = false;
    bool is_there = true;
    std::vector<Edge*> edges = {};
  };

  uint64_t Draw(uint64_t below) { return random_() % below; }
  bool OneIn(uint64_t n) { return Draw(n) == 0; }
  RetryPolicy DrawRetry();
  void MakeEdge(Source* source);
  FunctionHandler HandlerOf(Edge* edge);
  MessageHandler ConsumerOf(Edge* edge);

  void Publish();
  void PublishAgain();
  void PutEvents();
  void Accept(Source* source, const std::string& name, const Id& id, bool even, std::string group);
  void Receive(Edge* edge);
  void DeleteHeld(Edge* edge);
  void DeleteEnd(Edge* edge);
  void DeleteDead(Edge* edge);
  void Redrive(Edge* edge);
  void Purge(Edge* edge);
  void Close(Edge* edge, Source* source);

  std::set<std::string> NamesResting(Edge* edge);
  void ReadLog();
  void CheckEdge(Edge* edge);
  void CheckLetters(Edge* edge, const std::vector<Received>& letters);
  void CheckPending(const Edge& edge, const std::set<std::string>& pending);
  void CheckInOrder(Edge* edge, const std::string& name);

  std::mt19937_64 random_;
  testing::SimulatedRuntime runtime_;
  FaultLog log_;
  std::optional<Broker> broker_;
  std::vector<std::unique_ptr<Source>> sources_;
  std::vector<std::unique_ptr<Edge>> edges_;
  Source* forwarding_ = nullptr;  // a bus whose events the other one gets, too
  int64_t accepted_ = 0;
  std::map<std::string, std::string> names_;  // by message id
  struct Said {
    absl::Duration when;
    std::string deduplication_id, group;
    Id id;
  };
  std::map<Source*, Said> last_said_;  // to a FIFO topic
};

}  // namespace banyan

#endif  // BANYAN_TESTS_BROKER_DELIVERY_FAULTS_TESTING_H_
