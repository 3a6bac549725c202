// SPDX-License-Identifier: Apache-2.0
//
// Everything, in reading order. Include the single headers where compile time counts.
//
// No promise of a stable ABI before 1.0: the inline namespace carries the version, so that code
// built against another one fails to link instead of misbehaving.
#ifndef BANYAN_BANYAN_H_
#define BANYAN_BANYAN_H_

// IWYU pragma: begin_exports
// clang-format off
#include "banyan/runtime.h"
#include "banyan/broker.h"
#include "banyan/queue.h"
#include "banyan/queue_options.h"
#include "banyan/received.h"
#include "banyan/topic.h"
#include "banyan/pattern.h"
#include "banyan/rule_set.h"
#include "banyan/lint.h"
#include "banyan/event_bus.h"
#include "banyan/archive.h"
#include "banyan/scheduler.h"
#include "banyan/target.h"
#include "banyan/forecast.h"
#include "banyan/function.h"
#include "banyan/http_transport.h"
#include "banyan/notification_signer.h"
#include "banyan/captured_notification.h"
#include "banyan/consumer.h"
#include "banyan/typed.h"
#include "banyan/envelope.h"
#include "banyan/outbox.h"
#include "banyan/stream.h"
#include "banyan/stream_range.h"
#include "banyan/aggregation.h"
#include "banyan/worker.h"
#include "banyan/mapping.h"
#include "banyan/window.h"
#include "banyan/stream_consumer.h"
#include "banyan/stream_replay.h"
#include "banyan/metrics.h"
#include "banyan/story.h"
#include "banyan/topology.h"
#include "banyan/payload.h"
#include "banyan/attributes.h"
#include "banyan/message_md5.h"
#include "banyan/id.h"
#include "banyan/arn.h"
#include "banyan/error.h"
#include "banyan/limits.h"
#include "banyan/log.h"
#include "banyan/tap.h"
// clang-format on
// IWYU pragma: end_exports

#endif  // BANYAN_BANYAN_H_
