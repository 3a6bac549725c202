// SPDX-License-Identifier: Apache-2.0
//
// LogSink: the library's only voice. Without one it is silent; it never prints.
//
// Threads   Write() is called from any thread, possibly several at once, never under a lock of
//           the library. It must not throw.
// Lifetime  The sink outlives the Broker it was given to.
#ifndef BANYAN_LOG_H_
#define BANYAN_LOG_H_

#include <string_view>

#include "banyan/export.h"

namespace banyan::inline v0_1 {

enum class LogSeverity {
  kInfo,     // something a newcomer would want to see once
  kWarning,  // something that works, but not as its owner would wish: a handler that overruns
  kError,    // something was given up: a message dropped without a dead-letter queue
};

struct LogRecord {
  LogSeverity severity = LogSeverity::kInfo;
  std::string_view resource;  // ARN of the queue, topic, ... concerned; may be empty
  std::string_view text;      // one line, no line break; both views live as long as the call
};

class BANYAN_EXPORT LogSink {
 public:
  virtual ~LogSink() = default;
  virtual void Write(const LogRecord& record) = 0;
};

}  // namespace banyan::inline v0_1

#endif  // BANYAN_LOG_H_
