// SPDX-License-Identifier: Apache-2.0
#include "router.h"

#include <cstdio>
#include <utility>

#include "../common/terminal.h"

namespace replay {
namespace {

using banyan::Broker;
using banyan::Consumer;
using banyan::Queue;
using banyan::Received;
using banyan::Stream;
using banyan::Target;
using examples::WithCommas;

// How much may wait in the queues before the consumers get their turn. Each event rests at most
// once per target, and its bytes are shared, so these are the bounds on what rests altogether.
constexpr int64_t kEventsMax = 256;
constexpr size_t kBytesMax = 8 << 20;

absl::Status InFront(std::string_view what, const absl::Status& status) {
  return absl::Status(status.code(), std::string(what) + ": " + std::string(status.message()));
}

}  // namespace

absl::StatusOr<std::unique_ptr<Router>> Router::Create(banyan::ThreadedRuntime& runtime,
                                                       absl::Span<const RuleSpec> rules) {
  absl::StatusOr<Broker> broker = Broker::Create(runtime, {});
  if (!broker.ok()) return broker.status();
  std::unique_ptr<Router> router(new Router(runtime, *std::move(broker)));

  absl::StatusOr<banyan::EventBus> bus = router->broker_.CreateEventBus("replay");
  if (!bus.ok()) return bus.status();
  router->bus_ = *std::move(bus);
  for (const RuleSpec& rule : rules) {
    if (absl::Status added = router->AddRule(rule); !added.ok()) {
      return InFront("rule " + rule.name, added);
    }
  }
  return router;
}

absl::Status Router::AddRule(const RuleSpec& spec) {
  if (bus_.FindRule(spec.name).ok()) return absl::AlreadyExistsError("a second rule of that name");
  std::vector<Target> targets;
  for (const TargetSpec& target_spec : spec.targets) {
    absl::StatusOr<Target> target = FindOrCreate(target_spec);
    if (!target.ok()) return InFront("target " + target_spec.name, target.status());
    targets.push_back(*std::move(target));
  }
  absl::StatusOr<banyan::Rule> rule = bus_.PutRule(
      spec.name,
      {.pattern = spec.pattern, .targets = std::move(targets), .description = spec.description});
  if (!rule.ok()) return rule.status();
  rules_.push_back(*std::move(rule));
  return absl::OkStatus();
}

absl::StatusOr<Target> Router::FindOrCreate(const TargetSpec& spec) {
  if (spec.kind == TargetSpec::Kind::kStream) {
    // 64 MiB at most; beyond it the oldest records go early, and the report says how many.
    absl::StatusOr<Stream> stream =
        broker_.CreateStream(spec.name, {.shards = 4, .shard_bytes_max = 16 << 20});
    if (!stream.ok()) return stream.status();
    streams_[spec.name] = *stream;
    Target target(*std::move(stream));
    if (!spec.partition_key_path.empty()) target.PartitionKeyPath(spec.partition_key_path);
    return target;
  }

  auto [it, is_new] = inboxes_.try_emplace(spec.name);
  Inbox& inbox = it->second;
  if (!is_new) return Target(inbox.queue);

  absl::StatusOr<Queue> queue = broker_.CreateQueue(spec.name);
  if (!queue.ok()) return queue.status();
  inbox.queue = *std::move(queue);
  absl::StatusOr<Consumer> consumer =
      Consumer::Start(inbox.queue, {.batch_size = 10}, [&inbox](const Received&) {
        ++inbox.settled;  // without a lock: the one thread that polls runs all handlers
        return absl::OkStatus();
      });
  if (!consumer.ok()) return consumer.status();
  inbox.consumer = *std::move(consumer);
  return Target(inbox.queue);
}

absl::StatusOr<bool> Router::Put(std::string_view event) {
  if (events_since_drain_ >= kEventsMax || bytes_since_drain_ >= kBytesMax) Drain();
  ++events_since_drain_;
  bytes_since_drain_ += event.size();

  const int64_t unmatched_before = bus_.Stats().unmatched;
  if (absl::Status put = bus_.PutEnveloped(event).status(); !put.ok()) return put;
  return bus_.Stats().unmatched == unmatched_before;
}

void Router::Drain() {
  while (!AllEmpty()) runtime_.Poll(absl::Milliseconds(10));
  events_since_drain_ = 0;
  bytes_since_drain_ = 0;
}

bool Router::AllEmpty() const {
  for (const auto& [name, inbox] : inboxes_) {
    if (inbox.queue.Depth().total() != 0) return false;
  }
  return true;
}

bool Router::PrintReport() const {
  bool balances = true;
  int64_t delivered = 0;
  std::printf("%-28s %12s  %s\n", "rule", "matched", "delivered to");
  for (const banyan::Rule& rule : rules_) {
    const banyan::RuleStats stats = rule.Stats();
    std::printf("%-28s %12s ", std::string(rule.name()).c_str(), WithCommas(stats.matched).c_str());
    for (const banyan::TargetStats& target : stats.targets) {
      std::printf(" %s %s", target.target_id.c_str(),
                  WithCommas(target.delivery.delivered).c_str());
      delivered += target.delivery.delivered;
      balances = balances && target.delivery.delivered == stats.matched;
    }
    std::printf("\n");
  }
  const banyan::EventBusStats bus = bus_.Stats();
  std::printf("%-28s %12s\n", "(no rule)", WithCommas(bus.unmatched).c_str());
  std::printf("%-28s %12s\n\n", "(all events)", WithCommas(bus.accepted).c_str());

  int64_t arrived = 0;
  for (const auto& [name, inbox] : inboxes_) {
    const banyan::QueueStats stats = inbox.queue.Stats();
    std::printf("queue  %-21s %12s  settled %s, resting %s\n", name.c_str(),
                WithCommas(stats.accepted).c_str(), WithCommas(inbox.settled).c_str(),
                WithCommas(stats.depth.total()).c_str());
    arrived += stats.accepted;
    balances = balances && stats.accepted == inbox.settled + stats.depth.total();
  }
  for (const auto& [name, stream] : streams_) {
    const banyan::StreamStats stats = stream.Stats();
    std::printf("stream %-21s %12s  resting %s, trimmed at the bound %s\n", name.c_str(),
                WithCommas(stats.accepted).c_str(), WithCommas(stats.resting).c_str(),
                WithCommas(stats.trimmed_early).c_str());
    arrived += stats.accepted;
  }
  balances = balances && delivered == arrived;
  return balances;
}

}  // namespace replay
