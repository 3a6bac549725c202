// SPDX-License-Identifier: Apache-2.0
//
// Broker: the house that topics, buses, queues, streams and functions live in.
//
//   std::unique_ptr<Runtime> runtime = NewThreadedRuntime({.threads = 4});
//   Broker broker = Broker::Create(*runtime, {}).value();
//   Queue billing = broker.CreateQueue("billing").value();
//
// Creating is create-or-open, as on AWS: the same name opens what is there if every option given
// equals its own, so wiring may be repeated. A field left at its default is not given. There is
// nothing to initialise and nothing global: any number of brokers live in one process and know
// nothing of each other.
//
// Threads   Every method may be called from any thread; the broker starts none of its own.
// Lifetime  The Runtime, log sink, tap and HTTP transport outlive the broker. Handles (Queue, Topic, ...) may
//           outlive it: their calls then answer kUnavailable. Destroying it is Stop() with no
//           time to drain; it waits for calls and handlers that are inside, and must not happen on
//           one of them (call Stop() there instead).
// Fork      In a forked child every call answers kUnavailable, touches no lock, and the
//           destructor does nothing: the broker is the parent's.
#ifndef BANYAN_BROKER_H_
#define BANYAN_BROKER_H_

#include <cstdint>
#include <map>
#include <memory>
#include <stop_token>
#include <string>
#include <string_view>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/time/time.h"
#include "absl/types/span.h"
#include "banyan/archive.h"
#include "banyan/captured_notification.h"
#include "banyan/event_bus.h"
#include "banyan/export.h"
#include "banyan/function.h"
#include "banyan/http_transport.h"
#include "banyan/limits.h"
#include "banyan/log.h"
#include "banyan/metrics.h"
#include "banyan/notification_signer.h"
#include "banyan/queue.h"
#include "banyan/runtime.h"
#include "banyan/scheduler.h"
#include "banyan/story.h"
#include "banyan/stream.h"
#include "banyan/tap.h"
#include "banyan/topic.h"
#include "banyan/topology.h"

namespace banyan::inline v0_1 {

namespace internal {
class BrokerCore;
}  // namespace internal

struct BrokerOptions {
  std::string account = "000000000000";  // twelve digits
  std::string region = "us-east-1";      // lower-case letters, digits and hyphens
  Limits limits = Limits::Aws();
  LogSink* log = nullptr;  // null: silence
  Tap* tap = nullptr;

  // What HTTP subscriptions deliver through; null: they are refused.
  HttpTransport* http_transport = nullptr;

  // Where whatever serves this broker is reached, "http://localhost:4566": SubscribeURL,
  // UnsubscribeURL and SigningCertURL of notifications point there. Empty: the latter two are empty,
  // and SubscribeURL names SNS's own host, where nobody knows its token.
  std::string endpoint_url = {};

  // Signs notifications; null: they are not signed.
  std::shared_ptr<const NotificationSigner> notification_signer = nullptr;

  StoryOptions story = {};  // off by default; see Broker::Story()
};

// What a stop or reset left behind. Exact if calls_running is 0; else those may still move things. A
// handler that stops the broker itself is still inside, and counts; so does the delivery that it has
// in hand, which ends when it returns (but for one that Publish made inline and that is not pending
// until it has failed). What it is told is never drained().
struct StopReport {
  int64_t calls_running = 0;       // calls and handlers still inside when time was up
  int64_t deliveries_pending = 0;  // waiting for another attempt, lost with the broker; or in hand
  int64_t messages_resting = 0;    // in queues, in whatever state; lost with the broker
  int64_t records_resting = 0;     // in streams; lost with the broker

  bool drained() const { return calls_running == 0 && deliveries_pending == 0; }
};

struct QueuePage {
  std::vector<Queue> queues = {};
  std::string next_token = {};  // empty: there is no more
};

struct TopicPage {
  std::vector<Topic> topics = {};
  std::string next_token = {};  // empty: there is no more
};

struct ListStreamsOptions {
  // Only what follows this name. Not to be given with a `next_token`, which knows.
  std::string exclusive_start = {};

  std::string next_token = {};   // of the page before; empty begins
  int64_t max_results = 10'000;  // 1 to 10,000; of more than 100 a page has 100
};

struct StreamPage {
  std::vector<Stream> streams = {};  // by name
  std::string next_token = {};       // empty: there is no more
};

struct DeleteStreamOptions {
  // Deregisters the stream's consumers, too. Without it a stream that has some is not deleted.
  bool enforce_consumer_deletion = false;
};

class BANYAN_EXPORT Broker {
 public:
  // Errors  kInvalidArgument: account is not twelve digits, region or endpoint_url is malformed, a
  //         bound of the stories is out of range (story.h).
  static absl::StatusOr<Broker> Create(Runtime& runtime, BrokerOptions options);

  Broker(Broker&&) noexcept;
  Broker& operator=(Broker&&) noexcept;
  ~Broker();

  // Create or open. Errors, each: kInvalidArgument: a bad name or option; a dead-letter queue that
  // is not there, of the other kind (FIFO or standard), keeps this one out by its redrive allow
  // policy, or is the queue itself. kResourceExhausted: as many as the limits allow.
  // kUnavailable: stopping. There under other options: the service's own error, which is
  // kAlreadyExists for queues and buses, kInvalidArgument for topics, kFailedPrecondition for
  // streams (ResourceInUseException).
  // A queue's name can be used again 60 s after it was deleted (kFailedPrecondition,
  // QueueDeletedRecently), unless the limits say otherwise.
  absl::StatusOr<Queue> CreateQueue(std::string_view name, QueueOptions options = {});

  // The same with AWS's own attributes and tags, as strings. Here every attribute that is named was
  // given, also one that has its default; tags do not count, and are for a new queue only. Errors
  // also: kInvalidArgument: an attribute that AWS does not know (InvalidAttributeName) or a bad
  // value of one (InvalidAttributeValue, InvalidParameterValue), a bad tag.
  // Source: docs.aws.amazon.com/AWSSimpleQueueService/latest/APIReference/API_CreateQueue.html
  absl::StatusOr<Queue> CreateQueueFromAttributes(
      std::string_view name, const std::map<std::string, std::string>& attributes,
      const std::map<std::string, std::string>& tags = {});

  absl::StatusOr<Topic> CreateTopic(std::string_view name, TopicOptions options = {});

  // The same with SNS's own attributes and tags, as strings; FifoTopic "false" is a standard topic.
  // A topic that is there under that name is opened if it has all of these attributes and tags.
  // Errors also: kInvalidArgument: an attribute that SNS does not know, a bad value, a bad tag; tags
  // that the topic there does not have.
  // Source: docs.aws.amazon.com/sns/latest/api/API_CreateTopic.html
  absl::StatusOr<Topic> CreateTopicFromAttributes(
      std::string_view name, const std::map<std::string, std::string>& attributes,
      const std::map<std::string, std::string>& tags = {});

  absl::StatusOr<EventBus> CreateEventBus(std::string_view name, EventBusOptions options = {});
  absl::StatusOr<Stream> CreateStream(std::string_view name, StreamOptions options = {});

  // A handler cannot be compared: creating a function whose name is taken is kAlreadyExists.
  absl::StatusOr<Function> CreateFunction(std::string_view name, FunctionOptions options,
                                          FunctionHandler handler);

  // Errors, each: kNotFound. There is always a bus called "default".
  absl::StatusOr<Queue> FindQueue(std::string_view name) const;
  absl::StatusOr<Topic> FindTopic(std::string_view name) const;
  absl::StatusOr<EventBus> FindEventBus(std::string_view name) const;
  absl::StatusOr<Stream> FindStream(std::string_view name) const;
  absl::StatusOr<Function> FindFunction(std::string_view name) const;

  // Takes up to ten events, each for a bus of its own. Answers, and fails, as EventBus::PutEvents
  // does. A bus that is not there is no error, as on AWS: an event for it that is well formed gets
  // its id, and is dropped and logged.
  absl::StatusOr<std::vector<absl::StatusOr<Id>>> PutEvents(absl::Span<const BusEntry> entries);

  // Those whose names begin with `prefix`, by name.
  std::vector<Queue> ListQueues(std::string_view prefix = {}) const;
  std::vector<Topic> ListTopics(std::string_view prefix = {}) const;
  std::vector<EventBus> ListEventBuses(std::string_view prefix = {}) const;
  std::vector<Stream> ListStreams(std::string_view prefix = {}) const;
  std::vector<Function> ListFunctions(std::string_view prefix = {}) const;

  // The same queues, 1 to 1,000 at a time. `next_token` is that of the page before; empty begins.
  // Queues that come and go meanwhile are in it or not, but none is there twice. Errors:
  // kInvalidArgument: max_results; a token that belongs to another prefix.
  absl::StatusOr<QueuePage> ListQueuesPage(std::string_view prefix, int64_t max_results,
                                           std::string_view next_token = {}) const;

  // The same topics, a hundred at a time, as ListTopics of SNS has it. Errors: kInvalidArgument: a
  // bad token.
  absl::StatusOr<TopicPage> ListTopicsPage(std::string_view next_token = {}) const;

  // The same streams, in pages, as ListStreams of Kinesis has it. Errors: kInvalidArgument:
  // max_results; a bad token, or one beside an exclusive start. kOutOfRange
  // (ExpiredNextTokenException): a token older than five minutes.
  absl::StatusOr<StreamPage> ListStreamsPage(const ListStreamsOptions& options = {}) const;

  // The queues whose redrive policy names this one, by name. Looks at every queue. Errors:
  // kNotFound.
  absl::StatusOr<std::vector<Queue>> ListDeadLetterSourceQueues(std::string_view name) const;

  // Deletes a resource and what rests in it. Handles to it answer kNotFound from now on, waiting
  // receives end. DeleteFunction waits until the function's handlers have ended, or `stop` is
  // requested (kCancelled; the function is deleted all the same); it does not wait if it is called
  // by a handler. Errors, each: kNotFound; a topic that is gone is OK, as on AWS, and one with an
  // archive cannot be deleted (kFailedPrecondition, InvalidState); the default bus cannot be deleted
  // (kInvalidArgument), nor a bus with rules, nor a stream with consumers unless that is enforced
  // (kFailedPrecondition, ResourceInUseException).
  absl::Status DeleteQueue(std::string_view name);
  absl::Status DeleteTopic(std::string_view name);
  absl::Status DeleteEventBus(std::string_view name);
  absl::Status DeleteStream(std::string_view name, DeleteStreamOptions options = {});
  absl::Status DeleteFunction(std::string_view name, std::stop_token stop = {});

  // A schedule, see scheduler.h; from now on it fires. Unlike the others this is no opening: the name
  // is taken or it is not. Names are 1 to 64 of [.-_A-Za-z0-9].
  //
  // Errors  kInvalidArgument: a bad name, expression, zone, window or date, a time that is over, a bad
  //         target or input (ValidationException). kAlreadyExists: the name is taken
  //         (ConflictException). kResourceExhausted: as many as the limits allow
  //         (ServiceQuotaExceededException). kUnavailable: stopping.
  // Source  docs.aws.amazon.com/scheduler/latest/APIReference/API_CreateSchedule.html
  absl::StatusOr<Arn> CreateSchedule(std::string_view name, ScheduleOptions options);

  // Replaces all of its options. If none that says when it fires is another one, it goes on as it
  // did; else it begins anew. Errors, also: kNotFound.
  absl::Status UpdateSchedule(std::string_view name, ScheduleOptions options);

  // It fires no more; a firing that has begun and its retries go on. Errors: kNotFound.
  absl::Status DeleteSchedule(std::string_view name);

  absl::StatusOr<Schedule> GetSchedule(std::string_view name) const;
  // By name.
  std::vector<Schedule> ListSchedules(std::string_view prefix = {}) const;

  // --- Archives of buses, and replays (banyan/archive.h)

  // Errors  kNotFound: no such bus. kAlreadyExists: there is an archive of that name, whatever its
  //         options. kInvalidArgument: a bad name, pattern, description, retention or bytes_max.
  //         kResourceExhausted: as many as the limits allow.
  absl::StatusOr<ArchiveDescription> CreateArchive(std::string_view name, ArchiveOptions options);
  // Errors, each: kNotFound.
  absl::StatusOr<ArchiveDescription> DescribeArchive(std::string_view name) const;
  // kInvalidArgument if nothing is to change, whether there is such an archive or not; and as
  // CreateArchive.
  absl::StatusOr<ArchiveDescription> UpdateArchive(std::string_view name, ArchiveUpdate update);
  // What it held is gone; a replay that reads it fails. A bus can be deleted while it has archives:
  // they go on without it.
  absl::Status DeleteArchive(std::string_view name);
  // Errors  kInvalidArgument: more than one filter, limit. kNotFound: no such bus.
  absl::StatusOr<ArchivePage> ListArchives(ListArchivesOptions options = {}) const;

  // Starts putting the archive's events on its bus again; goes on by itself. Its name is taken from
  // now on and for 90 days after its end, for replays of any archive. At most
  // limits.broker.replays_kept_max are remembered: for one more, the one that ended first is
  // forgotten early, and its name is free. While the bus has many deliveries pending (more than
  // 1,000), a replay goes slowly: 100 events each 100 ms. A broker that stops replays no further.
  //
  // Errors  kInvalidArgument: a bad name; no such archive, or rule; another bus than the archive's;
  //         a start that is not before the end, in whole seconds. kNotFound: no such bus.
  //         kAlreadyExists: the name is taken. kResourceExhausted: ten are active.
  absl::StatusOr<ReplayDescription> StartReplay(std::string_view name, ReplayOptions options);
  // Errors, each: kNotFound.
  absl::StatusOr<ReplayDescription> DescribeReplay(std::string_view name) const;
  // It is kCancelling now, and kCancelled when the slice in hand has ended. kFailedPrecondition
  // (IllegalStatusException): it is neither starting nor running.
  absl::StatusOr<ReplayDescription> CancelReplay(std::string_view name);
  // Errors  kInvalidArgument: more than one filter, limit.
  absl::StatusOr<ReplayPage> ListReplays(ListReplaysOptions options = {}) const;

  // Ordered shutdown, for at most `drain_within`:
  //   1. nothing new is taken: calls from outside answer kUnavailable, blocked receives end so,
  //      schedules fire no more;
  //   2. consumers receive no more; handlers that run go on, and what they send, publish and
  //      settle still passes;
  //   3. deliveries that are pending (functions to be called, retries) are tried;
  //   4. everything is closed, and what is left is counted.
  // It returns as soon as 2 and 3 have nothing left to do, and goes on to 4 when `stop` is
  // requested. Called from inside a handler, it waits neither for that nor for receives beneath it
  // on its own stack; but it does for a Publish that called it inline. Once only; a second call
  // answers the same report. Not to be called by a tap or a log sink, which run inside calls that
  // Stop would wait for. `drain_within` is the Runtime's time: a frozen clock does not end it.
  StopReport Stop(absl::Duration drain_within, std::stop_token stop = {});

  // Back to an empty broker, for tests: every resource is deleted, names are free at once, ids
  // start again. Handles to what was there answer kNotFound. Waits for nothing; the report's
  // calls_running are handlers that still run.
  StopReport Reset();

  // What topics had for e-mail addresses, telephones and devices, see captured_notification.h. Goes on
  // to answer when the broker has stopped.
  CapturedNotificationList CapturedNotifications() const;
  void ClearCapturedNotifications();

  // Of every queue, for a scrape; see banyan/metrics.h. Empty once the broker stops.
  BrokerMetrics Metrics() const;

  // What there is, and who delivers to whom (banyan/topology.h). Consumers are not in it: a broker
  // does not know them. Errors: kUnavailable.
  absl::StatusOr<banyan::Topology> Topology() const;

  // What became of one event (banyan/story.h). `id`: of the event, which is what Publish, PutEvents
  // and Send have answered, FunctionEvent and Received::event_id() say; or of a message in some
  // queue on its way. Works in a broker that has stopped, too.
  // Errors  kFailedPrecondition: no stories are kept (BrokerOptions::story). kNotFound: no such
  //         event, or it is forgotten.
  absl::StatusOr<EventStory> Story(Id id) const;
  StoryStats StoriesKept() const;

  std::string_view account() const;
  std::string_view region() const;
  const Limits& limits() const;

 private:
  friend class internal::BrokerCore;
  explicit Broker(std::shared_ptr<internal::BrokerCore> core);
  std::shared_ptr<internal::BrokerCore> core_;
};

namespace internal {
class Journal;

// For the library's own rooms: a broker whose every durable change `journal` hears of.
BANYAN_EXPORT absl::StatusOr<Broker> CreateJournaledBroker(Runtime& runtime, BrokerOptions options,
                                                           Journal* journal);
}  // namespace internal

}  // namespace banyan::inline v0_1

#endif  // BANYAN_BROKER_H_
