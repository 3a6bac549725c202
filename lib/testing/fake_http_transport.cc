// SPDX-License-Identifier: Apache-2.0
#include "banyan/testing/fake_http_transport.h"

#include <algorithm>
#include <utility>

namespace banyan::inline v0_1::testing {

void FakeHttpTransport::Answer(FakeHttpAnswer answer, int64_t times) {
  MutexLock lock(&mu_);
  for (int64_t i = 0; i < times; ++i) next_.push_back(answer);
}

void FakeHttpTransport::AnswerAlways(FakeHttpAnswer answer) {
  MutexLock lock(&mu_);
  standing_ = std::move(answer);
}

std::vector<SeenHttpRequest> FakeHttpTransport::requests() const {
  MutexLock lock(&mu_);
  return seen_;
}

std::vector<SeenHttpRequest> FakeHttpTransport::TakeRequests() {
  MutexLock lock(&mu_);
  return std::exchange(seen_, {});
}

int64_t FakeHttpTransport::in_flight() const {
  MutexLock lock(&mu_);
  return in_flight_;
}

void FakeHttpTransport::Send(HttpRequest request, Completion done) {
  FakeHttpAnswer answer;
  const absl::Duration timeout = request.timeout;
  const absl::Duration now = runtime_.Uptime();
  {
    MutexLock lock(&mu_);
    answer = standing_;
    if (!next_.empty()) {
      answer = std::move(next_.front());
      next_.pop_front();
    }
    seen_.push_back({std::move(request), now});
    ++in_flight_;
  }
  if (answer.after >= timeout) {
    answer.failure = absl::DeadlineExceededError("the fake endpoint took too long");
    answer.after = timeout;
  }
  runtime_.PostAt(now + answer.after,
                  [this, answer = std::move(answer), done = std::move(done)]() mutable {
                    {
                      MutexLock lock(&mu_);
                      --in_flight_;
                    }
                    if (!answer.failure.ok()) return std::move(done)(std::move(answer.failure));
                    std::move(done)(HttpResponse{.status = answer.status,
                                                 .headers = std::move(answer.headers),
                                                 .body = std::move(answer.body)});
                  });
}

}  // namespace banyan::inline v0_1::testing
