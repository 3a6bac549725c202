// SPDX-License-Identifier: Apache-2.0
#include "broker/outbox_relay.h"

#include <algorithm>
#include <optional>
#include <utility>
#include <variant>

#include "base/exceptions.h"
#include "base/nanoseconds.h"
#include "base/status_macros.h"
#include "base/strings.h"
#include "message/errors.h"
#include "queue/core.h"
#include "route/event_bus_core.h"
#include "route/topic_core.h"

namespace banyan::inline v0_1::internal {

namespace {

constexpr int64_t kBatchSizeMax = 10'000;
constexpr absl::Duration kPollIntervalMin = absl::Milliseconds(1);
constexpr absl::Duration kPollIntervalMax = absl::Hours(24);

absl::Status ValidateOutboxOptions(const OutboxOptions& options) {
  const auto bad = [](std::string_view field, std::string_view value, std::string_view rule) {
    return Error(AwsError::kQueueInvalidParameterValue, "Value ", value, " for parameter ", field,
                 " is invalid. Reason: Must be ", rule, ".");
  };
  if (options.poll_interval < kPollIntervalMin || options.poll_interval > kPollIntervalMax) {
    return bad("poll_interval", absl::FormatDuration(options.poll_interval), "1 ms to 24 h");
  }
  if (options.batch_size < 1 || options.batch_size > kBatchSizeMax) {
    return bad("batch_size", StrCat(options.batch_size), StrCat("1 to ", kBatchSizeMax));
  }
  if (options.refused_max < absl::ZeroDuration()) {
    return bad("refused_max", absl::FormatDuration(options.refused_max), "0 s or more");
  }
  return absl::OkStatus();
}

absl::Status AnotherBrokers(std::string_view arn) {
  return Error(AwsError::kQueueInvalidParameterValue, "Value ", arn,
               " for parameter Resource is invalid. Reason: It belongs to another broker than the "
               "outbox.");
}

absl::Status NotHere(AwsError error, std::string_view arn) {
  return Error(error, "There is no ", arn, " in this broker.");
}

// Whether the same request may be taken later.
bool IsForNow(const absl::Status& refusal) {
  switch (refusal.code()) {
    case absl::StatusCode::kResourceExhausted:
    case absl::StatusCode::kUnavailable:
    case absl::StatusCode::kAborted:
    case absl::StatusCode::kDeadlineExceeded:
      return true;
    default:
      return false;
  }
}

std::string TextOf(const absl::Status& error) {
  return error.ToString(absl::StatusToStringMode::kWithNoExtraData);
}

// A log record is one line, and the table's errors are anybody's.
std::string OneLine(std::string text) {
  for (char& c : text) {
    if (static_cast<unsigned char>(c) < 0x20) c = ' ';
  }
  return text;
}

std::stop_token RequestedStop() {
  std::stop_source source;
  source.request_stop();
  return source.get_token();
}

}  // namespace

absl::StatusOr<std::shared_ptr<OutboxRelay>> OutboxRelay::Create(const Broker& broker,
                                                                 OutboxTable& table,
                                                                 OutboxOptions options) {
  std::shared_ptr<BrokerCore> core = BrokerCore::SharedOf(broker);
  if (core == nullptr) {
    return Error(AwsError::kServiceUnavailable, "This Broker was moved from.");
  }
  BANYAN_RETURN_IF_ERROR(ValidateOutboxOptions(options));
  return std::make_shared<OutboxRelay>(std::move(core), table, std::move(options));
}

OutboxRelay::OutboxRelay(std::shared_ptr<BrokerCore> broker, OutboxTable& table,
                         OutboxOptions options)
    : broker_(std::move(broker)),
      env_(broker_->env()),
      table_(table),
      options_(std::move(options)),
      never_wait_(RequestedStop()) {}

// --- Writing -------------------------------------------------------------------------------------

// Not from env_->ids, which begins anew with each broker: a row outlives its own.
Id OutboxRelay::NextId() {
  const uint64_t hi = env_->runtime.Random();
  const uint64_t lo = env_->runtime.Random();
  // The bits that make a UUID say "version 4, variant 1".
  return {(hi & ~uint64_t{0xF000}) | 0x4000, (lo & ~(uint64_t{3} << 62)) | (uint64_t{2} << 62)};
}

void OutboxRelay::Stamp(const Id& id, Attributes* attributes) const {
  if (!options_.id_attribute.empty()) attributes->Set(options_.id_attribute, id.ToString());
}

absl::StatusOr<Id> OutboxRelay::Write(OutboxTransaction& tx, const OutboxLetter& letter) {
  BANYAN_RETURN_IF_ERROR(tx.Insert(WriteOutboxRow(letter)));
  MutexLock lock(&mu_);
  ++stats_.written;
  return letter.id;
}

absl::StatusOr<Id> OutboxRelay::PublishIn(OutboxTransaction& tx, const Topic& topic,
                                          PublishRequest request) {
  const Gate::Pass pass = env_->gate.Enter();
  if (!pass) return env_->Refusal();
  if (topic.core() == nullptr) return Error(AwsError::kTopicNotFound, "Topic does not exist");
  const Id id = NextId();
  Stamp(id, &request.attributes);
  BANYAN_ASSIGN_OR_RETURN(const TopicOptions options, topic.Options());
  if (options.fifo && !options.content_based_deduplication &&
      request.message_deduplication_id.empty()) {
    request.message_deduplication_id = id.ToString();
  }
  BANYAN_RETURN_IF_ERROR(topic.core()->Check(request));
  BANYAN_ASSIGN_OR_RETURN(const Topic here, broker_->FindTopic(topic.name()));
  if (here != topic) return AnotherBrokers(topic.core()->arn_text());
  return Write(tx, {.id = id, .arn = topic.core()->arn_text(), .request = std::move(request)});
}

absl::StatusOr<Id> OutboxRelay::PutIn(OutboxTransaction& tx, const EventBus& bus,
                                      EventEntry entry) {
  const Gate::Pass pass = env_->gate.Enter();
  if (!pass) return env_->Refusal();
  if (bus.core() == nullptr) {
    return Error(AwsError::kBusResourceNotFound, "The handle names no event bus.");
  }
  if (!entry.time.has_value()) entry.time = env_->runtime.Now();
  BANYAN_RETURN_IF_ERROR(bus.core()->Check(entry));
  BANYAN_ASSIGN_OR_RETURN(const EventBus here, broker_->FindEventBus(bus.name()));
  if (here != bus) return AnotherBrokers(bus.core()->arn_text());
  return Write(tx, {.id = NextId(), .arn = bus.core()->arn_text(), .request = std::move(entry)});
}

absl::StatusOr<Id> OutboxRelay::SendIn(OutboxTransaction& tx, const Queue& queue,
                                       SendRequest request) {
  const Gate::Pass pass = env_->gate.Enter();
  if (!pass) return env_->Refusal();
  BANYAN_ASSIGN_OR_RETURN(const QueueOptions options, queue.Options());
  const Id id = NextId();
  Stamp(id, &request.attributes);
  if (options.fifo && !options.content_based_deduplication &&
      request.message_deduplication_id.empty()) {
    request.message_deduplication_id = id.ToString();
  }
  BANYAN_RETURN_IF_ERROR(queue.core()->Check(request));
  BANYAN_ASSIGN_OR_RETURN(const Queue here, broker_->FindQueue(queue.name()));
  if (here != queue) return AnotherBrokers(queue.core()->arn_text());
  return Write(tx, {.id = id, .arn = queue.core()->arn_text(), .request = std::move(request)});
}

// --- When pages run ------------------------------------------------------------------------------

void OutboxRelay::Start() {
  {
    const Gate::Pass pass = env_->gate.Enter();
    if (!pass) return;
    MutexLock lock(&mu_);
    stats_.started = true;
  }
  Wake();
}

void OutboxRelay::Wake() {
  const Gate::Pass pass = env_->gate.Enter();
  if (!pass) return;  // the runtime may be gone
  TimerId timer;
  {
    MutexLock lock(&mu_);
    if (!stats_.started || stats_.stopped) return;
    if (busy_) {
      again_ = true;  // what this round has passed already, it does not see
      return;
    }
    busy_ = true;
    ++round_;
    timer = std::exchange(timer_, TimerId::kNone);
  }
  if (timer != TimerId::kNone) env_->runtime.Cancel(timer);
  PostPage();
}

void OutboxRelay::PostPage() {
  env_->runtime.Post([weak = weak_from_this()] {
    if (const std::shared_ptr<OutboxRelay> self = weak.lock()) self->RunPage();
  });
}

void OutboxRelay::OnTimer(uint64_t round) {
  {
    MutexLock lock(&mu_);
    if (round != round_ || busy_ || stats_.stopped) return;  // another round was quicker
    busy_ = true;
    ++round_;
    timer_ = TimerId::kNone;
  }
  RunPage();
}

bool OutboxRelay::MayGoOn() const {
  if (env_->gate.Look() != Gate::Answer::kOpen) return false;
  MutexLock lock(&mu_);
  return !stats_.stopped;
}

bool OutboxRelay::IsAbandoned() const {
  MutexLock lock(&mu_);
  return abandoned_;
}

void OutboxRelay::RunPage() {
  const Gate::Pass pass = env_->tasks.Enter();  // O5
  {
    MutexLock lock(&mu_);
    if (!pass || env_->gate.Look() != Gate::Answer::kOpen) stats_.stopped = true;
    if (stats_.stopped) {
      busy_ = false;
      return;
    }
    page_thread_ = ThisThread();
  }
  const bool more = Page();
  if (!more) EndRound();
  {
    MutexLock lock(&mu_);
    page_thread_ = nullptr;
    stoppers_.WakeAll();
    if (env_->gate.Look() != Gate::Answer::kOpen) stats_.stopped = true;
    const bool another = more || std::exchange(again_, false);
    busy_ = another && !stats_.stopped;
    if (stats_.stopped) return;
    if (!another) {
      timer_ = env_->runtime.PostAt(env_->runtime.Uptime() + options_.poll_interval,
                                    [weak = weak_from_this(), round = round_] {
                                      if (const auto self = weak.lock()) self->OnTimer(round);
                                    });
      return;
    }
    if (!more) ++round_;
  }
  PostPage();
}

void OutboxRelay::Stop() {
  const ThreadToken here = ThisThread();
  std::optional<Gate::Pass> beside;
  {
    const Gate::Pass pass = env_->gate.Enter();
    if (pass.answer() == Gate::Answer::kForked) return;
    TimerId timer;
    {
      MutexLock lock(&mu_);
      stats_.stopped = true;
      timer = std::exchange(timer_, TimerId::kNone);
      if (page_thread_ == here) {
        abandoned_ = true;  // O6
      } else if (page_thread_ != nullptr) {
        // The page needs mu_ to end, so neither the broker nor its runtime can go before this pass
        // counts as well.
        beside.emplace(env_->tasks.EnterBeside());
      }
    }
    if (pass && timer != TimerId::kNone) env_->runtime.Cancel(timer);
  }
  if (!beside.has_value()) return;

  // Who stops the broker from inside that page must not wait for us.
  const Gate::Guest guest(env_->gate);
  const Gate::Parked parked(env_->gate, env_->tasks);
  MutexLock lock(&mu_);
  const auto has_ended = [this] {
    mu_.AssertHeld();
    return page_thread_ == nullptr;
  };
  env_->runtime.Await(mu_, stoppers_, has_ended, absl::InfiniteDuration());
}

OutboxStats OutboxRelay::Stats() const {
  if (env_->gate.Look() == Gate::Answer::kForked) return {.stopped = true};
  MutexLock lock(&mu_);
  return stats_;
}

// --- A page --------------------------------------------------------------------------------------

bool OutboxRelay::Page() {
  page_failed_ = false;
  if (!DeletePublished()) return false;
  if (!round_rows_.has_value()) {
    using Sequences = absl::StatusOr<std::vector<int64_t>>;
    Sequences told = CallHandler<Sequences>([this] { return table_.Sequences(kRoundRowsMax); });
    if (!told.ok()) return TableFailed("Sequences", told.status());
    round_rows_ = *std::move(told);
  }
  using Rows = absl::StatusOr<std::vector<OutboxRow>>;
  const Rows rows = CallHandler<Rows>([this] { return table_.Read(after_, options_.batch_size); });
  if (!rows.ok()) return TableFailed("Read", rows.status());
  bool more = static_cast<int64_t>(rows->size()) >= options_.batch_size;
  for (const OutboxRow& row : *rows) {
    if (row.sequence <= after_) {
      // Going on could publish the same row for ever.
      more = TableFailed(
          "Read",
          absl::InternalError(ToAbsl(StrCat("row ", row.sequence, " came behind ", after_))));
      break;
    }
    const std::optional<bool> of_round = IsOfRound(row);
    if (!of_round.has_value() || !MayGoOn() || (*of_round && !Relay(row))) {
      more = false;
      break;
    }
    after_ = row.sequence;
  }
  return DeletePublished() && more;
}

// O4. If not, there is another round after this one. Nullopt: the table does not tell what it shows.
std::optional<bool> OutboxRelay::IsOfRound(const OutboxRow& row) {
  if (std::binary_search(round_rows_->begin(), round_rows_->end(), row.sequence)) return true;
  if (static_cast<int64_t>(round_rows_->size()) == kRoundRowsMax) return false;  // the next poll's
  if (untold_ == row.sequence) {
    // It was there before this round began. Going on could ask for ever.
    TableFailed(
        "Sequences",
        absl::InternalError(ToAbsl(StrCat("row ", row.sequence, " is there, and was not told"))));
    return std::nullopt;
  }
  MutexLock lock(&mu_);
  if (!again_) untold_ = row.sequence;
  again_ = true;
  return false;
}

bool OutboxRelay::Relay(const OutboxRow& row) {
  absl::StatusOr<OutboxLetter> letter = ReadOutboxRow(row.text);
  if (!letter.ok()) {
    Park(row, "", letter.status());
    return true;
  }
  const std::string arn = letter->arn;
  if (held_back_.contains(arn)) {
    ++passed_over_;
    return true;
  }
  absl::Status status = Publish(*std::move(letter));
  if (status.ok()) {
    refusals_.erase(arn);
    published_.push_back(row.sequence);
    MutexLock lock(&mu_);
    ++stats_.published;
    return true;
  }
  if (env_->gate.Look() != Gate::Answer::kOpen)
    return false;  // the broker refused, not the resource
  if (IsForNow(status)) {
    {
      MutexLock lock(&mu_);
      ++stats_.refusals;
    }
    if (!IsRefusedTooLong(row, arn)) {
      held_back_.insert(arn);
      ++passed_over_;
      return true;
    }
  }
  Park(row, arn, status);
  return true;
}

bool OutboxRelay::IsRefusedTooLong(const OutboxRow& row, const std::string& arn) {
  const int64_t now_ns = env_->runtime.Read().uptime_ns;
  const auto [at, is_first] = refusals_.try_emplace(arn, Refusal{row.sequence, now_ns});
  Refusal& refusal = at->second;
  if (refusal.sequence != row.sequence) refusal = {row.sequence, now_ns};
  if (is_first) {
    env_->Log(LogSeverity::kWarning, arn,
              "rows of the outbox wait, because it refuses them for now");
  }
  return now_ns - refusal.since_ns >= CeilNanoseconds(options_.refused_max);
}

absl::Status OutboxRelay::Publish(OutboxLetter letter) const {
  absl::StatusOr<Arn> arn = Arn::Parse(letter.arn);
  if (!arn.ok()) return arn.status();
  if (auto* publish = std::get_if<PublishRequest>(&letter.request)) {
    BANYAN_ASSIGN_OR_RETURN(const Topic topic, broker_->FindTopic(arn->resource));
    if (topic.arn() != *arn) return NotHere(AwsError::kTopicNotFound, letter.arn);
    return topic.Publish(std::move(*publish)).status();
  }
  if (auto* send = std::get_if<SendRequest>(&letter.request)) {
    BANYAN_ASSIGN_OR_RETURN(const Queue queue, broker_->FindQueue(arn->resource));
    if (queue.arn() != *arn) return NotHere(AwsError::kQueueDoesNotExist, letter.arn);
    send->stop = never_wait_;
    return queue.Send(std::move(*send)).status();
  }
  constexpr std::string_view kBus = "event-bus/";
  std::string_view name = arn->resource;
  if (name.starts_with(kBus)) name.remove_prefix(kBus.size());
  BANYAN_ASSIGN_OR_RETURN(const EventBus bus, broker_->FindEventBus(name));
  if (bus.arn() != *arn) return NotHere(AwsError::kBusResourceNotFound, letter.arn);
  return bus.Put(std::move(std::get<EventEntry>(letter.request))).status();
}

bool OutboxRelay::DeletePublished() {
  if (IsAbandoned()) return false;
  if (published_.empty()) return true;
  const absl::Status deleted =
      CallHandler<absl::Status>([this] { return table_.Delete(published_); });
  if (!deleted.ok()) return TableFailed("Delete", deleted);
  published_.clear();
  return true;
}

void OutboxRelay::Park(const OutboxRow& row, std::string_view arn, const absl::Status& error) {
  if (IsAbandoned()) return;
  const std::string why = TextOf(error);
  const absl::Status parked =
      CallHandler<absl::Status>([&] { return table_.Park(row.sequence, why); });
  if (!parked.ok()) {
    TableFailed("Park", parked);  // the row is met again in the next round, and others go on
    return;
  }
  refusals_.erase(std::string(arn));
  {
    MutexLock lock(&mu_);
    ++stats_.parked;
  }
  env_->Log(LogSeverity::kError, arn,
            OneLine(StrCat("row ", row.sequence, " of the outbox was parked: ", why)));
}

// False: the round ends.
bool OutboxRelay::TableFailed(std::string_view verb, const absl::Status& error) {
  {
    MutexLock lock(&mu_);
    ++stats_.table_failures;
  }
  page_failed_ = true;
  if (!std::exchange(table_failure_told_, true)) {
    env_->Log(LogSeverity::kWarning, "",
              OneLine(StrCat("the outbox table's ", verb,
                             " failed, and is tried again: ", TextOf(error))));
  }
  return false;
}

void OutboxRelay::EndRound() {
  if (!page_failed_) {
    table_failure_told_ = false;
    std::erase_if(refusals_,
                  [this](const auto& entry) { return !held_back_.contains(entry.first); });
  }
  round_rows_.reset();
  after_ = kFirst;
  held_back_.clear();
  MutexLock lock(&mu_);
  stats_.waiting = std::exchange(passed_over_, 0);
}

}  // namespace banyan::inline v0_1::internal
