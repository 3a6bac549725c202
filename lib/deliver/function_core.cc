// SPDX-License-Identifier: Apache-2.0
#include "deliver/function_core.h"

#include <algorithm>
#include <utility>

#include "base/check.h"
#include "base/exceptions.h"
#include "base/strings.h"
#include "message/errors.h"

namespace banyan::inline v0_1 {

namespace internal {

namespace {

constexpr size_t kNameMax = 64;
constexpr int64_t kConcurrencyMax = 1'000;
constexpr int64_t kPendingMax = 10'000'000;

bool IsFunctionNameCharacter(char c) { return IsNameCharacter(c) && c != '.'; }

absl::Status CheckRange(std::string_view field, int64_t value, int64_t high) {
  if (value >= 1 && value <= high) return absl::OkStatus();
  return Error(AwsError::kFunctionInvalidParameterValue, field, ": Invalid value [", value,
               "]. Must be between 1 and ", high);
}

}  // namespace

absl::Status ValidateFunctionName(std::string_view name) {
  if (name.empty() || name.size() > kNameMax ||
      !std::all_of(name.begin(), name.end(), IsFunctionNameCharacter)) {
    return Error(AwsError::kFunctionInvalidParameterValue, "FunctionName: Invalid value [", name,
                 "]. Must be 1 to ", kNameMax, " letters, digits, hyphens and underscores");
  }
  return absl::OkStatus();
}

absl::Status ValidateFunctionOptions(const FunctionOptions& options) {
  absl::Status valid = CheckRange("concurrency", options.concurrency, kConcurrencyMax);
  return valid.ok() ? CheckRange("pending_max", options.pending_max, kPendingMax) : valid;
}

FunctionCore::FunctionCore(std::shared_ptr<Environment> env, std::string name,
                           FunctionOptions options, FunctionHandler handler)
    : env_(std::move(env)),
      name_(std::move(name)),
      options_(options),
      arn_(env_->MakeArn("lambda", StrCat("function:", name_))),
      arn_text_(arn_.ToString()),
      inline_handler_(new FunctionHandler(std::move(handler))),
      handler_(inline_handler_) {}

std::shared_ptr<FunctionCore> FunctionCore::Create(std::shared_ptr<Environment> env,
                                                   std::string name, FunctionOptions options,
                                                   FunctionHandler handler) {
  BANYAN_CHECK(handler != nullptr, "whoever creates a function has looked for a handler");
  return std::shared_ptr<FunctionCore>(
      new FunctionCore(std::move(env), std::move(name), options, std::move(handler)));
}

absl::Status FunctionCore::Gone(CloseKind kind) const {
  if (kind == CloseKind::kStopped) return env_->Refusal();
  return Error(AwsError::kFunctionResourceNotFound, "Function not found: ", arn_text_);
}

absl::Status FunctionCore::TooManyWait() const {
  return Error(AwsError::kFunctionTooManyRequests, "Rate Exceeded. ", arn_text_, " has ",
               options_.pending_max, " deliveries waiting.");
}

absl::Status FunctionCore::CheckOpen() const {
  MutexLock lock(&mu_);
  return handler_ == nullptr ? Gone(close_kind_) : absl::OkStatus();
}

Prospect FunctionCore::Foresee(const Delivery&) {
  MutexLock lock(&mu_);
  if (handler_ == nullptr) return {Gone(close_kind_)};
  if (static_cast<int64_t>(waiting_.size()) >= options_.pending_max) return {TooManyWait()};
  return {};
}

std::optional<absl::Status> FunctionCore::Accept(const Delivery& delivery, LaterFn later) {
  {
    MutexLock lock(&mu_);
    if (handler_ == nullptr) return Gone(close_kind_);
    if (static_cast<int64_t>(waiting_.size()) >= options_.pending_max) {
      ++stats_.throttled;
      return TooManyWait();
    }
  }
  Completion done = later();  // not under the lock: it takes the courier's
  CloseKind closed_meanwhile;
  {
    MutexLock lock(&mu_);
    if (handler_ != nullptr) {
      // Others may have come in between; the bound is then passed by as many as there are threads.
      waiting_.push_back({delivery, std::move(done)});
      if (workers_ < options_.concurrency) {
        ++workers_;
        PostWorker();
      }
      return std::nullopt;
    }
    closed_meanwhile = close_kind_;
  }
  std::move(done)(Gone(closed_meanwhile));
  return std::nullopt;
}

void FunctionCore::PostWorker() {
  env_->runtime.Post([self = shared_from_this()] { self->Work(); });
}

void FunctionCore::Work() {
  const Gate::Pass pass = env_->tasks.Enter();
  if (!pass) return;  // the broker is gone
  // A stopping broker still takes what the handler sends; the call is one pending delivery.
  const Gate::Guest guest(env_->gate, /*deliveries=*/1);
  Call call;
  std::shared_ptr<const FunctionHandler> handler;
  {
    MutexLock lock(&mu_);
    if (handler_ == nullptr || waiting_.empty()) {
      --workers_;
      return;
    }
    call = std::move(waiting_.front());
    waiting_.pop_front();
    handler = handler_;
    inside_.push_back(ThisThread());
  }
  absl::Status answer = Run(*handler, call.delivery);
  handler.reset();  // before anyone may hear that this call has ended (F3, AwaitIdle)
  {
    MutexLock lock(&mu_);
    inside_.erase(std::find(inside_.begin(), inside_.end(), ThisThread()));
    ++stats_.calls;
    if (!answer.ok()) ++stats_.failures;
    if (handler_ != nullptr && !waiting_.empty()) {
      PostWorker();
    } else {
      --workers_;
    }
    if (handler_ == nullptr) idle_.WakeAll();
  }
  std::move(call.done)(std::move(answer));
}

absl::Status FunctionCore::CallInline(const Delivery& delivery) {
  // A stopping broker still takes what the handler sends. A first attempt lies beneath the call that
  // publishes, and nothing is pending; a later one is a task of the courier's, with a pass and a
  // pending delivery.
  const int64_t retries = delivery.attempt > 1 ? 1 : 0;
  const Gate::Guest guest(env_->gate, /*deliveries=*/retries, /*host=*/this, /*passes=*/retries);
  if ((inline_word_.fetch_add(kEntered, std::memory_order_acquire) & kClosed) != 0) {
    LeaveInline(/*called=*/false);
    MutexLock lock(&mu_);
    return Gone(close_kind_);
  }
  absl::Status answer = Run(*inline_handler_, delivery);
  if (!answer.ok()) inline_failures_.fetch_add(1, std::memory_order_relaxed);
  LeaveInline(/*called=*/true);
  if (env_->story != nullptr && answer.ok() && delivery.attempt == 1) {
    // The courier tells of what it has to wait for, or to try again; not of this.
    env_->story->Tell(delivery.message->event_id, {.kind = StoryStep::Kind::kDelivered,
                                                   .at = env_->runtime.Read(),
                                                   .resource = arn_text_,
                                                   .through = delivery.source_arn,
                                                   .attempt = delivery.attempt});
  }
  return answer;
}

void FunctionCore::LeaveInline(bool called) {
  const uint64_t left =
      inline_word_.fetch_add(called ? kCalled - kEntered : -kEntered, std::memory_order_acq_rel);
  if ((left & kClosed) == 0) return;
  std::shared_ptr<const FunctionHandler> handler;
  if (Inside(left) == 1) {
    MutexLock lock(&mu_);
    handler.swap(retired_);
  }
  const bool was_there = handler != nullptr;
  handler.reset();
  MutexLock lock(&mu_);
  if (was_there) retired_is_gone_ = true;
  idle_.WakeAll();
}

absl::Status FunctionCore::Run(const FunctionHandler& handler, const Delivery& delivery) const {
  static const Attributes no_attributes;
  const Message& message = *delivery.message;
  Payload made;
  const FunctionEvent event = {
      .body = delivery.BodyView(&made),
      .attributes = delivery.ShowsAttributes() ? &message.attributes : &no_attributes,
      .subject = message.subject(),
      .source_arn = delivery.source_arn,
      .event_id = message.event_id,
      .trace_header = message.trace_header(),
      .accepted_time = message.accepted.time(),
      .attempt = delivery.attempt,
      .delivery = &delivery,
  };
  absl::Status answer = CallHandler<absl::Status>(handler, event);
  if (!answer.ok() && IsPermanent(answer)) {
    return absl::UnknownError(ToAbsl(StrCat("the handler answered ", answer.ToString())));
  }
  return answer;
}

FunctionStats FunctionCore::Stats() const {
  // A forked child may have inherited the lock in the locked state.
  if (env_->gate.Look() == Gate::Answer::kForked) return {};
  MutexLock lock(&mu_);
  if (handler_ == nullptr) return {};
  const uint64_t inline_word = inline_word_.load(std::memory_order_relaxed);
  FunctionStats stats = stats_;
  stats.calls += Called(inline_word);
  stats.failures += inline_failures_.load(std::memory_order_relaxed);
  stats.running = static_cast<int64_t>(inside_.size()) + Inside(inline_word);
  stats.pending = static_cast<int64_t>(waiting_.size());
  return stats;
}

void FunctionCore::Close(CloseKind kind) {
  std::shared_ptr<const FunctionHandler> handler;  // destroyed after the lock is released (F3)
  std::deque<Call> refused;
  {
    MutexLock lock(&mu_);
    if (handler_ == nullptr) return;
    handler.swap(handler_);
    close_kind_ = kind;
    refused.swap(waiting_);
    if (Inside(inline_word_.fetch_or(kClosed, std::memory_order_acq_rel)) > 0) {
      retired_.swap(handler);
      retired_is_gone_ = false;
    }
  }
  if (kind == CloseKind::kStopped) return;  // F2
  for (Call& call : refused) std::move(call.done)(Gone(kind));
}

bool FunctionCore::AwaitIdle(absl::Duration deadline, std::stop_token stop) {
  MutexLock lock(&mu_);
  return env_->runtime.Await(
      mu_, idle_,
      [this] {
        mu_.AssertHeld();
        const int64_t inside = Inside(inline_word_.load(std::memory_order_acquire));
        const int64_t own = Gate::Guest::CountOf(this);
        if (inside != own || (own == 0 && !retired_is_gone_)) return false;
        return std::all_of(inside_.begin(), inside_.end(),
                           [](ThreadToken thread) { return thread == ThisThread(); });
      },
      deadline, std::move(stop));
}

}  // namespace internal

std::string FunctionEvent::LambdaEvent() const {
  if (delivery == nullptr || delivery->presentation == nullptr) return std::string(body);
  return delivery->presentation->LambdaEvent(*delivery->message, delivery->source_arn);
}

Function::Function(std::shared_ptr<internal::FunctionCore> core) : core_(std::move(core)) {}

FunctionStats Function::Stats() const {
  return core_ == nullptr ? FunctionStats{} : core_->Stats();
}

const Arn& Function::arn() const {
  static const Arn none;
  return core_ == nullptr ? none : core_->arn();
}

std::string_view Function::name() const {
  return core_ == nullptr ? std::string_view() : core_->name();
}

}  // namespace banyan::inline v0_1
