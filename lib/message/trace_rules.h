// SPDX-License-Identifier: Apache-2.0
//
// lib/message/trace_rules.h -- floor 1: what every door asks of a trace header.
//
// One rule for queues, topics, buses and streams, because a header goes on over every hop: what one
// service lets in, the next must not refuse. The bound is EventBridge's (TraceHeader, 1 to 500);
// X-Ray's headers and W3C's are printable ASCII, and control characters would end up in logs and
// HTTP headers.
#ifndef BANYAN_LIB_MESSAGE_TRACE_RULES_H_
#define BANYAN_LIB_MESSAGE_TRACE_RULES_H_

#include <cstddef>
#include <string>
#include <string_view>

namespace banyan::inline v0_1::internal {

inline constexpr size_t kTraceHeaderBytesMax = 500;

// Empty if the header is good (or empty: none was given). Else the rule it breaks, to be read after
// "must": "have length less than or equal to 500; it has 501".
std::string BrokenTraceRule(std::string_view header);

}  // namespace banyan::inline v0_1::internal

#endif  // BANYAN_LIB_MESSAGE_TRACE_RULES_H_
