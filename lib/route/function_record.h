// SPDX-License-Identifier: Apache-2.0
//
// lib/route/function_record.h -- floor 5: what a function sees of a topic: the message itself and,
// for who wants it, the event that Lambda would hand to a function.
#ifndef BANYAN_LIB_ROUTE_FUNCTION_RECORD_H_
#define BANYAN_LIB_ROUTE_FUNCTION_RECORD_H_

#include <memory>
#include <string>
#include <string_view>

#include "message/environment.h"
#include "message/message.h"
#include "route/signing.h"

namespace banyan::inline v0_1::internal {

class FunctionRecord final : public Presentation {
 public:
  FunctionRecord(std::shared_ptr<const Environment> env, std::string topic_arn);

  Payload Body(const Message& message) const override { return message.body; }
  std::string_view BodyView(const Message& message, Payload*) const override {
    return message.body.view();
  }
  size_t Size(const Message& message) const override { return message.body.size(); }
  bool ShowsAttributes() const override { return true; }

  // One record in the shape of Lambda. Its signature is of version 1 whatever the topic's is, as
  // SNS has it.
  std::string LambdaEvent(const Message& message, std::string_view subscription_arn) const override;

 private:
  const std::shared_ptr<const Environment> env_;
  const std::string topic_arn_;
  const Signing signing_;
};

}  // namespace banyan::inline v0_1::internal

#endif  // BANYAN_LIB_ROUTE_FUNCTION_RECORD_H_
