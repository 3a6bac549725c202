// SPDX-License-Identifier: Apache-2.0
//
// lib/deliver/http_endpoint.h -- floor 4: a server as a destination. Each delivery is a request.
//
//   Accept --> waiting_ --> a task on the Runtime makes the request --> HttpTransport
//                                                       Completion <-- answer, or none
//
// H1  At most in_flight_max requests are with the transport; what comes meanwhile waits, in order of
//     arrival; at waiting_max a delivery is refused as transient, counted, and tried again by its
//     courier. So a server that hangs holds a bounded number of connections and of messages.
// H2  The request is made when it is sent, not when it is accepted, and on the Runtime, not on the
//     publisher's thread: an envelope may have to be signed.
// H3  Each accepted delivery's Completion is called once: with the answer, or with a refusal when
//     the endpoint is closed. When the broker stops, what has not been answered stays unanswered
//     (its courier keeps it in the books as pending), and a late answer finds the gate closed.
// H4  The transport and Completions are called under no lock.
//
// An answer of 200 to 299 is a delivery. 400 to 499 but 429 is the client's fault, ours: it will not
// be better next time. All else (5xx, 429, redirects, timeouts, no connection) is tried again.
//
// Threads   Every method from any thread.
#ifndef BANYAN_LIB_DELIVER_HTTP_ENDPOINT_H_
#define BANYAN_LIB_DELIVER_HTTP_ENDPOINT_H_

#include <cstdint>
#include <deque>
#include <functional>
#include <memory>
#include <optional>
#include <string>

#include "absl/base/thread_annotations.h"
#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "banyan/http_transport.h"
#include "banyan/mutex.h"
#include "message/close_kind.h"
#include "message/environment.h"
#include "message/sink.h"

namespace banyan::inline v0_1::internal {

struct HttpEndpointPlan {
  std::string name;  // for logs: the URL
  std::function<HttpRequest(const Delivery&)> make_request;
  int64_t in_flight_max = 100;
  int64_t waiting_max = 10'000;
};

class HttpEndpoint : public Sink, public std::enable_shared_from_this<HttpEndpoint> {
 public:
  // The environment has a transport.
  static std::shared_ptr<HttpEndpoint> Create(std::shared_ptr<Environment> env,
                                              HttpEndpointPlan plan);

  std::optional<absl::Status> Accept(const Delivery& delivery, LaterFn later) override;
  const std::string& arn_text() const override { return plan_.name; }

  // Sends nothing more. Requests under way go on, and are answered unless the broker stopped.
  void Close(CloseKind kind);

  // Deliveries refused because too many waited (H1).
  int64_t throttled() const;

 private:
  struct Call {
    Delivery delivery;
    Completion done;
  };

  HttpEndpoint(std::shared_ptr<Environment> env, HttpEndpointPlan plan);

  void PostWork() ABSL_EXCLUSIVE_LOCKS_REQUIRED(mu_);
  void Work();
  void Answered(Completion done, absl::StatusOr<HttpResponse> answer);
  absl::Status Judge(const absl::StatusOr<HttpResponse>& answer) const;
  absl::Status Gone(CloseKind kind) const;

  const std::shared_ptr<Environment> env_;
  const HttpEndpointPlan plan_;

  mutable Mutex mu_;
  bool closed_ ABSL_GUARDED_BY(mu_) = false;
  CloseKind close_kind_ ABSL_GUARDED_BY(mu_) = CloseKind::kStopped;
  std::deque<Call> waiting_ ABSL_GUARDED_BY(mu_);
  int64_t in_flight_ ABSL_GUARDED_BY(mu_) = 0;  // with the transport, or about to be
  int64_t throttled_ ABSL_GUARDED_BY(mu_) = 0;
};

}  // namespace banyan::inline v0_1::internal

#endif  // BANYAN_LIB_DELIVER_HTTP_ENDPOINT_H_
