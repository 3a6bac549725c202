// SPDX-License-Identifier: Apache-2.0
//
// lib/broker/broker_core.h -- floor 6: names, lives, shutdown.
//
//        CreateX, FindX, ListX, DeleteX             Stop, Reset
//                    |                                   |
//              +-----v-----------------------------------v-----+
//              | Registry: kind -> name -> core    (mu_)       |
//              +-----------------------------------------------+
//              | Environment: runtime, limits, ids, log, tap,  |
//              | journal, and the two gates                    |
//              +-----------------------------------------------+
//
// The two gates of a broker, and the order in which Stop() uses them:
//   gate   calls through public handles. Closed first: nothing new is accepted.
//   tasks  what goes on by itself: handlers, retries. Stays open while that may still end, then
//          closes: what has not begun by then is left, and counted.
// A handler that runs is a guest of `gate`: what it sends, publishes or settles passes to the end.
//
// B1  mu_ is never held while a core is called. Who needs a core takes its shared pointer out. (One
//     exception: DeleteStream asks the stream's consumers, who look at their own list.)
// B2  A core is reachable by name exactly while it is open: it leaves the registry before it is
//     closed, and nothing enters once the registry is `closed`.
// B3  After both gates have drained and no caller sleeps inside, nothing touches the Runtime: it
//     may be destroyed.
// B4  In a forked child nothing here is touched: locks and maps are as some thread of the parent
//     left them.
//
// Threads: every method from any thread.
#ifndef BANYAN_LIB_BROKER_BROKER_CORE_H_
#define BANYAN_LIB_BROKER_BROKER_CORE_H_

#include <cstdint>
#include <deque>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <stop_token>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "absl/base/thread_annotations.h"
#include "absl/functional/function_ref.h"
#include "absl/types/span.h"
#include "banyan/broker.h"
#include "banyan/mutex.h"
#include "message/environment.h"
#include "message/journal.h"
#include "route/archives.h"

namespace banyan::inline v0_1::internal {

class EventBusCore;
class FunctionCore;
class QueueCore;
class SchedulerCore;
class StreamCore;
class TopicCore;

class BrokerCore : public std::enable_shared_from_this<BrokerCore> {
 public:
  // `journal` hears of every change of state; null for none. It outlives the broker.
  static absl::StatusOr<std::shared_ptr<BrokerCore>> Create(Runtime& runtime, BrokerOptions options,
                                                            Journal* journal);

  // The same as a Broker, and back, for tests.
  static absl::StatusOr<Broker> CreateBroker(Runtime& runtime, BrokerOptions options,
                                             Journal* journal);
  static BrokerCore& Of(const Broker& broker) { return *broker.core_; }
  // Null for a broker that was moved from. Keeps names and memory, not the broker's life.
  static const std::shared_ptr<BrokerCore>& SharedOf(const Broker& broker) { return broker.core_; }

  explicit BrokerCore(std::shared_ptr<Environment> env);

  // The verbs of banyan/broker.h.
  absl::StatusOr<Queue> CreateQueue(std::string_view name, const QueueOptions& options);
  absl::StatusOr<Queue> CreateQueueFromAttributes(
      std::string_view name, const std::map<std::string, std::string>& attributes,
      const std::map<std::string, std::string>& tags);
  absl::StatusOr<Topic> CreateTopic(std::string_view name, const TopicOptions& options);
  absl::StatusOr<Topic> CreateTopicFromAttributes(
      std::string_view name, const std::map<std::string, std::string>& attributes,
      const std::map<std::string, std::string>& tags);
  absl::StatusOr<EventBus> CreateEventBus(std::string_view name, const EventBusOptions& options);
  absl::StatusOr<Stream> CreateStream(std::string_view name, const StreamOptions& options);
  absl::StatusOr<Function> CreateFunction(std::string_view name, const FunctionOptions& options,
                                          FunctionHandler handler);

  absl::StatusOr<Queue> FindQueue(std::string_view name) const;
  absl::StatusOr<Topic> FindTopic(std::string_view name) const;
  absl::StatusOr<EventBus> FindEventBus(std::string_view name) const;
  absl::StatusOr<std::vector<absl::StatusOr<Id>>> PutEvents(absl::Span<const BusEntry> entries);
  absl::StatusOr<Stream> FindStream(std::string_view name) const;
  absl::StatusOr<Function> FindFunction(std::string_view name) const;

  std::vector<Queue> ListQueues(std::string_view prefix) const;
  absl::StatusOr<QueuePage> ListQueuesPage(std::string_view prefix, int64_t max_results,
                                           std::string_view next_token) const;
  absl::StatusOr<std::vector<Queue>> ListDeadLetterSourceQueues(std::string_view name) const;
  std::vector<Topic> ListTopics(std::string_view prefix) const;
  absl::StatusOr<TopicPage> ListTopicsPage(std::string_view next_token) const;
  std::vector<EventBus> ListEventBuses(std::string_view prefix) const;
  std::vector<Stream> ListStreams(std::string_view prefix) const;
  absl::StatusOr<StreamPage> ListStreamsPage(const ListStreamsOptions& options) const;
  std::vector<Function> ListFunctions(std::string_view prefix) const;

  absl::Status DeleteQueue(std::string_view name);
  absl::Status DeleteTopic(std::string_view name);
  absl::Status DeleteEventBus(std::string_view name);
  absl::Status DeleteStream(std::string_view name, const DeleteStreamOptions& options);
  absl::Status DeleteFunction(std::string_view name, std::stop_token stop);

  absl::StatusOr<Arn> CreateSchedule(std::string_view name, const ScheduleOptions& options);
  absl::Status UpdateSchedule(std::string_view name, const ScheduleOptions& options);
  absl::Status DeleteSchedule(std::string_view name);
  absl::StatusOr<Schedule> GetSchedule(std::string_view name) const;
  std::vector<Schedule> ListSchedules(std::string_view prefix) const;

  // archives.cc.
  absl::StatusOr<ArchiveDescription> CreateArchive(std::string_view name,
                                                   const ArchiveOptions& options);
  absl::StatusOr<ArchiveDescription> DescribeArchive(std::string_view name) const;
  absl::StatusOr<ArchiveDescription> UpdateArchive(std::string_view name,
                                                   const ArchiveUpdate& update);
  absl::Status DeleteArchive(std::string_view name);
  absl::StatusOr<ArchivePage> ListArchives(const ListArchivesOptions& options) const;
  absl::StatusOr<ReplayDescription> StartReplay(std::string_view name,
                                                const ReplayOptions& options);
  absl::StatusOr<ReplayDescription> DescribeReplay(std::string_view name) const;
  absl::StatusOr<ReplayDescription> CancelReplay(std::string_view name);
  absl::StatusOr<ReplayPage> ListReplays(const ListReplaysOptions& options) const;

  StopReport Stop(absl::Duration drain_within, std::stop_token stop);
  StopReport Reset();
  BrokerMetrics Metrics() const;

  absl::StatusOr<v0_1::Topology> Topology() const;  // topology.cc

  // stories.cc.
  absl::StatusOr<EventStory> Story(const Id& id) const;
  StoryStats StoriesKept() const;

  // Stops, and waits until nobody is inside: the Runtime may go then (B3).
  void Shutdown();

  const std::shared_ptr<Environment>& env() const { return env_; }

 private:
  template <typename Core>
  using Names = std::map<std::string, std::shared_ptr<Core>, std::less<>>;

  struct Registry {
    Names<QueueCore> queues;
    Names<TopicCore> topics;
    Names<EventBusCore> buses;
    Names<StreamCore> streams;
    Names<FunctionCore> functions;
    std::shared_ptr<SchedulerCore> scheduler;  // null once the broker has stopped
  };

  // Null if there is none.
  std::shared_ptr<EventBusCore> FindBusByNameOrArn(std::string_view text) const;

  // registry.h.
  template <typename Core>
  std::shared_ptr<Core> Find(Names<Core> Registry::*kind, std::string_view name) const;
  template <typename Core>
  std::vector<std::shared_ptr<Core>> List(Names<Core> Registry::*kind,
                                          std::string_view prefix) const;
  template <typename Core>
  std::shared_ptr<Core> TakeOut(Names<Core> Registry::*kind, std::string_view name);

  // Enters `made` under `name` and answers it; or the one that is there already.
  template <typename Core>
  absl::StatusOr<std::shared_ptr<Core>> Enter(Names<Core> Registry::*kind, std::string_view name,
                                              std::shared_ptr<Core> made, int64_t max,
                                              AwsError over_max);

  // queues.cc. `first_difference` names what is not as asked for in the queue that is there.
  absl::StatusOr<Queue> CreateOrOpenQueue(
      std::string_view name, const QueueOptions& options,
      const std::map<std::string, std::string>& tags,
      absl::FunctionRef<std::string_view(const QueueOptions& stored)> first_difference);
  std::shared_ptr<QueueCore> FindByArn(const Arn& arn) const;
  absl::StatusOr<std::shared_ptr<TopicCore>> FindOrMakeTopic(std::string_view name,
                                                             const TopicOptions& options,
                                                             bool* is_new);
  absl::Status CheckMayCreateStream() const ABSL_EXCLUSIVE_LOCKS_REQUIRED(create_stream_mu_);
  absl::Status CheckNameIsFree(std::string_view queue) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mu_);
  void LetNameRest(std::string_view queue) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mu_);
  // What every broker has from the start: the scheduler and the default bus.
  void AddBuiltIns(Registry* registry) const;
  std::shared_ptr<SchedulerCore> Scheduler() const;
  void SendSleepersHome();
  void AwaitQuiet(absl::Duration deadline, const std::stop_token& stop);
  int64_t PendingDeliveries() const;
  StopReport CloseAll(Registry registry, bool deleted);

  const std::shared_ptr<Environment> env_;
  Archives archives_;

  Mutex create_stream_mu_;  // so that streams CREATING are counted one after the other; before mu_
  mutable Mutex mu_;
  Registry registry_ ABSL_GUARDED_BY(mu_);
  bool closed_ ABSL_GUARDED_BY(mu_) = false;  // B2

  // Names of deleted queues and the uptime at which each is free again; and the same names, oldest
  // first. Those that are free are forgotten as others come. At most queues_max: beyond that the
  // oldest is free early.
  std::map<std::string, int64_t, std::less<>> rests_until_ ABSL_GUARDED_BY(mu_);
  std::deque<std::string> resting_names_ ABSL_GUARDED_BY(mu_);

  bool stopping_ ABSL_GUARDED_BY(mu_) = false;
  std::optional<StopReport> report_ ABSL_GUARDED_BY(mu_);
  WaitList report_waiters_ ABSL_GUARDED_BY(mu_);
};

}  // namespace banyan::inline v0_1::internal

#endif  // BANYAN_LIB_BROKER_BROKER_CORE_H_
