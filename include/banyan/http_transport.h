// SPDX-License-Identifier: Apache-2.0
//
// HttpTransport: how a broker speaks HTTP to the world. The library itself opens no socket: who
// wants HTTP subscriptions gives the broker a transport (BrokerOptions::http_transport).
//
//   banyan::CurlTransport   over libcurl, in the library banyan::http (banyan/http/curl_transport.h)
//   testing::FakeHttpTransport   scripted answers on simulated time, for tests
//
// or one that a program has already, behind this one function.
//
// Threads   Send() may be called from any thread at any time, also inside a completion. A completion
//           may be called from any thread.
// Lifetime  A transport outlives the brokers it was given to. It may still hold completions of a
//           broker that is gone: they do nothing then, called or destroyed.
// Errors    An answer of the server is a response, whatever its status code. A Status means there
//           was none: kDeadlineExceeded for a timeout, anything else for a request or a connection
//           that failed.
#ifndef BANYAN_HTTP_TRANSPORT_H_
#define BANYAN_HTTP_TRANSPORT_H_

#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "absl/functional/any_invocable.h"
#include "absl/status/statusor.h"
#include "absl/time/time.h"
#include "banyan/export.h"
#include "banyan/payload.h"

namespace banyan::inline v0_1 {

// In the order in which they are written; a name may come twice.
using HttpHeaders = std::vector<std::pair<std::string, std::string>>;

// The value of the first header of that name, whatever its case; empty if there is none.
BANYAN_EXPORT std::string_view FindHeader(const HttpHeaders& headers, std::string_view name);

struct HttpRequest {
  std::string method = "POST";
  std::string url = {};  // http:// or https://
  HttpHeaders headers = {};
  Payload body = {};  // sent as it is, without a copy where the transport can

  // For all of it, from Send() to the last byte of the answer. Above zero. By which clock is the
  // transport's affair.
  absl::Duration timeout = absl::Seconds(15);
};

struct HttpResponse {
  int status = 0;  // 200, 404, ...
  HttpHeaders headers = {};
  std::string body = {};
};

class BANYAN_EXPORT HttpTransport {
 public:
  using Completion = absl::AnyInvocable<void(absl::StatusOr<HttpResponse>) &&>;

  virtual ~HttpTransport() = default;

  // Sends the request and returns; never waits for the answer. `done` is called exactly once, under
  // no lock of the transport; a transport that is destroyed before may destroy it uncalled.
  // Redirects are answers like others: they are not followed.
  virtual void Send(HttpRequest request, Completion done) = 0;
};

}  // namespace banyan::inline v0_1

#endif  // BANYAN_HTTP_TRANSPORT_H_
