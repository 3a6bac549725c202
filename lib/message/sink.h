// SPDX-License-Identifier: Apache-2.0
//
// lib/message/sink.h -- floor 1: the door through which a message enters a destination.
//
// Queues, streams, functions and (later) the bridge are sinks; topics, buses, redrives and
// dead-letter moves only know this door, so that no floor has to look up.
#ifndef BANYAN_LIB_MESSAGE_SINK_H_
#define BANYAN_LIB_MESSAGE_SINK_H_

#include <optional>
#include <string>

#include "absl/functional/any_invocable.h"
#include "absl/functional/function_ref.h"
#include "absl/status/status.h"
#include "message/message.h"

namespace banyan::inline v0_1::internal {

// Called once with the outcome of a delivery, from any thread, under no lock.
using Completion = absl::AnyInvocable<void(absl::Status) &&>;

// Makes the completion of the delivery at hand. A sink that answers at once never calls it, and
// pays nothing for it.
using LaterFn = absl::FunctionRef<Completion()>;

// What a destination would answer to a delivery.
struct Prospect {
  absl::Status answer = {};   // OK also where it would answer later
  bool is_duplicate = false;  // it would answer OK and store nothing: the message is there already
};

class Sink {
 public:
  virtual ~Sink() = default;

  // Takes the message (OK), refuses it (an error, see IsPermanent), or answers later: nullopt,
  // after it took `later()`. Whatever it answers, it answers once.
  //
  // Never blocks. May be called under no lock of another resource.
  virtual std::optional<absl::Status> Accept(const Delivery& delivery, LaterFn later) = 0;

  // What Accept() would answer now. Takes nothing, and changes nothing but what time itself changes.
  // For those who explain. Who cannot know before he has tried says OK.
  virtual Prospect Foresee(const Delivery&) { return {}; }

  virtual const std::string& arn_text() const = 0;
};

// True for refusals that another attempt cannot mend: the destination is gone, or it will never
// take this message. Everything else (full, unavailable, handler failed) is tried again.
inline bool IsPermanent(const absl::Status& refusal) {
  switch (refusal.code()) {
    case absl::StatusCode::kNotFound:
    case absl::StatusCode::kInvalidArgument:
    case absl::StatusCode::kPermissionDenied:
    case absl::StatusCode::kUnimplemented:
      return true;
    default:
      return false;
  }
}

}  // namespace banyan::inline v0_1::internal

#endif  // BANYAN_LIB_MESSAGE_SINK_H_
