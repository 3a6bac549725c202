// SPDX-License-Identifier: Apache-2.0
//
// How GoogleTest writes Banyan's values in failures. Without it, it writes their bytes. Include it
// (or matchers.h, which does) in every file of a test program or in none: a value must not be
// written in two ways by one program.
#ifndef BANYAN_TESTING_PRINTERS_H_
#define BANYAN_TESTING_PRINTERS_H_

#include <ostream>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "banyan/attributes.h"
#include "banyan/id.h"
#include "banyan/payload.h"
#include "banyan/queue.h"
#include "gtest/gtest.h"

namespace banyan::inline v0_1 {

// GoogleTest finds these by their argument's namespace.
void PrintTo(const Id& id, std::ostream* os);
void PrintTo(const Payload& payload, std::ostream* os);
void PrintTo(const AttributeValue& value, std::ostream* os);
void PrintTo(const Attributes& attributes, std::ostream* os);
void PrintTo(const QueueDepth& depth, std::ostream* os);
// Body, attributes and what has happened to the message so far.
void PrintTo(const Received& received, std::ostream* os);

}  // namespace banyan::inline v0_1

// Abseil's releases up to 2023 cannot write a StatusOr; GoogleTest looks for this in no other
// namespace. Where Abseil can, this stands back.
namespace absl {

template <typename T>
requires(!requires(std::ostream & os, const StatusOr<T>& value) {
  os << value;
}) void PrintTo(const StatusOr<T>& value, std::ostream* os) {
  if (value.ok()) {
    *os << "OK: " << ::testing::PrintToString(*value);
  } else {
    *os << value.status();
  }
}

}  // namespace absl

#endif  // BANYAN_TESTING_PRINTERS_H_
