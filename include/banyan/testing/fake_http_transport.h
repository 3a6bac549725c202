// SPDX-License-Identifier: Apache-2.0
//
// FakeHttpTransport: an HttpTransport for tests. It sends nothing, remembers what it was to send,
// and answers as it was told, after a delay on the Runtime's clock.
//
//   SimulatedRuntime runtime;
//   FakeHttpTransport http(runtime);
//   Broker broker = Broker::Create(runtime, {.http_transport = &http}).value();
//   ...
//   http.Answer({.status = 503});                        // the next request; then 200 again
//   topic.Publish({.body = "hello"}).value();
//   runtime.Advance(absl::Seconds(20));
//   EXPECT_EQ(http.requests().size(), 2u);
//
// Answers that were added serve one request each, in the order in which requests come; when there is
// none, the standing answer does: 200, at once. An answer that comes later than the request's
// timeout is kDeadlineExceeded at that time, as it would be with a real transport.
//
// Threads   Every method from any thread. Completions run as tasks of the runtime.
// Lifetime  The runtime outlives it; and it outlives the broker.
// Bounds    It keeps every request until TakeRequests(): a test's affair.
#ifndef BANYAN_TESTING_FAKE_HTTP_TRANSPORT_H_
#define BANYAN_TESTING_FAKE_HTTP_TRANSPORT_H_

#include <cstdint>
#include <deque>
#include <string>
#include <vector>

#include "absl/base/thread_annotations.h"
#include "absl/status/status.h"
#include "absl/time/time.h"
#include "banyan/http_transport.h"
#include "banyan/mutex.h"
#include "banyan/runtime.h"

namespace banyan::inline v0_1::testing {

struct FakeHttpAnswer {
  int status = 200;
  HttpHeaders headers = {};
  std::string body = {};
  absl::Status failure = absl::OkStatus();  // if not OK: there is no response but this
  absl::Duration after = absl::ZeroDuration();
};

// A request, and when it came.
struct SeenHttpRequest {
  HttpRequest request;
  absl::Duration uptime;

  std::string body() const { return std::string(request.body.view()); }
  // Empty if it has no such header.
  std::string header(std::string_view name) const {
    return std::string(FindHeader(request.headers, name));
  }
};

class FakeHttpTransport final : public HttpTransport {
 public:
  explicit FakeHttpTransport(Runtime& runtime) : runtime_(runtime) {}

  // Of the next requests that have no answer yet.
  void Answer(FakeHttpAnswer answer, int64_t times = 1);
  // Of all others.
  void AnswerAlways(FakeHttpAnswer answer);

  std::vector<SeenHttpRequest> requests() const;
  // The same, and forgets them.
  std::vector<SeenHttpRequest> TakeRequests();
  // Sent and not yet answered.
  int64_t in_flight() const;

  void Send(HttpRequest request, Completion done) override;

 private:
  Runtime& runtime_;
  mutable Mutex mu_;
  std::deque<FakeHttpAnswer> next_ ABSL_GUARDED_BY(mu_);
  FakeHttpAnswer standing_ ABSL_GUARDED_BY(mu_);
  std::vector<SeenHttpRequest> seen_ ABSL_GUARDED_BY(mu_);
  int64_t in_flight_ ABSL_GUARDED_BY(mu_) = 0;
};

}  // namespace banyan::inline v0_1::testing

#endif  // BANYAN_TESTING_FAKE_HTTP_TRANSPORT_H_
