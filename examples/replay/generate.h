// SPDX-License-Identifier: Apache-2.0
//
// Events made up for a run without a file: the same line for the same index, always.
#ifndef BANYAN_EXAMPLES_REPLAY_GENERATE_H_
#define BANYAN_EXAMPLES_REPLAY_GENERATE_H_

#include <cstdint>
#include <string>

namespace replay {

// One line of NDJSON. Of a hundred in a row, by the last two digits of `index`: 49, 98 and 99 are
// malformed, each in its own way; of the others the last digit chooses the kind:
//   0-3 orders, 4-5 payments, 6 parcels with a list of items (all three in an envelope),
//   7-8 sensor readings without an envelope, 9 an event of an old system.
std::string GenerateLine(int64_t index);

}  // namespace replay

#endif  // BANYAN_EXAMPLES_REPLAY_GENERATE_H_
