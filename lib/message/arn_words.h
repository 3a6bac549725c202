// SPDX-License-Identifier: Apache-2.0
//
// lib/message/arn_words.h -- floor 1: a resource as people call it.
#ifndef BANYAN_LIB_MESSAGE_ARN_WORDS_H_
#define BANYAN_LIB_MESSAGE_ARN_WORDS_H_

#include <string>
#include <string_view>

namespace banyan::inline v0_1::internal {

// "queue billing", "rule shop/big-orders", "subscription orders:1b2c...". The text itself where it
// names nothing that a broker has.
std::string ArnWords(std::string_view arn);

}  // namespace banyan::inline v0_1::internal

#endif  // BANYAN_LIB_MESSAGE_ARN_WORDS_H_
