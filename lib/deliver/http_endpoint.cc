// SPDX-License-Identifier: Apache-2.0
#include "deliver/http_endpoint.h"

#include <utility>

#include "base/check.h"
#include "base/strings.h"
#include "message/errors.h"

namespace banyan::inline v0_1::internal {

HttpEndpoint::HttpEndpoint(std::shared_ptr<Environment> env, HttpEndpointPlan plan)
    : env_(std::move(env)), plan_(std::move(plan)) {}

std::shared_ptr<HttpEndpoint> HttpEndpoint::Create(std::shared_ptr<Environment> env,
                                                   HttpEndpointPlan plan) {
  BANYAN_CHECK(env->http_transport != nullptr, "whoever makes an endpoint has looked for one");
  return std::shared_ptr<HttpEndpoint>(new HttpEndpoint(std::move(env), std::move(plan)));
}

absl::Status HttpEndpoint::Gone(CloseKind kind) const {
  if (kind == CloseKind::kStopped) return env_->Refusal();
  return Error(AwsError::kTopicNotFound, "Subscription does not exist");
}

std::optional<absl::Status> HttpEndpoint::Accept(const Delivery& delivery, LaterFn later) {
  {
    MutexLock lock(&mu_);
    if (closed_) return Gone(close_kind_);
    if (static_cast<int64_t>(waiting_.size()) >= plan_.waiting_max) {
      ++throttled_;
      return Error(AwsError::kTopicThrottled, "Rate exceeded. ", plan_.name, " has ",
                   plan_.waiting_max, " deliveries waiting.");
    }
  }
  Completion done = later();  // may take the courier's lock, so not under ours
  CloseKind closed_meanwhile;
  {
    MutexLock lock(&mu_);
    if (!closed_) {
      waiting_.push_back({delivery, std::move(done)});
      if (in_flight_ < plan_.in_flight_max) PostWork();
      return std::nullopt;
    }
    closed_meanwhile = close_kind_;
  }
  std::move(done)(Gone(closed_meanwhile));
  return std::nullopt;
}

// One task for each request, counted as in flight from now on.
void HttpEndpoint::PostWork() {
  ++in_flight_;
  env_->runtime.Post([self = shared_from_this()] { self->Work(); });
}

void HttpEndpoint::Work() {
  const Gate::Pass pass = env_->tasks.Enter();
  if (!pass) return;  // the broker is gone
  Call call;
  {
    MutexLock lock(&mu_);
    if (waiting_.empty()) {  // closed
      --in_flight_;
      return;
    }
    call = std::move(waiting_.front());
    waiting_.pop_front();
  }
  HttpRequest request = plan_.make_request(call.delivery);
  env_->http_transport->Send(std::move(request),
                             [self = shared_from_this(), done = std::move(call.done)](
                                 absl::StatusOr<HttpResponse> answer) mutable {
                               self->Answered(std::move(done), std::move(answer));
                             });
}

void HttpEndpoint::Answered(Completion done, absl::StatusOr<HttpResponse> answer) {
  const Gate::Pass pass = env_->tasks.Enter();
  if (!pass) return;  // the broker is gone; the courier counts the delivery as pending (H3)
  {
    MutexLock lock(&mu_);
    --in_flight_;
    if (!waiting_.empty()) PostWork();
  }
  std::move(done)(Judge(answer));
}

absl::Status HttpEndpoint::Judge(const absl::StatusOr<HttpResponse>& answer) const {
  if (!answer.ok()) {
    // Whatever code a transport fails with, the next attempt may fare better.
    return absl::UnavailableError(
        ToAbsl(StrCat(plan_.name, " gave no answer: ", answer.status().ToString())));
  }
  const int status = answer->status;
  if (status >= 200 && status <= 299) return absl::OkStatus();
  const std::string text = StrCat(plan_.name, " answered HTTP ", status);
  if (status >= 400 && status <= 499 && status != 429) {
    return absl::InvalidArgumentError(ToAbsl(text));
  }
  return absl::UnavailableError(ToAbsl(text));
}

void HttpEndpoint::Close(CloseKind kind) {
  std::deque<Call> refused;  // their destructors run under no lock
  {
    MutexLock lock(&mu_);
    if (closed_) return;
    closed_ = true;
    close_kind_ = kind;
    refused.swap(waiting_);
  }
  if (kind == CloseKind::kStopped) return;  // H3
  for (Call& call : refused) std::move(call.done)(Gone(kind));
}

int64_t HttpEndpoint::throttled() const {
  MutexLock lock(&mu_);
  return throttled_;
}

}  // namespace banyan::inline v0_1::internal
