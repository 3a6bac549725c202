// SPDX-License-Identifier: Apache-2.0
//
// lib/broker/metrics.cc -- floor 6: what all resources of a broker have done, in numbers.
#include <algorithm>
#include <tuple>
#include <utility>

#include "broker/broker_core.h"
#include "broker/registry.h"
#include "queue/core.h"
#include "route/event_bus_core.h"
#include "route/topic_core.h"
#include "stream/core.h"

namespace banyan::inline v0_1::internal {

BrokerMetrics BrokerCore::Metrics() const {
  BrokerMetrics metrics;
  for (const auto& topic : List(&Registry::topics, {})) {
    absl::StatusOr<TopicMetrics> its = topic->Metrics();
    if (its.ok()) metrics.topics.push_back(*std::move(its));
  }
  for (const auto& bus : List(&Registry::buses, {})) {
    absl::StatusOr<EventBusMetrics> its = bus->Metrics();
    if (its.ok()) metrics.buses.push_back(*std::move(its));
  }
  for (const auto& stream : List(&Registry::streams, {})) {
    absl::StatusOr<StreamMetrics> its = stream->Metrics();
    if (its.ok()) metrics.streams.push_back(*std::move(its));
  }
  for (const auto& reader : env_->readers.All()) reader->AddTo(&metrics);
  std::sort(metrics.mappings.begin(), metrics.mappings.end(), [](const auto& a, const auto& b) {
    return std::tie(a.stream_name, a.function_name) < std::tie(b.stream_name, b.function_name);
  });
  std::sort(metrics.workers.begin(), metrics.workers.end(), [](const auto& a, const auto& b) {
    return std::tie(a.stream_name, a.application) < std::tie(b.stream_name, b.application);
  });
  const Environment::PutEventsBooks& puts = env_->put_events;
  metrics.put_events = {.approximate_failed_count = puts.failed_calls.load(),
                        .entries_count = puts.entries.load(),
                        .failed_entries_count = puts.failed_entries.load(),
                        .request_size = puts.request_size.Read()};
  metrics.put_events.approximate_success_count = metrics.put_events.request_size.count;
  metrics.put_events.approximate_call_count =
      metrics.put_events.approximate_success_count + metrics.put_events.approximate_failed_count;
  for (const std::shared_ptr<QueueCore>& queue : List(&Registry::queues, "")) {
    absl::StatusOr<QueueMetrics> its = queue->Metrics();
    if (its.ok()) metrics.queues.push_back(*std::move(its));  // else: deleted meanwhile
  }
  return metrics;
}

}  // namespace banyan::inline v0_1::internal
