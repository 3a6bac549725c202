// SPDX-License-Identifier: Apache-2.0
//
// The MD5 digests by which SQS and its SDKs check what was sent, and the choice of attributes that
// a receiver asks for. Made when somebody looks: the library does not need them.
//
//   Attributes wanted = SelectMessageAttributes(job.attributes(), {"tenant", "trace.*"});
//   Md5OfBody(job.body());            // MD5OfBody
//   Md5OfAttributes(wanted);          // MD5OfMessageAttributes: of those that are returned
//
// Threads   Any.
// Errors    None: every text has a digest.
// Source    docs.aws.amazon.com/AWSSimpleQueueService/latest/SQSDeveloperGuide/sqs-message-metadata.html
#ifndef BANYAN_MESSAGE_MD5_H_
#define BANYAN_MESSAGE_MD5_H_

#include <optional>
#include <string>
#include <string_view>

#include "absl/types/span.h"
#include "banyan/attributes.h"
#include "banyan/export.h"

namespace banyan::inline v0_1 {

// 32 lower-case hexadecimal digits.
BANYAN_EXPORT std::string Md5OfBody(std::string_view body);

// Nothing if there are no attributes. A type that begins with "Binary" counts as binary, every
// other one as text ("String.Array" is to SQS a String with a label).
BANYAN_EXPORT std::optional<std::string> Md5OfAttributes(const Attributes& attributes);

// MD5OfMessageSystemAttributes, which only a send is answered with. The only one that can be sent is
// AWSTraceHeader. Nothing if that is empty.
BANYAN_EXPORT std::optional<std::string> Md5OfSystemAttributes(std::string_view trace_header);

// Those that `names` asks for: each an exact name; a prefix, as "trace.*", which asks for every
// name that begins with "trace"; or all of them: "All", ".*" or "*". No names, no attributes.
BANYAN_EXPORT Attributes SelectMessageAttributes(const Attributes& attributes,
                                                 absl::Span<const std::string> names);

}  // namespace banyan::inline v0_1

#endif  // BANYAN_MESSAGE_MD5_H_
