// SPDX-License-Identifier: Apache-2.0
#include "delivery_faults_testing.h"

#include <algorithm>
#include <stdexcept>

#include "absl/strings/str_cat.h"

namespace banyan {

using ::testing::IsEmpty;
using End = Edge::End;
using Habit = Edge::Habit;

namespace {

constexpr absl::Duration kVisibility = absl::Seconds(20);

Limits WithNamesFreeAtOnce() {
  Limits limits = Limits::Aws();
  limits.queue.recreate_after = absl::ZeroDuration();
  return limits;
}

std::string AttributeOf(const Received& received, std::string_view name) {
  const AttributeValue* value = received.attributes().Find(name);
  return value == nullptr ? "" : value->value;
}

// How long the retries of a policy can take in all.
absl::Duration LongestRetries(const RetryPolicy& retry) {
  absl::Duration all, bound = retry.backoff_first;
  for (int64_t i = 0; i < retry.retries_max && all < retry.age_max; ++i) {
    all += bound;
    bound = std::min(2 * bound, retry.backoff_max);
  }
  return std::min(all, retry.age_max);
}

}  // namespace

// --- The world

World::World(uint64_t seed)
    : random_(seed),
      runtime_({.seed = seed, .shuffle = true}),
      broker_(Broker::Create(runtime_, {.limits = WithNamesFreeAtOnce(), .log = &log_}).value()) {
  const auto add = [this](Source source) {
    sources_.push_back(std::make_unique<Source>(std::move(source)));
    return sources_.back().get();
  };
  add({.topic = broker_->CreateTopic("t0").value()});
  add({.topic = broker_->CreateTopic("t1").value()});
  add({.topic = broker_->CreateTopic("f.fifo", {.fifo = true}).value(), .fifo = true});
  Source* second = add({.bus = broker_->CreateEventBus("b1").value()});
  Source* first = add({.bus = broker_->CreateEventBus("b0").value()});
  for (const auto& source : sources_) {
    for (uint64_t n = 1 + Draw(3); n > 0; --n) MakeEdge(source.get());
  }
  if (OneIn(2)) {
    first->bus->PutRule("forward", {.pattern = R"({"source":["s"]})", .targets = {*second->bus}})
        .value();
    forwarding_ = first;
  }
}

World::~World() {
  for (const auto& edge : edges_) edge->consumer.reset();
  broker_.reset();
}

RetryPolicy World::DrawRetry() {
  RetryPolicy retry;
  retry.retries_max = std::vector<int64_t>{0, 1, 3, 60}[Draw(4)];
  retry.age_max = OneIn(2) ? absl::Minutes(1) : absl::Hours(24);
  retry.backoff_first = absl::Milliseconds(1 + Draw(2'000));
  retry.backoff_max = retry.backoff_first + absl::Milliseconds(Draw(10'000));
  return retry;
}

void World::MakeEdge(Source* source) {
  Edge* edge = edges_.emplace_back(std::make_unique<Edge>()).get();
  source->edges.push_back(edge);
  edge->name = absl::StrCat("e", edges_.size());
  edge->even_only = OneIn(3);
  edge->retry = DrawRetry();
  edge->room = OneIn(2) ? static_cast<int64_t>(1 + Draw(5)) : 10'000;
  edge->has_dead = !OneIn(4);
  if (source->fifo) {
    edge->to_fifo = !OneIn(3);
    edge->end = edge->to_fifo && OneIn(2) ? End::kConsumer : End::kQueue;
  } else {
    edge->end = OneIn(2) ? End::kFunction : End::kQueue;
    edge->to_fifo = source->bus.has_value() && edge->end == End::kQueue && OneIn(3);
  }
  const bool called_inline = edge->end == End::kFunction && source->topic.has_value() && OneIn(3);
  if (edge->end == End::kFunction) {
    const Habit habits[] = {Habit::kTakes,       Habit::kFailsFirst, Habit::kFailsAlways,
                            Habit::kTossesACoin, Habit::kThrows,     Habit::kIsSlow};
    edge->habit = habits[Draw(called_inline ? 5 : 6)];
    edge->function =
        broker_
            ->CreateFunction(edge->name, {.concurrency = static_cast<int64_t>(1 + Draw(2))},
                             HandlerOf(edge))
            .value();
  } else {
    edge->queue =
        broker_
            ->CreateQueue(edge->name + (edge->to_fifo ? ".fifo" : ""),
                          {.visibility_timeout = kVisibility,
                           .fifo = edge->to_fifo,
                           .content_based_deduplication = source->bus.has_value() && edge->to_fifo,
                           .messages_max = edge->room})
            .value();
  }
  Target target = edge->end == End::kFunction ? Target(edge->function) : Target(edge->queue);
  target.Retry(edge->retry);
  if (edge->has_dead) {
    const bool fifo = edge->to_fifo && source->fifo;
    edge->dead =
        broker_->CreateQueue(edge->name + (fifo ? "-dead.fifo" : "-dead"), {.fifo = fifo}).value();
    target.DeadLetter(edge->dead);
  }
  if (edge->end == End::kConsumer) {
    edge->consumer = Consumer::Start(edge->queue,
                                     {.batch_size = static_cast<int64_t>(1 + Draw(4)),
                                      .concurrency = 2,
                                      .retry = Retry{absl::Milliseconds(100), absl::Seconds(5)}},
                                     ConsumerOf(edge))
                         .value();
  }
  if (source->topic.has_value()) {
    edge->raw = OneIn(2);
    edge->subscription =
        source->topic
            ->Subscribe(target, {.filter_policy = edge->even_only ? R"({"even":["yes"]})" : "",
                                 .raw = edge->raw,
                                 .call_inline = called_inline})
            .value();
    return;
  }
  if (edge->to_fifo) target.MessageGroupId("g");
  if (OneIn(3)) target.InputTransformer({{"n", "$.detail.n"}}, R"("it is <n>")");
  edge->rule =
      source->bus
          ->PutRule(edge->name,
                    {.pattern = edge->even_only ? R"({"source":["s"],"detail":{"even":["yes"]}})"
                                                : R"({"source":["s"]})",
                     .targets = {target}})
          .value();
}

FunctionHandler World::HandlerOf(Edge* edge) {
  return [this, edge](const FunctionEvent& event) -> absl::Status {
    const std::string name = NameIn(event.body);
    EXPECT_FALSE(edge->arrived.contains(name)) << edge->name << " has taken " << name;
    int64_t& attempts = edge->attempts[name];
    EXPECT_TRUE(event.attempt == attempts + 1 || (event.attempt == 1 && edge->MayBeRedriven(name)))
        << edge->name << " " << name << ": " << event.attempt << " after " << attempts;
    attempts = event.attempt;
    edge->last_attempt[name] = runtime_.Read().uptime();
    switch (edge->habit) {
      case Habit::kFailsFirst:
        if (event.attempt <= 2) return absl::UnavailableError("not yet");
        break;
      case Habit::kFailsAlways:  // whatever the code, it is not the function that is gone
        return absl::Status(
            OneIn(2) ? absl::StatusCode::kNotFound : absl::StatusCode::kInvalidArgument, "never");
      case Habit::kTossesACoin:
        if (OneIn(2)) return absl::InternalError("tails");
        break;
      case Habit::kThrows:
#if defined(__cpp_exceptions)
        if (OneIn(2)) throw std::runtime_error("thrown");
#endif
        break;
      case Habit::kIsSlow:
        runtime_.Advance(absl::Milliseconds(Draw(2'000)));
        break;
      case Habit::kTakes:
        break;
    }
    edge->arrived.insert(name);
    return absl::OkStatus();
  };
}

// What fails comes again before all that is behind it in its group.
MessageHandler World::ConsumerOf(Edge* edge) {
  return [this, edge](const Received& received) -> absl::Status {
    const std::string name = NameIn(received.body());
    const std::string group(received.message_group_id());
    std::string& failed = edge->failed_of_group[group];
    EXPECT_TRUE(failed.empty() || failed == name)
        << edge->name << " " << name << ", not " << failed;
    failed = OneIn(4) ? name : "";
    if (!failed.empty()) return absl::InternalError("not today");
    EXPECT_TRUE(edge->arrived.insert(name).second) << edge->name << " handled " << name << " twice";
    CheckInOrder(edge, name);
    return absl::OkStatus();
  };
}

// --- What happens

void World::Act() {
  Edge* edge = edges_[Draw(edges_.size())].get();
  Source* source = sources_[Draw(sources_.size())].get();
  const uint64_t what = Draw(24);
  if (what < 5) return Publish();
  if (what < 6) return PublishAgain();
  if (what < 9) return PutEvents();
  if (what < 14) return static_cast<void>(runtime_.Advance(absl::Milliseconds(Draw(3'000))));
  if (what < 15) return static_cast<void>(runtime_.Advance(absl::Seconds(Draw(90))));
  if (what < 16) return runtime_.JumpWallClock(absl::Minutes(Draw(4'000)) - absl::Minutes(2'000));
  if (what < 18) return Receive(edge);
  if (what < 19) return DeleteHeld(edge);
  if (what < 20) return Redrive(edge);
  if (what < 21) return Purge(edge);
  if (!OneIn(3)) return;
  if (what < 22) return DeleteEnd(edge);
  if (what < 23) return DeleteDead(edge);
  Close(edge, source);
}

// When it returns the queues have what they have room for.
void World::Publish() {
  Source* source = sources_[Draw(3)].get();
  struct Before {
    Edge* edge;
    int64_t delivered, to_deliver;
  };
  std::vector<PublishRequest> requests;
  std::vector<std::string> names;
  for (uint64_t n = OneIn(3) ? 1 + Draw(10) : 1; n > 0; --n) {
    const int64_t number = ++accepted_;
    const std::string name = absl::StrCat("#", number, "#");
    names.push_back(name);
    PublishRequest& request = requests.emplace_back();
    request.body = name;
    request.attributes = {{"even", number % 2 == 0 ? "yes" : "no"}};
    if (!source->fifo) continue;
    request.message_group_id = absl::StrCat("g", Draw(3));
    request.message_deduplication_id = absl::StrCat("id", number);
  }
  std::vector<Before> with_room;
  for (Edge* edge : source->edges) {
    if (edge->end != End::kQueue || !edge->end_is_there) continue;
    const DeliveryStats stats = edge->Stats();
    if (edge->queue.Depth().total() + static_cast<int64_t>(names.size()) > edge->room) continue;
    if (source->fifo && stats.pending > 0) continue;
    with_room.push_back({edge, stats.delivered, static_cast<int64_t>(edge->to_deliver.size())});
  }
  const std::vector<PublishRequest> sent = requests;
  std::vector<absl::StatusOr<PublishResult>> answers;
  if (requests.size() == 1) {
    answers.push_back(source->topic->Publish(std::move(requests[0])));
  } else {
    auto batch = source->topic->PublishBatch(std::move(requests));
    EXPECT_EQ(batch.ok(), source->is_there) << batch.status();
    if (!batch.ok()) return;
    answers = *std::move(batch);
  }
  ASSERT_EQ(answers.size(), names.size());
  for (size_t i = 0; i < answers.size(); ++i) {
    ASSERT_EQ(answers[i].ok(), source->is_there) << answers[i].status();
    if (!answers[i].ok()) continue;
    Accept(source, names[i], answers[i]->message_id,
           sent[i].attributes == Attributes{{"even", "yes"}}, sent[i].message_group_id);
    if (source->fifo) {
      last_said_[source] = {runtime_.Read().uptime(), sent[i].message_deduplication_id,
                            sent[i].message_group_id, answers[i]->message_id};
    }
  }
  for (const Before& before : with_room) {
    EXPECT_EQ(before.edge->Stats().delivered - before.delivered,
              static_cast<int64_t>(before.edge->to_deliver.size()) - before.to_deliver)
        << before.edge->name << " had room";
  }
}

void World::PublishAgain() {
  for (auto& [source, said] : last_said_) {
    if (!source->is_there || runtime_.Read().uptime() - said.when >= absl::Minutes(5)) continue;
    const auto answer =
        source->topic->Publish({.body = "#again#",  // nobody is to see it
                                .attributes = {{"even", "yes"}},
                                .message_group_id = OneIn(2) ? said.group : "another",
                                .message_deduplication_id = said.deduplication_id});
    ASSERT_THAT(answer, testing::IsOk());
    EXPECT_EQ(answer->message_id, said.id);
  }
}

void World::PutEvents() {
  Source* source = sources_[3 + Draw(2)].get();
  std::vector<EventEntry> entries;
  std::vector<std::string> names;
  for (uint64_t n = OneIn(3) ? 1 + Draw(10) : 1; n > 0; --n) {
    const int64_t number = ++accepted_;
    names.push_back(absl::StrCat("#", number, "#"));
    EventEntry& entry = entries.emplace_back();
    entry.source = "s";
    entry.detail_type = "d";
    entry.detail = absl::StrCat(R"({"n":")", names.back(), R"(","even":")",
                                number % 2 == 0 ? "yes" : "no", OneIn(8) ? "\"" : "\"}");
  }
  const auto answers = source->bus->PutEvents(entries).value();
  for (size_t i = 0; i < answers.size(); ++i) {
    const bool is_json = entries[i].detail.ends_with('}');
    EXPECT_EQ(answers[i].ok(), is_json);
    if (!answers[i].ok()) continue;
    const bool even = entries[i].detail.find("yes") != std::string::npos;
    Accept(source, names[i], *answers[i], even, "");
    if (source == forwarding_) Accept(sources_[3].get(), names[i], *answers[i], even, "");
  }
}

void World::Accept(Source* source, const std::string& name, const Id& id, bool even,
                   std::string group) {
  names_[id.ToString()] = name;
  int64_t order = 0;
  EXPECT_TRUE(absl::SimpleAtoi(name.substr(1, name.size() - 2), &order));
  for (Edge* edge : source->edges) {
    if (!edge->is_open) continue;
    ++edge->published;
    if (edge->even_only && !even) continue;
    edge->to_deliver[name] = {order, runtime_.Read().uptime(), group, even};
  }
}

void World::Receive(Edge* edge) {
  if (edge->end != End::kQueue || !edge->end_is_there) return;
  const std::vector<Received> batch =
      edge->queue.Receive({.max_messages = static_cast<int64_t>(1 + Draw(10))}).value();
  for (const Received& one : batch) {
    const std::string name = NameIn(one.body());
    if (!edge->held.contains(name)) CheckInOrder(edge, name);
    edge->held[name] = one;
  }
  if (OneIn(2)) DeleteHeld(edge);
}

void World::DeleteHeld(Edge* edge) {
  for (auto it = edge->held.begin(); it != edge->held.end();) {
    // FIFO: not if its timeout has ended; it comes again then.
    const bool is_deleted = it->second.Delete().ok();
    EXPECT_TRUE(is_deleted || edge->to_fifo);
    if (is_deleted) edge->arrived.insert(it->first);
    it = is_deleted ? edge->held.erase(it) : std::next(it);
  }
}

void World::Purge(Edge* edge) {
  if (edge->end != End::kQueue || !edge->end_is_there) return;
  const std::set<std::string> there = NamesResting(edge);
  if (!edge->queue.Purge().ok()) return;  // too soon after another
  edge->arrived.insert(there.begin(), there.end());
  edge->held.clear();
}

// No more is published to it: a topic is deleted, a rule disabled (or enabled), or it unsubscribes.
void World::Close(Edge* edge, Source* source) {
  if (source->topic.has_value() && OneIn(2)) {
    EXPECT_THAT(broker_->DeleteTopic(source->topic->name()), testing::IsOk());
    source->is_there = false;
    for (Edge* its : source->edges) its->is_open = its->keeps_trying = false;
  } else if (edge->rule.has_value()) {
    edge->is_open = !edge->is_open;
    EXPECT_THAT(edge->is_open ? edge->rule->Enable() : edge->rule->Disable(), testing::IsOk());
  } else {
    EXPECT_THAT(edge->subscription->Unsubscribe(), testing::IsOk());
    edge->is_open = false;
  }
}

// In mid-delivery; and another one may take its name.
void World::DeleteEnd(Edge* edge) {
  if (!edge->end_is_there || edge->end == End::kConsumer) return;
  if (edge->end == End::kQueue) {
    const std::set<std::string> there = NamesResting(edge);
    edge->arrived.insert(there.begin(), there.end());
    edge->held.clear();
    ASSERT_THAT(broker_->DeleteQueue(edge->queue.name()), testing::IsOk());
    if (OneIn(2)) {
      edge->impostor = broker_
                           ->CreateQueue(edge->queue.name(), {.fifo = edge->to_fifo,
                                                              .content_based_deduplication = true})
                           .value_or(Queue());
    }
  } else {
    ASSERT_THAT(broker_->DeleteFunction(edge->name), testing::IsOk());
  }
  edge->end_is_there = false;
  edge->end_went = runtime_.Read().uptime();
}

void World::DeleteDead(Edge* edge) {
  if (!edge->has_dead) return;
  edge->buried.insert(edge->letters.begin(), edge->letters.end());
  edge->letters.clear();
  ASSERT_THAT(broker_->DeleteQueue(edge->dead.name()), testing::IsOk());
  edge->has_dead = false;
}

void World::Redrive(Edge* edge) {
  if (!edge->has_dead || edge->letters.empty()) return;
  edge->redriven.insert(edge->letters.begin(), edge->letters.end());
  if (OneIn(3)) {
    MessageMoveTaskOptions options = {.any_source = true};
    if (OneIn(2)) options.max_per_second = static_cast<int64_t>(1 + Draw(5));
    edge->dead.StartMessageMoveTask(options).IgnoreError();  // one may run
    edge->had_task = true;
    return;
  }
  const int64_t most = static_cast<int64_t>(1 + Draw(20));
  const bool has_way = edge->end_is_there && (edge->rule.has_value() || edge->is_open);
  const int64_t redelivered = edge->Stats().redelivered;
  const absl::StatusOr<int64_t> moved = edge->dead.Redrive(most);
  ASSERT_THAT(moved, testing::IsOk());
  // In a group's line it waits for others, and learns only then that the queue is gone.
  const bool may_wait = edge->to_fifo && edge->subscription.has_value() && edge->is_open;
  const int64_t all = std::min(most, static_cast<int64_t>(edge->letters.size()));
  EXPECT_TRUE(*moved == (has_way ? all : 0) || (!has_way && may_wait))
      << edge->name << " " << *moved;
  EXPECT_EQ(edge->Stats().redelivered - redelivered, *moved);
}

// --- How it is judged

void World::CheckInOrder(Edge* edge, const std::string& name) {
  const auto accepted = edge->to_deliver.find(name);
  ASSERT_NE(accepted, edge->to_deliver.end()) << edge->name << " " << name;
  // A bus knows no order, nor does what was given up once.
  if (!edge->to_fifo || edge->rule.has_value() || edge->MayBeRedriven(name)) return;
  int64_t& latest = edge->latest_of_group[accepted->second.group];
  EXPECT_GT(accepted->second.order, latest) << edge->name << " " << accepted->second.group;
  latest = accepted->second.order;
}

// In the queue at the end of the edge, visible or held.
std::set<std::string> World::NamesResting(Edge* edge) {
  std::set<std::string> names;
  const std::vector<Received> visible = edge->queue.Peek(10'000).value();
  for (const Received& one : visible) {
    EXPECT_TRUE(names.insert(NameIn(one.body())).second)
        << edge->name << " has " << one.body() << " twice";
  }
  for (const auto& [name, received] : edge->held) names.insert(name);
  EXPECT_EQ(edge->queue.Depth().total(), static_cast<int64_t>(names.size())) << edge->name;
  return names;
}

// "dropped message ID for ARN ..."
void World::ReadLog() {
  for (const auto& [source, text] : log_.drops) {
    const std::vector<std::string> words = absl::StrSplit(text, ' ');
    ASSERT_GT(words.size(), 4u) << text;
    const std::string& name = names_[words[2]];
    int edges = 0;
    for (const auto& edge : edges_) {
      const Arn& end = edge->end == End::kFunction ? edge->function.arn() : edge->queue.arn();
      if (edge->source_arn() != source || end.ToString() != words[4]) continue;
      ++edges;
      EXPECT_FALSE(edge->has_dead) << edge->name << ": " << text;
      EXPECT_TRUE(edge->dropped.insert(name).second) << text;
    }
    EXPECT_EQ(edges, 1) << text;
  }
  log_.drops.clear();
}

void World::Check() {
  ReadLog();
  for (const auto& edge : edges_) CheckEdge(edge.get());
}

void World::CheckEdge(Edge* edge) {
  SCOPED_TRACE(edge->name);
  std::set<std::string> letters;
  if (edge->has_dead) {
    const std::vector<Received> there = edge->dead.Peek(10'000).value();
    for (const Received& letter : there) {
      EXPECT_TRUE(letters.insert(NameIn(letter.body())).second) << letter.body();
    }
    CheckLetters(edge, there);
  }
  edge->letters = letters;

  std::set<std::string> arrived = edge->arrived;
  int64_t unseen = 0;  // in a queue that a consumer empties
  if (edge->end == End::kQueue && edge->end_is_there) arrived.merge(NamesResting(edge));
  if (edge->end == End::kConsumer) unseen = edge->queue.Depth().total();
  EXPECT_EQ(edge->impostor.Depth().total(), 0) << "it only has the name";

  // Each in one place, and what is nowhere is pending.
  std::set<std::string> pending;
  for (const auto& [name, accepted] : edge->to_deliver) pending.insert(name);
  for (const std::set<std::string>* place : {&arrived, &letters, &edge->dropped, &edge->buried}) {
    for (const std::string& name : *place) {
      EXPECT_EQ(pending.erase(name), 1u)
          << name << (edge->to_deliver.contains(name) ? " is in two places" : " is not for it");
    }
  }
  const auto count = [](const auto& set) { return static_cast<int64_t>(set.size()); };
  const DeliveryStats stats = edge->Stats();
  EXPECT_EQ(stats.matched, stats.delivered + stats.dead_lettered + stats.dropped + stats.pending);
  EXPECT_EQ(stats.matched, count(edge->to_deliver) + stats.redelivered);
  EXPECT_EQ(stats.delivered, count(arrived) + unseen);
  EXPECT_EQ(stats.dead_lettered, count(letters) + count(edge->buried) + stats.redelivered);
  EXPECT_EQ(stats.dropped, count(edge->dropped));
  EXPECT_EQ(stats.pending, count(pending) - unseen);
  if (edge->subscription.has_value()) {
    EXPECT_EQ(edge->subscription->Stats().filtered, edge->published - count(edge->to_deliver));
  }
  CheckPending(*edge, pending);
}

// Only what has used up its attempts, or what no attempt can bring, is given up.
void World::CheckLetters(Edge* edge, const std::vector<Received>& letters) {
  const absl::Duration now = runtime_.Read().uptime();
  for (const Received& letter : letters) {
    const std::string name = NameIn(letter.body());
    const auto found = edge->to_deliver.find(name);
    ASSERT_NE(found, edge->to_deliver.end()) << letter.body();
    const Accepted& accepted = found->second;
    const bool is_new = !edge->letters.contains(name);
    const bool is_enveloped = edge->end == End::kFunction || !edge->raw;
    if (edge->subscription.has_value() && is_enveloped) {
      EXPECT_TRUE(letter.body().starts_with("{\n  \"Type\" : \"Notification\"")) << letter.body();
      EXPECT_TRUE(letter.attributes().empty());
    } else if (edge->subscription.has_value()) {
      EXPECT_EQ(letter.body(), name);
      EXPECT_EQ(letter.attributes(), (Attributes{{"even", accepted.even ? "yes" : "no"}}));
    }
    if (edge->subscription.has_value() && edge->to_fifo) {
      EXPECT_EQ(letter.message_group_id(), accepted.group);
      EXPECT_EQ(letter.deduplication_id(), absl::StrCat("id", accepted.order));
    }
    // By its own words, those of a rule.
    if (edge->rule.has_value()) {
      EXPECT_TRUE(letter.body().starts_with("{\"version\":\"0\"")) << letter.body();
      EXPECT_EQ(AttributeOf(letter, "RULE_ARN"), edge->source_arn());
      const std::string ended_by = AttributeOf(letter, "EXHAUSTED_RETRY_CONDITION");
      const std::string retries = AttributeOf(letter, "RETRY_ATTEMPTS");
      if (accepted.since > edge->end_went) {
        EXPECT_EQ(ended_by, "") << "no retry could mend it";
        EXPECT_EQ(retries, "0");
      }
      if (ended_by == "MaximumRetryAttempts") {
        EXPECT_EQ(retries, absl::StrCat(edge->retry.retries_max));
      } else if (ended_by == "MaximumEventAgeInSeconds") {
        EXPECT_GE(now - accepted.since, edge->retry.age_max);
      } else {
        EXPECT_FALSE(edge->end_is_there);
        EXPECT_EQ(AttributeOf(letter, "ERROR_CODE"), "NO_RESOURCE");
      }
    }
    if (!is_new || !edge->end_is_there || !edge->keeps_trying) continue;
    // By what its end saw.
    if (edge->end == End::kFunction) {
      EXPECT_TRUE(edge->attempts[name] == edge->retry.retries_max + 1 ||
                  edge->last_attempt[name] - accepted.since >= edge->retry.age_max)
          << name << " after " << edge->attempts[name];
    } else if (edge->end == End::kQueue) {
      EXPECT_GE(edge->queue.Depth().total(), edge->room) << "why was " << name << " given up?";
    }
  }
}

// And nothing is kept beyond its attempts.
void World::CheckPending(const Edge& edge, const std::set<std::string>& pending) {
  if (edge.end == End::kConsumer) return;
  const absl::Duration now = runtime_.Read().uptime();
  for (const std::string& name : pending) {
    if (edge.MayBeRedriven(name)) continue;
    const Accepted& accepted = edge.to_deliver.at(name);
    const bool waits_for_others = edge.to_fifo && edge.subscription.has_value();
    EXPECT_TRUE(accepted.since <= edge.end_went || waits_for_others) << name;
    if (edge.end == End::kFunction) {
      const auto attempts = edge.attempts.find(name);
      if (attempts == edge.attempts.end()) continue;
      EXPECT_LE(attempts->second, edge.retry.retries_max) << name;
    } else if (!waits_for_others) {
      EXPECT_LE(now - accepted.since, LongestRetries(edge.retry)) << name;
    }
    EXPECT_TRUE(edge.keeps_trying || edge.end == End::kFunction) << name;
  }
}

void World::Settle() {
  for (int minute = 0; minute < 40; ++minute) {
    for (const auto& edge : edges_) {
      if (edge->end != End::kQueue || !edge->end_is_there) continue;
      for (;;) {
        const std::vector<Received> batch = edge->queue.Receive({.max_messages = 10}).value();
        if (batch.empty()) break;
        for (const Received& one : batch) {
          const std::string name = NameIn(one.body());
          if (!edge->held.contains(name)) CheckInOrder(edge.get(), name);
          EXPECT_THAT(one.Delete(), testing::IsOk());
          edge->held.erase(name);
          edge->arrived.insert(name);
        }
      }
    }
    runtime_.Advance(absl::Minutes(1));
    Check();
  }
  for (const auto& edge : edges_) {
    EXPECT_EQ(edge->Stats().pending, 0) << edge->name;
    EXPECT_TRUE(edge->end != End::kConsumer || edge->queue.Depth().total() == 0) << edge->name;
  }
}

DeliveryStats World::Totals() const {
  DeliveryStats all;
  for (const auto& edge : edges_) all += edge->Stats();
  return all;
}

void World::Stop() {
  int64_t pending = 0, resting = 0;
  for (const auto& edge : edges_) {
    edge->consumer.reset();
    if (edge->keeps_trying) pending += edge->Stats().pending;
  }
  for (const Queue& queue : broker_->ListQueues()) resting += queue.Depth().total();
  const StopReport report = broker_->Stop(absl::ZeroDuration());
  EXPECT_EQ(report.calls_running, 0);
  EXPECT_EQ(report.deliveries_pending, pending);
  EXPECT_EQ(report.messages_resting, resting);
}

}  // namespace banyan
