// SPDX-License-Identifier: Apache-2.0
//
// lib/deliver/function_core.h -- floor 4: a user's callable as a destination.
//
//   Accept --> waiting_ --> a worker (a task on the Runtime) calls the handler --> Completion
//
// F1  There are min(concurrency, deliveries under way) workers. A worker is a chain of tasks: each
//     takes one delivery, calls the handler, and posts the next, so that one busy function does not
//     keep a thread of the Runtime from everybody else.
// F2  Each accepted delivery's Completion is called once: after its call, or with a refusal when
//     the function is deleted. When the broker stops, those not begun are left uncalled (their
//     couriers keep them in the books as pending).
// F3  The handler, its destructor and Completions run under no lock.
// F4  A call made inline (by whoever delivers) takes no lock. It enters and leaves by one word,
//     which counts those inside and those that were, and says whether the function is closed. Who
//     enters before that may call the handler, for Close() leaves it to the last of them to destroy:
//     a leave is a release, and the last one acquires them all. Who enters after it goes away again.
//     AwaitIdle() waits until nobody else is inside and the handler is gone.
//
// Whatever code a handler answers with, it is a failed attempt and no more: kNotFound from a lookup
// in the handler must not pass for "this function is gone". So a handler's error that the sink's
// contract would read as permanent is wrapped.
#ifndef BANYAN_LIB_DELIVER_FUNCTION_CORE_H_
#define BANYAN_LIB_DELIVER_FUNCTION_CORE_H_

#include <atomic>
#include <cstdint>
#include <deque>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "absl/base/thread_annotations.h"
#include "absl/status/status.h"
#include "absl/time/time.h"
#include "banyan/function.h"
#include "banyan/limits.h"
#include "banyan/mutex.h"
#include "base/this_thread.h"
#include "message/close_kind.h"
#include "message/environment.h"
#include "message/sink.h"

namespace banyan::inline v0_1::internal {

// Names: 1 to 64 letters, digits, hyphens and underscores, as Lambda's.
absl::Status ValidateFunctionName(std::string_view name);
absl::Status ValidateFunctionOptions(const FunctionOptions& options);

class FunctionCore : public Sink, public std::enable_shared_from_this<FunctionCore> {
 public:
  static std::shared_ptr<FunctionCore> Create(std::shared_ptr<Environment> env, std::string name,
                                              FunctionOptions options, FunctionHandler handler);

  std::optional<absl::Status> Accept(const Delivery& delivery, LaterFn later) override;
  Prospect Foresee(const Delivery& delivery) override;
  const std::string& arn_text() const override { return arn_text_; }

  // Whether it is there.
  absl::Status CheckOpen() const;

  // Calls the handler now, on this thread, and answers what it answered. The caller has a pass of
  // the broker's gate, or of its tasks.
  absl::Status CallInline(const Delivery& delivery);

  FunctionStats Stats() const;
  const Arn& arn() const { return arn_; }
  const std::shared_ptr<Environment>& env() const { return env_; }
  const std::string& name() const { return name_; }
  const FunctionOptions& options() const { return options_; }

  // Begins no further call and lets go of the handler. Waits for nothing.
  void Close(CloseKind kind);

  // After Close(): waits until no other thread is inside the handler. (The calling thread may be:
  // a handler deletes its own function.) False: the deadline came first.
  bool AwaitIdle(absl::Duration deadline, std::stop_token stop = {});

 private:
  struct Call {
    Delivery delivery;
    Completion done;
  };

  FunctionCore(std::shared_ptr<Environment> env, std::string name, FunctionOptions options,
               FunctionHandler handler);

  // The inline word (F4).
  static constexpr uint64_t kEntered = 1;
  static constexpr uint64_t kClosed = uint64_t{1} << 20;  // below it: who is inside
  static constexpr uint64_t kCalled = kClosed << 1;       // from it on: who was

  static int64_t Inside(uint64_t word) { return static_cast<int64_t>(word & (kClosed - 1)); }
  static int64_t Called(uint64_t word) { return static_cast<int64_t>(word / kCalled); }
  void LeaveInline(bool called);

  void PostWorker() ABSL_EXCLUSIVE_LOCKS_REQUIRED(mu_);
  void Work();
  absl::Status Run(const FunctionHandler& handler, const Delivery& delivery) const;
  absl::Status Gone(CloseKind kind) const;
  absl::Status TooManyWait() const;

  const std::shared_ptr<Environment> env_;
  const std::string name_;
  const FunctionOptions options_;
  const Arn arn_;
  const std::string arn_text_;

  const FunctionHandler* const inline_handler_;  // there for who is inside (F4)
  std::atomic<uint64_t> inline_word_{0};
  std::atomic<int64_t> inline_failures_{0};

  mutable Mutex mu_;
  std::shared_ptr<const FunctionHandler> handler_ ABSL_GUARDED_BY(mu_);  // null once closed
  std::shared_ptr<const FunctionHandler> retired_
      ABSL_GUARDED_BY(mu_);  // F4: for the last to leave
  bool retired_is_gone_ ABSL_GUARDED_BY(mu_) = true;
  CloseKind close_kind_ ABSL_GUARDED_BY(mu_) = CloseKind::kStopped;
  std::deque<Call> waiting_ ABSL_GUARDED_BY(mu_);
  int64_t workers_ ABSL_GUARDED_BY(mu_) = 0;              // F1
  std::vector<ThreadToken> inside_ ABSL_GUARDED_BY(mu_);  // one entry per running call
  WaitList idle_ ABSL_GUARDED_BY(mu_);
  FunctionStats stats_ ABSL_GUARDED_BY(mu_);  // without running and pending, and what was inline
};

// A function that is called by whoever delivers to it.
class InlineFunction final : public Sink {
 public:
  explicit InlineFunction(std::shared_ptr<FunctionCore> function)
      : function_(std::move(function)) {}

  std::optional<absl::Status> Accept(const Delivery& delivery, LaterFn) override {
    return function_->CallInline(delivery);
  }
  Prospect Foresee(const Delivery&) override { return {function_->CheckOpen()}; }
  const std::string& arn_text() const override { return function_->arn_text(); }

 private:
  const std::shared_ptr<FunctionCore> function_;
};

}  // namespace banyan::inline v0_1::internal

#endif  // BANYAN_LIB_DELIVER_FUNCTION_CORE_H_
