// SPDX-License-Identifier: Apache-2.0
//
// lib/message/environment.h -- floor 1: what every room may ask of the broker it belongs to.
//
// One per broker, shared by its resources; handles that outlive the broker keep it alive. The
// Runtime behind it must not be touched once the gate is closed and drained: it may be gone.
#ifndef BANYAN_LIB_MESSAGE_ENVIRONMENT_H_
#define BANYAN_LIB_MESSAGE_ENVIRONMENT_H_

#include <atomic>
#include <memory>
#include <string>
#include <string_view>

#include "banyan/arn.h"
#include "banyan/id.h"
#include "banyan/limits.h"
#include "banyan/log.h"
#include "banyan/runtime.h"
#include "banyan/tap.h"
#include "base/gate.h"
#include "base/mix.h"
#include "base/sleepers.h"
#include "message/atomic_statistics.h"
#include "message/capture_log.h"
#include "message/errors.h"
#include "message/journal.h"
#include "message/readers.h"
#include "message/storyteller.h"

namespace banyan::inline v0_1 {
class HttpTransport;
class NotificationSigner;
}  // namespace banyan::inline v0_1

namespace banyan::inline v0_1::internal {

class LeaseStore;

// Ids as a function of seed and sequence: the same run gives the same ids, whoever looks.
class IdSource {
 public:
  explicit IdSource(uint64_t seed) : seed_(seed) {}

  Id Next() { return At(Take(1)); }

  // Several at once: the places of `count` ids in the sequence, from the one it answers.
  uint64_t Take(uint64_t count) { return next_.fetch_add(count, std::memory_order_relaxed); }
  Id At(uint64_t n) const {
    // The bits that make a UUID say "version 4, variant 1".
    return {(Mix64(seed_ + 2 * n * kMixStep) & ~uint64_t{0xF000}) | 0x4000,
            (Mix64(seed_ + (2 * n + 1) * kMixStep) & ~(uint64_t{3} << 62)) | (uint64_t{2} << 62)};
  }

  // Begins again with the first id, for a broker that begins again.
  void Restart() { next_.store(0, std::memory_order_relaxed); }

 private:
  const uint64_t seed_;
  std::atomic<uint64_t> next_{0};
};

struct Environment {
  Environment(Runtime& r, Limits l, uint64_t id_seed)
      : runtime(r),
        limits(l),
        captured(l.broker.captured_notifications_max),
        ids(id_seed),
        incarnation_seed_(Mix64(id_seed)) {}

  Runtime& runtime;
  const Limits limits;
  std::string account = "000000000000";
  std::string region = "us-east-1";
  LogSink* log = nullptr;
  Tap* tap = nullptr;
  Journal* journal = nullptr;
  HttpTransport* http_transport = nullptr;  // outlives the broker; may be null
  std::string endpoint_url = {};            // where the broker is reached; empty: nowhere
  std::shared_ptr<const NotificationSigner> notification_signer = nullptr;
  std::shared_ptr<LeaseStore> leases = nullptr;  // what the workers of this broker share
  CaptureLog captured;
  std::unique_ptr<Storyteller> story;  // null: stories are off
  Gate gate;                           // every call through a public handle
  Gate tasks;  // retries and handlers on the Runtime: a stopping broker closes it last, after
               // `gate`, so that what was accepted can still be delivered
  Sleepers sleepers;                        // callers in a long poll
  std::atomic<int64_t> filter_policies{0};  // of all topics

  // Calls that put events, on whatever bus; see PutEventsMetrics.
  struct PutEventsBooks {
    std::atomic<int64_t> failed_calls{0};
    std::atomic<int64_t> entries{0};
    std::atomic<int64_t> failed_entries{0};
    AtomicStatistics request_size;  // of calls that did not fail; counts them, too

    void Reset() {
      failed_calls = entries = failed_entries = 0;
      request_size.Reset();
    }
  };
  PutEventsBooks put_events;
  SourceReaders readers;
  IdSource ids;

  // Names one life of one resource, in receipt handles and iterators. Unlike ids it never comes
  // again, not even in a broker that was reset: what was kept from before must not fit.
  uint64_t NextIncarnation() {
    return Mix64(incarnation_seed_ +
                 kMixStep * incarnations_.fetch_add(1, std::memory_order_relaxed));
  }

  Arn MakeArn(std::string_view service, std::string_view resource) const {
    return {"aws", std::string(service), region, account, std::string(resource)};
  }

  // What a call answers that the gate did not admit.
  absl::Status Refusal() const {
    if (gate.Look() == Gate::Answer::kForked) {
      return Error(AwsError::kServiceUnavailable,
                   "This process was forked from the broker's; the broker is the parent's.");
    }
    return Error(AwsError::kServiceUnavailable, "The broker is stopping or has stopped.");
  }

  void Log(LogSeverity severity, std::string_view resource, std::string_view text) const {
    if (log != nullptr) log->Write({severity, resource, text});
  }

 private:
  const uint64_t incarnation_seed_;
  std::atomic<uint64_t> incarnations_{0};
};

}  // namespace banyan::inline v0_1::internal

#endif  // BANYAN_LIB_MESSAGE_ENVIRONMENT_H_
