// SPDX-License-Identifier: Apache-2.0
//
// lib/consume/mapping_options.h -- floor 5: what a stream mapping may be asked for.
#ifndef BANYAN_LIB_CONSUME_MAPPING_OPTIONS_H_
#define BANYAN_LIB_CONSUME_MAPPING_OPTIONS_H_

#include "absl/status/status.h"
#include "banyan/mapping.h"

namespace banyan::inline v0_1::internal {

// All but the filters, which are checked when they are compiled.
absl::Status ValidateMappingOptions(const StreamMappingOptions& options);

}  // namespace banyan::inline v0_1::internal

#endif  // BANYAN_LIB_CONSUME_MAPPING_OPTIONS_H_
