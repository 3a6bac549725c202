// SPDX-License-Identifier: Apache-2.0
#include "model_run.h"

#include <algorithm>
#include <cstdlib>

#include "banyan/testing/seed_reporter.h"
#include "base/hash.h"
#include "base/strings.h"

namespace banyan::internal {
namespace {

std::string LabelText(const Received& one) {
  const AttributeValue* label = one.attributes().Find("n");
  return label == nullptr ? "?" : label->value;
}

std::string Text(absl::Duration d) { return absl::FormatDuration(d); }

std::string BodyFromPool(int i) { return StrCat("body-", i); }

}  // namespace

ModelRun::ModelRun(uint64_t seed)
    : random_(seed), runtime_({.seed = seed, .shuffle = true}), broker_(runtime_) {}

size_t ModelRun::AddQueue(const std::string& queue_name, const QueueOptions& options) {
  real_.push_back(broker_.Make(queue_name, options));
  redrives_.push_back(options.redrive);
  return model_.AddQueue(real_.back().arn(), options);
}

RedrivePolicy ModelRun::DeadLettersTo(size_t queue, int64_t max_receive_count) const {
  return {model_.queues[queue].arn, max_receive_count};
}

bool ModelRun::IsDeadLetterQueue(size_t queue) const {
  return std::any_of(redrives_.begin(), redrives_.end(), [&](const auto& redrive) {
    return redrive.has_value() && redrive->dead_letter == model_.queues[queue].arn;
  });
}

void ModelRun::Steps(int steps) {
  for (int i = 1; i <= steps; ++i) {
    Step();
    Compare();
    if (::testing::Test::HasFailure()) {
      std::string text = StrCat("step ", i, " failed. What was done:\n");
      for (size_t j = log_.size() - std::min<size_t>(log_.size(), 20); j < log_.size(); ++j) {
        StrAppend(&text, "  ", log_[j], "\n");
      }
      ADD_FAILURE() << text << "What rests in the model:\n" << model_.Describe();
      return;
    }
  }
}

void ModelRun::Step() {
  size_t queue = DrawQueue();
  const int choice = Draw(100);
  if (choice < 21) return MoveTime();
  if (choice < 43) {
    // Dead-letter queues live mainly on what others send them.
    if (IsDeadLetterQueue(queue) && Draw(3) > 0) queue = real_.size() - 1;
    return choice < 37 ? Send(queue) : SendBatch(queue);
  }
  if (choice < 63) return Receive(queue, DrawAttemptId(queue));
  if (choice < 66 && last_named_receive_.has_value()) {
    return Receive(last_named_receive_->first, last_named_receive_->second);
  }
  if (choice < 70) return DeleteBatch(queue);
  if (choice < 74) return ChangeVisibilityBatch(queue);
  if (choice < 77) return Peek(queue);
  if (choice < 81) return SetOptions(queue);
  if (choice < 84) return Redrive(queue);
  if (choice < 85) return Draw(4) == 0 ? Purge(queue) : real_[queue].Trim();
  const std::optional<size_t> handle = DrawHandle();
  if (!handle.has_value()) return Send(queue);
  if (choice < 92) return Delete(*handle);
  if (choice < 98) return ChangeVisibility(*handle);
  return MoveToDeadLetterQueue(*handle);
}

std::string ModelRun::DrawAttemptId(size_t queue) {
  return model_.IsFifo(queue) && Draw(3) == 0 ? StrCat("attempt-", Draw(3)) : "";
}

std::optional<size_t> ModelRun::DrawHandle() {
  if (received_.empty()) return std::nullopt;
  // Often the latest of a message that still rests somewhere; else any that was ever given out,
  // most often a recent one.
  std::vector<size_t> latest;
  for (const ModelMessage& m : model_.messages) {
    if (m.queue != kNowhere && m.handle != kNowhere) latest.push_back(m.handle);
  }
  if (!latest.empty() && Draw(2) == 0) {
    return latest[static_cast<size_t>(Draw(static_cast<int>(latest.size())))];
  }
  const size_t back = static_cast<size_t>(Draw(Draw(3) > 0 ? 10 : 1'000'000)) % received_.size();
  return received_.size() - 1 - back;
}

void ModelRun::LogReceived(const std::vector<Received>& got) {
  std::string text;
  for (const Received& one : got) StrAppend(&text, " ", LabelText(one));
  LogAnswer(got.empty() ? "nothing" : "messages", text);
}

// --- time -------------------------------------------------------------------------------------

void ModelRun::MoveTime() {
  absl::Duration by = absl::Seconds(Draw(6));
  std::vector<absl::Duration> deadlines = model_.Deadlines();
  std::sort(deadlines.begin(), deadlines.end());
  deadlines.erase(std::unique(deadlines.begin(), deadlines.end()), deadlines.end());
  if (Draw(10) > 0) {  // only those that are near, so that not everything expires
    const absl::Duration near = Now() + absl::Seconds(40);
    deadlines.erase(std::upper_bound(deadlines.begin(), deadlines.end(), near), deadlines.end());
  }
  if (Draw(100) == 0) {
    by = DrawOf({absl::Minutes(5), absl::Hours(1), absl::Hours(13), absl::Hours(100)});
  } else if (Draw(4) > 0 && !deadlines.empty()) {
    const int count = static_cast<int>(deadlines.size());
    const int which = Draw(8) == 0 ? Draw(count) : std::min(count - 1, Draw(4));
    by = deadlines[static_cast<size_t>(which)] - Now();
    if (Draw(4) == 0) by -= absl::Nanoseconds(1);  // may be no move at all
  }
  runtime_.Advance(by);
  model_.BringUpTo(Now());
  Log("is now, after ", Text(by));
}

// --- in ---------------------------------------------------------------------------------------

SendRequest ModelRun::DrawSend(size_t queue, int64_t label) {
  SendRequest request;
  // The label takes no part in content-based deduplication, as it is no part of the body.
  request.attributes = {{"n", StrCat(label)}};
  if (!model_.IsFifo(queue)) {
    request.body = std::string(static_cast<size_t>(1 + Draw(30)), 'b');
    if (Draw(3) == 0) request.delay = absl::Seconds(Draw(15));
    if (Draw(3) == 0) request.message_group_id = StrCat("tenant-", Draw(3));
    switch (Draw(60)) {
      case 0:
        request.body = "";
        break;
      case 1:
        request.message_deduplication_id = "not-here";
        break;
      case 2:
        request.delay = absl::Minutes(15) + absl::Nanoseconds(1);
    }
    return request;
  }
  request.body = Draw(2) == 0 ? BodyFromPool(Draw(4)) : StrCat("only-", label);
  // Groups bear the name of their queue, so that two queues with one dead-letter queue do not write
  // to one group there at one instant, in an order that nobody promises.
  const size_t owner = redrives_[queue].has_value() ? queue : DrawQueue();
  request.message_group_id = StrCat(name(owner), "/", Draw(3));
  const bool by_content = model_.queues[queue].options.content_based_deduplication;
  switch (Draw(8)) {
    case 0:
    case 1:
      request.message_deduplication_id = StrCat("id-", Draw(4));
      break;
    case 2:  // what another message has by its content
      request.message_deduplication_id = Sha256Hex(BodyFromPool(Draw(4)));
      break;
    case 3:
    case 4:
      if (by_content || Draw(8) == 0) break;
      [[fallthrough]];
    default:
      request.message_deduplication_id = StrCat("id-only-", label);
  }
  switch (Draw(60)) {
    case 0:
      request.body = "";
      break;
    case 1:
      request.message_group_id = "";
      request.message_deduplication_id = "id-1";
      break;
    case 2:
      request.delay = absl::Seconds(1);
      break;
    case 3:
    case 4:
    case 5:
      request.delay = absl::ZeroDuration();
  }
  return request;
}

void ModelRun::CheckSent(const ModelSent& expected, const absl::StatusOr<SendResult>& sent) {
  ASSERT_EQ(AwsCode(sent.status()), expected.code) << sent.status();
  if (!sent.ok()) return;
  ModelMessage& m = model_.messages[expected.message];
  if (expected.duplicate) {
    ASSERT_EQ(sent->message_id, m.answered.message_id) << "not the id of the original";
    ASSERT_EQ(sent->sequence_number, m.answered.sequence_number);
    return;
  }
  ASSERT_TRUE(ids_.insert(sent->message_id).second) << "an id twice";
  m.id = sent->message_id;
  m.answered = *sent;
  if (model_.IsFifo(m.queue)) {
    uint64_t& last = last_sequences_[{m.queue, m.group}];
    ASSERT_GE(sent->sequence_number, 10'000'000'000'000'000'000u) << "not twenty digits";
    ASSERT_GT(sent->sequence_number, last);
    last = sent->sequence_number;
    m.sequence = last;
  } else {
    ASSERT_EQ(sent->sequence_number, 0u);
  }
}

void ModelRun::Send(size_t queue) {
  const int64_t label = next_label_++;
  SendRequest request = DrawSend(queue, label);
  Log("Send ", label, " to ", name(queue), ": body '", request.body.view(), "' group '",
      request.message_group_id, "' id '", request.message_deduplication_id, "'",
      request.delay.has_value() ? " delay " + Text(*request.delay) : "");
  const ModelSent expected = model_.Send(queue, request, label);
  const absl::StatusOr<SendResult> sent = real_[queue].Send(std::move(request));
  LogAnswer(AwsCode(sent.status()));
  CheckSent(expected, sent);
}

void ModelRun::SendBatch(size_t queue) {
  const int size = Draw(20) == 0 ? DrawOf({0, 11}) : 1 + Draw(5);
  std::vector<SendRequest> requests;
  const int64_t first = next_label_;
  for (int i = 0; i < size; ++i) requests.push_back(DrawSend(queue, next_label_++));
  Log("SendBatch ", first, " to ", next_label_ - 1, " to ", name(queue), ":");
  for (const SendRequest& r : requests) {
    StrAppend(&log_.back(), " [body '", r.body.view(), "' group '", r.message_group_id, "' id '",
              r.message_deduplication_id, "'", r.delay ? " delay " + Text(*r.delay) : "", "]");
  }
  const std::string fault = model_.BatchFault(queue, requests);
  const auto sent = real_[queue].SendBatch(requests);
  LogAnswer(AwsCode(sent.status()));
  ASSERT_EQ(AwsCode(sent.status()), fault);
  if (!sent.ok()) return;
  ASSERT_EQ(sent->size(), requests.size());
  // A message that was dropped for a later one of its batch has an answer, too; so answers are
  // looked at as the model takes the requests, one by one.
  for (size_t i = 0; i < requests.size(); ++i) {
    LogAnswer(AwsCode((*sent)[i].status()));
    const ModelSent expected = model_.Send(queue, requests[i], first + static_cast<int64_t>(i));
    ASSERT_NO_FATAL_FAILURE(CheckSent(expected, (*sent)[i])) << "entry " << i;
  }
}

// --- out --------------------------------------------------------------------------------------

// What was received, as messages of the model that rest in this queue.
std::vector<size_t> ModelRun::Identify(size_t queue, const std::vector<Received>& got) {
  std::vector<size_t> messages;
  for (const Received& one : got) {
    ModelMessage* m = model_.Find(std::strtoll(LabelText(one).c_str(), nullptr, 10));
    if (m == nullptr || m->queue != queue) {
      ADD_FAILURE() << "message " << LabelText(one) << " does not rest in " << name(queue);
      return {};
    }
    if (!m->id.has_value()) {  // redriven
      EXPECT_TRUE(ids_.insert(one.id()).second) << "a redriven message has a new id";
      m->id = one.id();
    }
    if (model_.IsFifo(queue) && !m->sequence.has_value()) LearnSequence(*m, one.sequence_number());
    messages.push_back(static_cast<size_t>(m - model_.messages.data()));
  }
  return messages;
}

// Of a message that came from another queue: it fits in where it arrived in its group.
void ModelRun::LearnSequence(ModelMessage& m, uint64_t sequence) {
  EXPECT_GE(sequence, 10'000'000'000'000'000'000u) << "not twenty digits";
  for (const ModelMessage& other : model_.messages) {
    if (other.queue != m.queue || other.group != m.group || !other.sequence.has_value()) continue;
    EXPECT_EQ(sequence < *other.sequence, m.arrived < other.arrived)
        << "sequence numbers of " << m.label << " and " << other.label;
  }
  m.sequence = sequence;
}

void ModelRun::Receive(size_t queue, const std::string& attempt_id) {
  if (model_.ReplayIsOpen(queue, attempt_id)) return;
  const QueueOptions& queue_options = model_.queues[queue].options;
  ReceiveOptions options{.max_messages = Draw(3) == 0 ? 10 : 1 + Draw(4)};
  if (Draw(3) == 0) {
    options.visibility_timeout = Draw(10) == 0 ? absl::Hours(12) : absl::Seconds(Draw(12));
  }
  if (Draw(8) == 0) options.wait = absl::Seconds(Draw(4) == 0 ? 20 : Draw(5));
  options.receive_request_attempt_id = attempt_id;
  const absl::Duration visibility =
      options.visibility_timeout.value_or(queue_options.visibility_timeout);
  const absl::Duration wait = options.wait.value_or(queue_options.receive_wait);
  Log("Receive from ", name(queue), ": at most ", options.max_messages, ", hidden for ",
      Text(visibility), ", wait ", Text(wait), attempt_id.empty() ? "" : ", by ", attempt_id);

  if (!attempt_id.empty()) {
    if (ModelAttempt* attempt = model_.FindReplay(queue, attempt_id)) {
      const absl::StatusOr<std::vector<Received>> got = real_[queue].Receive(options);
      ASSERT_TRUE(got.ok()) << got.status();
      LogReceived(*got);
      return CheckReplay(*attempt, *got, visibility);
    }
  }

  const absl::Duration before = Now();
  const std::optional<absl::Duration> when = model_.WhenReceivable(queue, before + wait);
  const absl::StatusOr<std::vector<Received>> got = real_[queue].Receive(options);
  const absl::Duration returned = Now();
  if (!model_.IsFifo(queue) && wait == absl::ZeroDuration() && model_.Room(queue) == 0) {
    LogAnswer(AwsCode(got.status()));
    // That an empty queue at its limit says so, too, is not said.
    if (model_.Stats(queue).depth.visible > 0 || !got.ok()) {
      ASSERT_EQ(AwsCode(got.status()), "OverLimit");
      return;
    }
  }
  ASSERT_TRUE(got.ok()) << got.status();
  LogReceived(*got);
  ASSERT_EQ(returned, when.value_or(before + wait)) << "returned too early or too late";
  model_.BringUpTo(returned);
  if (returned > before) runtime_.RunUntilIdle();  // what else is due at this instant
  const std::vector<size_t> messages = Identify(queue, *got);
  ASSERT_EQ(messages.size(), got->size());

  const std::vector<size_t> receivable = model_.Receivable(queue);
  const size_t most = std::min({receivable.size(), static_cast<size_t>(options.max_messages),
                                static_cast<size_t>(model_.Room(queue))});
  // A poll that waited takes the first that come; there may be more at the same instant.
  ASSERT_LE(messages.size(), most);
  ASSERT_GE(messages.size(), returned > before ? std::min<size_t>(most, 1) : most);
  std::vector<size_t> handles;
  for (size_t i = 0; i < messages.size(); ++i) {
    const ModelMessage& m = model_.messages[messages[i]];
    if (model_.IsFifo(queue)) {
      ASSERT_EQ(m.label, model_.messages[receivable[i]].label) << "out of order at " << i;
    } else {
      ASSERT_TRUE(model_.IsVisible(m)) << m.label << " is hidden";
    }
    ASSERT_EQ(std::count(messages.begin(), messages.end(), messages[i]), 1) << "twice in one";
  }
  for (size_t i = 0; i < messages.size(); ++i) {
    handles.push_back(model_.Receive(messages[i], visibility));
    ASSERT_NO_FATAL_FAILURE(CheckReceived((*got)[i], model_.messages[messages[i]]));
    ASSERT_TRUE(handle_texts_.insert((*got)[i].receipt_handle()).second) << "a handle twice";
    received_.push_back((*got)[i]);
  }
  if (messages.empty()) ++model_.queues[queue].books.empty_receives;
  if (!attempt_id.empty()) {
    model_.NameReceive(queue, attempt_id, handles);
    last_named_receive_ = {queue, attempt_id};
  }
  model_.BringUpTo(Now());
}

void ModelRun::CheckReplay(ModelAttempt& attempt, const std::vector<Received>& got,
                           absl::Duration visibility) {
  ASSERT_EQ(got.size(), attempt.handles.size()) << "a replay";
  for (size_t i = 0; i < got.size(); ++i) {
    const size_t handle = attempt.handles[i];
    const ModelMessage& m = model_.messages[model_.handles[handle].message];
    ASSERT_EQ(LabelText(got[i]), StrCat(m.label));
    ASSERT_EQ(got[i].receipt_handle(), received_[handle].receipt_handle());
    ASSERT_NO_FATAL_FAILURE(CheckReceived(got[i], m));
  }
  model_.Replay(attempt, visibility);
}

void ModelRun::CheckReceived(const Received& one, const ModelMessage& m) {
  const absl::Time start = testing::SimulationOptions().start;
  ASSERT_EQ(one.id(), *m.id);
  ASSERT_EQ(one.body(), m.body);
  ASSERT_EQ(one.message_group_id(), m.group);
  ASSERT_EQ(one.receive_count(), m.receive_count);
  ASSERT_EQ(one.sent_time(), start + m.sent);
  ASSERT_EQ(one.first_receive_time(), start + *m.first_received);
  ASSERT_EQ(one.dead_letter_source().value_or(""),
            m.source.has_value() ? model_.queues[*m.source].arn.ToString() : "");
  if (m.reason.has_value()) {
    ASSERT_EQ(one.dead_letter_reason(), *m.reason);
  }
  if (!model_.IsFifo(m.queue)) {
    ASSERT_EQ(one.sequence_number(), 0u);
    return;
  }
  ASSERT_EQ(one.sequence_number(), *m.sequence);
  if (m.deduplication_id.has_value()) {
    ASSERT_EQ(one.deduplication_id(), *m.deduplication_id);
  }
}

void ModelRun::Peek(size_t queue) {
  const int64_t most = 1 + Draw(6);
  Log("Peek at ", most, " of ", name(queue));
  const absl::StatusOr<std::vector<Received>> seen = real_[queue].Peek(most);
  ASSERT_TRUE(seen.ok()) << seen.status();
  LogReceived(*seen);
  const std::vector<size_t> messages = Identify(queue, *seen);
  ASSERT_EQ(messages.size(), seen->size());
  // Whether those count as visible that wait behind others of their group is not said.
  const int64_t receivable = static_cast<int64_t>(model_.Receivable(queue).size());
  ASSERT_GE(static_cast<int64_t>(seen->size()), std::min(most, receivable));
  ASSERT_LE(static_cast<int64_t>(seen->size()), std::min(most, model_.Stats(queue).depth.visible));
  for (size_t i = 0; i < messages.size(); ++i) {
    const ModelMessage& m = model_.messages[messages[i]];
    ASSERT_TRUE(model_.IsVisible(m)) << m.label << " is hidden";
    ASSERT_EQ(std::count(messages.begin(), messages.end(), messages[i]), 1) << "twice in one";
    ASSERT_EQ((*seen)[i].receive_count(), m.receive_count);
    ASSERT_EQ((*seen)[i].body(), m.body);
  }
}

void ModelRun::Compare() {
  for (size_t i = 0; i < real_.size(); ++i) {
    real_[i].core()->CheckInvariants();
    const QueueStats real = real_[i].Stats();
    const QueueStats model = model_.Stats(i);
    const auto same = [&](const char* what, int64_t is, int64_t expected) {
      EXPECT_EQ(is, expected) << what << " of " << name(i);
    };
    same("visible", real.depth.visible, model.depth.visible);
    same("in flight", real.depth.in_flight, model.depth.in_flight);
    same("delayed", real.depth.delayed, model.depth.delayed);
    same("bytes", real.bytes, model.bytes);
    same("accepted", real.accepted, model.accepted);
    same("moved_in", real.moved_in, model.moved_in);
    same("moved_out", real.moved_out, model.moved_out);
    same("deleted", real.deleted, model.deleted);
    same("purged", real.purged, model.purged);
    same("expired", real.expired, model.expired);
    same("dropped", real.dropped, model.dropped);
    same("received", real.received, model.received);
    same("rejected", real.rejected, model.rejected);
    same("duplicates", real.duplicates, model.duplicates);
    same("empty_receives", real.empty_receives, model.empty_receives);
    same("the balance", real.accepted + real.moved_in,
         real.deleted + real.expired + real.moved_out + real.purged + real.dropped +
             real.depth.total());
    if (model_.IsFifo(i)) continue;  // a FIFO queue refuses them
    EXPECT_GE(real.stale_deletes, model.stale_deletes) << name(i);
    EXPECT_LE(real.stale_deletes, model.stale_deletes + model_.queues[i].open_stale_deletes)
        << name(i);
  }
}

void RunSeeds(uint64_t seeds, const std::function<void(ModelRun&)>& scenario) {
#ifdef BANYAN_SANITIZER
  seeds = (seeds + 19) / 20;
#endif
  const char* only = std::getenv("BANYAN_SEED");
  const uint64_t first = only == nullptr ? 1 : std::strtoull(only, nullptr, 10);
  const uint64_t last = only == nullptr ? seeds : first;
  for (uint64_t seed = first; seed <= last && !::testing::Test::HasFailure(); ++seed) {
    const testing::SeedReporter reporter(seed);
    ModelRun run(seed);
    scenario(run);
  }
}

}  // namespace banyan::internal
