// SPDX-License-Identifier: Apache-2.0
//
// From a line of text to an event in EventBridge's envelope.
#ifndef BANYAN_EXAMPLES_REPLAY_ENVELOPE_H_
#define BANYAN_EXAMPLES_REPLAY_ENVELOPE_H_

#include <cstddef>
#include <string>
#include <string_view>

namespace replay {

struct Envelope {
  std::string event;      // JSON; empty if the line was refused
  std::string reason;     // why it was refused
  size_t error_byte = 0;  // where in the line, from 1
};

// A line that holds an object with a source, a detail-type (both text) and a detail (an object) is
// an event already. Any other object is wrapped: it becomes the detail of an event whose source is
// "replay" and whose type is `detail_type`. Anything else is refused.
//
// RapidJSON reads the line, for the sake of its error positions. It is stricter than the library in
// two places: it takes no number beyond a double's range (1e400) and no half of a surrogate pair.
Envelope PutIntoEnvelope(std::string_view line, std::string_view detail_type);

}  // namespace replay

#endif  // BANYAN_EXAMPLES_REPLAY_ENVELOPE_H_
