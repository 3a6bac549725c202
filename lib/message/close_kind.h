// SPDX-License-Identifier: Apache-2.0
//
// lib/message/close_kind.h -- floor 1: why a resource is closed, and what its handles answer then.
#ifndef BANYAN_LIB_MESSAGE_CLOSE_KIND_H_
#define BANYAN_LIB_MESSAGE_CLOSE_KIND_H_

namespace banyan::inline v0_1::internal {

enum class CloseKind {
  kDeleted,  // kNotFound from now on
  kStopped,  // the broker stops: kUnavailable from now on
};

}  // namespace banyan::inline v0_1::internal

#endif  // BANYAN_LIB_MESSAGE_CLOSE_KIND_H_
