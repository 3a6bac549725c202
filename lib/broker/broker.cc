// SPDX-License-Identifier: Apache-2.0
#include "banyan/broker.h"

#include <utility>

#include "base/memory.h"
#include "broker/broker_core.h"
#include "message/errors.h"

namespace banyan::inline v0_1 {

namespace {
absl::Status MovedFrom() {
  return internal::Error(AwsError::kServiceUnavailable, "This Broker was moved from.");
}
}  // namespace

absl::StatusOr<Broker> Broker::Create(Runtime& runtime, BrokerOptions options) {
  // Has the allocator chosen before there is a handle to fork with: a child made while another
  // thread is choosing would wait for that thread for ever.
  internal::AllocatorName();
  return internal::BrokerCore::CreateBroker(runtime, std::move(options), nullptr);
}

Broker::Broker(std::shared_ptr<internal::BrokerCore> core) : core_(std::move(core)) {}

Broker::Broker(Broker&&) noexcept = default;

Broker& Broker::operator=(Broker&& other) noexcept {
  Broker old(std::move(other));
  std::swap(core_, old.core_);
  return *this;
}

Broker::~Broker() {
  if (core_ == nullptr) return;  // moved from
  if (core_->env()->gate.Look() == internal::Gate::Answer::kForked) {
    // A map that another thread was changing when this process was forked cannot even be
    // destroyed. The child's copy is left alone.
    new std::shared_ptr<internal::BrokerCore>(std::move(core_));
    return;
  }
  core_->Shutdown();
}

absl::StatusOr<Queue> Broker::CreateQueue(std::string_view name, QueueOptions options) {
  if (core_ == nullptr) return MovedFrom();
  return core_->CreateQueue(name, options);
}
absl::StatusOr<Queue> Broker::CreateQueueFromAttributes(
    std::string_view name, const std::map<std::string, std::string>& attributes,
    const std::map<std::string, std::string>& tags) {
  if (core_ == nullptr) return MovedFrom();
  return core_->CreateQueueFromAttributes(name, attributes, tags);
}
absl::StatusOr<Topic> Broker::CreateTopic(std::string_view name, TopicOptions options) {
  if (core_ == nullptr) return MovedFrom();
  return core_->CreateTopic(name, options);
}
absl::StatusOr<EventBus> Broker::CreateEventBus(std::string_view name, EventBusOptions options) {
  if (core_ == nullptr) return MovedFrom();
  return core_->CreateEventBus(name, options);
}
absl::StatusOr<Stream> Broker::CreateStream(std::string_view name, StreamOptions options) {
  if (core_ == nullptr) return MovedFrom();
  return core_->CreateStream(name, options);
}
absl::StatusOr<Function> Broker::CreateFunction(std::string_view name, FunctionOptions options,
                                                FunctionHandler handler) {
  if (core_ == nullptr) return MovedFrom();
  return core_->CreateFunction(name, options, std::move(handler));
}

absl::StatusOr<Queue> Broker::FindQueue(std::string_view name) const {
  if (core_ == nullptr) return MovedFrom();
  return core_->FindQueue(name);
}
absl::StatusOr<Topic> Broker::FindTopic(std::string_view name) const {
  if (core_ == nullptr) return MovedFrom();
  return core_->FindTopic(name);
}
absl::StatusOr<EventBus> Broker::FindEventBus(std::string_view name) const {
  if (core_ == nullptr) return MovedFrom();
  return core_->FindEventBus(name);
}
absl::StatusOr<std::vector<absl::StatusOr<Id>>> Broker::PutEvents(
    absl::Span<const BusEntry> entries) {
  if (core_ == nullptr) return MovedFrom();
  return core_->PutEvents(entries);
}
absl::StatusOr<Stream> Broker::FindStream(std::string_view name) const {
  if (core_ == nullptr) return MovedFrom();
  return core_->FindStream(name);
}
absl::StatusOr<Function> Broker::FindFunction(std::string_view name) const {
  if (core_ == nullptr) return MovedFrom();
  return core_->FindFunction(name);
}

std::vector<Queue> Broker::ListQueues(std::string_view prefix) const {
  if (core_ == nullptr) return {};
  return core_->ListQueues(prefix);
}
absl::StatusOr<QueuePage> Broker::ListQueuesPage(std::string_view prefix, int64_t max_results,
                                                 std::string_view next_token) const {
  if (core_ == nullptr) return MovedFrom();
  return core_->ListQueuesPage(prefix, max_results, next_token);
}
absl::StatusOr<std::vector<Queue>> Broker::ListDeadLetterSourceQueues(std::string_view name) const {
  if (core_ == nullptr) return MovedFrom();
  return core_->ListDeadLetterSourceQueues(name);
}
absl::StatusOr<Topic> Broker::CreateTopicFromAttributes(
    std::string_view name, const std::map<std::string, std::string>& attributes,
    const std::map<std::string, std::string>& tags) {
  if (core_ == nullptr) return MovedFrom();
  return core_->CreateTopicFromAttributes(name, attributes, tags);
}

absl::StatusOr<TopicPage> Broker::ListTopicsPage(std::string_view next_token) const {
  if (core_ == nullptr) return MovedFrom();
  return core_->ListTopicsPage(next_token);
}

std::vector<Topic> Broker::ListTopics(std::string_view prefix) const {
  if (core_ == nullptr) return {};
  return core_->ListTopics(prefix);
}
std::vector<EventBus> Broker::ListEventBuses(std::string_view prefix) const {
  if (core_ == nullptr) return {};
  return core_->ListEventBuses(prefix);
}
std::vector<Stream> Broker::ListStreams(std::string_view prefix) const {
  if (core_ == nullptr) return {};
  return core_->ListStreams(prefix);
}
std::vector<Function> Broker::ListFunctions(std::string_view prefix) const {
  if (core_ == nullptr) return {};
  return core_->ListFunctions(prefix);
}

absl::Status Broker::DeleteQueue(std::string_view name) {
  if (core_ == nullptr) return MovedFrom();
  return core_->DeleteQueue(name);
}
absl::Status Broker::DeleteTopic(std::string_view name) {
  if (core_ == nullptr) return MovedFrom();
  return core_->DeleteTopic(name);
}
absl::Status Broker::DeleteEventBus(std::string_view name) {
  if (core_ == nullptr) return MovedFrom();
  return core_->DeleteEventBus(name);
}
absl::StatusOr<StreamPage> Broker::ListStreamsPage(const ListStreamsOptions& options) const {
  if (core_ == nullptr) return MovedFrom();
  return core_->ListStreamsPage(options);
}

absl::Status Broker::DeleteStream(std::string_view name, DeleteStreamOptions options) {
  if (core_ == nullptr) return MovedFrom();
  return core_->DeleteStream(name, options);
}
absl::Status Broker::DeleteFunction(std::string_view name, std::stop_token stop) {
  if (core_ == nullptr) return MovedFrom();
  return core_->DeleteFunction(name, std::move(stop));
}

absl::StatusOr<Arn> Broker::CreateSchedule(std::string_view name, ScheduleOptions options) {
  if (core_ == nullptr) return MovedFrom();
  return core_->CreateSchedule(name, options);
}
absl::Status Broker::UpdateSchedule(std::string_view name, ScheduleOptions options) {
  if (core_ == nullptr) return MovedFrom();
  return core_->UpdateSchedule(name, options);
}
absl::Status Broker::DeleteSchedule(std::string_view name) {
  if (core_ == nullptr) return MovedFrom();
  return core_->DeleteSchedule(name);
}
absl::StatusOr<Schedule> Broker::GetSchedule(std::string_view name) const {
  if (core_ == nullptr) return MovedFrom();
  return core_->GetSchedule(name);
}
std::vector<Schedule> Broker::ListSchedules(std::string_view prefix) const {
  if (core_ == nullptr) return {};
  return core_->ListSchedules(prefix);
}

absl::StatusOr<ArchiveDescription> Broker::CreateArchive(std::string_view name,
                                                         ArchiveOptions options) {
  if (core_ == nullptr) return MovedFrom();
  return core_->CreateArchive(name, options);
}
absl::StatusOr<ArchiveDescription> Broker::DescribeArchive(std::string_view name) const {
  if (core_ == nullptr) return MovedFrom();
  return core_->DescribeArchive(name);
}
absl::StatusOr<ArchiveDescription> Broker::UpdateArchive(std::string_view name,
                                                         ArchiveUpdate update) {
  if (core_ == nullptr) return MovedFrom();
  return core_->UpdateArchive(name, update);
}
absl::Status Broker::DeleteArchive(std::string_view name) {
  if (core_ == nullptr) return MovedFrom();
  return core_->DeleteArchive(name);
}
absl::StatusOr<ArchivePage> Broker::ListArchives(ListArchivesOptions options) const {
  if (core_ == nullptr) return MovedFrom();
  return core_->ListArchives(options);
}
absl::StatusOr<ReplayDescription> Broker::StartReplay(std::string_view name,
                                                      ReplayOptions options) {
  if (core_ == nullptr) return MovedFrom();
  return core_->StartReplay(name, options);
}
absl::StatusOr<ReplayDescription> Broker::DescribeReplay(std::string_view name) const {
  if (core_ == nullptr) return MovedFrom();
  return core_->DescribeReplay(name);
}
absl::StatusOr<ReplayDescription> Broker::CancelReplay(std::string_view name) {
  if (core_ == nullptr) return MovedFrom();
  return core_->CancelReplay(name);
}
absl::StatusOr<ReplayPage> Broker::ListReplays(ListReplaysOptions options) const {
  if (core_ == nullptr) return MovedFrom();
  return core_->ListReplays(options);
}

StopReport Broker::Stop(absl::Duration drain_within, std::stop_token stop) {
  if (core_ == nullptr) return {};
  return core_->Stop(drain_within, std::move(stop));
}
StopReport Broker::Reset() {
  if (core_ == nullptr) return {};
  return core_->Reset();
}

CapturedNotificationList Broker::CapturedNotifications() const {
  // A forked child may have inherited the lock in the locked state.
  if (core_ == nullptr || core_->env()->gate.Look() == internal::Gate::Answer::kForked) return {};
  return core_->env()->captured.List();
}
void Broker::ClearCapturedNotifications() {
  if (core_ == nullptr || core_->env()->gate.Look() == internal::Gate::Answer::kForked) return;
  core_->env()->captured.Clear();
}

BrokerMetrics Broker::Metrics() const {
  if (core_ == nullptr) return {};
  return core_->Metrics();
}

absl::StatusOr<banyan::Topology> Broker::Topology() const {
  if (core_ == nullptr) return MovedFrom();
  return core_->Topology();
}
absl::StatusOr<EventStory> Broker::Story(Id id) const {
  if (core_ == nullptr) return MovedFrom();
  return core_->Story(id);
}
StoryStats Broker::StoriesKept() const {
  return core_ == nullptr ? StoryStats{} : core_->StoriesKept();
}
std::string_view Broker::account() const {
  return core_ == nullptr ? std::string_view() : core_->env()->account;
}
std::string_view Broker::region() const {
  return core_ == nullptr ? std::string_view() : core_->env()->region;
}
const Limits& Broker::limits() const {
  static const Limits none;
  return core_ == nullptr ? none : core_->env()->limits;
}

absl::StatusOr<Broker> internal::CreateJournaledBroker(Runtime& runtime, BrokerOptions options,
                                                       Journal* journal) {
  return BrokerCore::CreateBroker(runtime, std::move(options), journal);
}

}  // namespace banyan::inline v0_1
