// SPDX-License-Identifier: Apache-2.0
//
// CurlTransport: an HttpTransport over libcurl. Its own library, banyan::http.
//
//   std::unique_ptr<CurlTransport> transport = CurlTransport::Create().value();
//   Broker broker = Broker::Create(*runtime, {.http_transport = transport.get()}).value();
//
// Create() starts one thread, and this is where its user asks for it: all connections, and all
// completions, are served there. (libcurl looks names up on threads of its own, which live as long
// as the lookup.) It blocks all signals: those are for the host's own threads.
//
// Redirects are not followed. Certificates of https:// servers are verified. Connections are kept
// and used again. No cookies, no proxy but the one in the options: the environment is not read.
//
// Threads   Send() from any thread. A completion that takes long delays all others.
// Lifetime  The destructor ends what is under way with kCancelled and joins the thread; it must not
//           run inside a completion. In a forked child, which has no such thread, Send() answers
//           kUnavailable on the caller's thread and the destructor lets go.
// Units     Timeouts are real time, also where the broker's Runtime is simulated or scaled.
// Errors    kDeadlineExceeded: the timeout. kInvalidArgument: a URL or header that cannot be sent.
//           kResourceExhausted: the answer is larger than response_bytes_max, or requests_max are
//           under way. kCancelled: the transport was destroyed. kUnavailable: name, connection, TLS.
// Process   The first Create() calls curl_global_init(), which initialises OpenSSL.
#ifndef BANYAN_HTTP_CURL_TRANSPORT_H_
#define BANYAN_HTTP_CURL_TRANSPORT_H_

#include <cstdint>
#include <memory>
#include <string>

#include "absl/status/statusor.h"
#include "absl/time/time.h"
#include "banyan/export.h"
#include "banyan/http_transport.h"

namespace banyan::inline v0_1 {

struct CurlTransportOptions {
  // Of a connection attempt, within the request's own timeout. 1 ms to 1 h.
  absl::Duration connect_timeout = absl::Seconds(5);

  // Of one answer's body, in bytes. 0 to 1 GiB. Beyond it the request fails.
  int64_t response_bytes_max = 1 << 20;

  // Under way at once; one beyond it fails at once. 1 to 1,000,000.
  int64_t requests_max = 10'000;

  // Open at once; requests beyond it wait for one, within their timeout. 1 to 10,000.
  int64_t connections_max = 100;

  // Turning it off lets anybody answer for a server. For tests against a certificate of one's own,
  // rather name it in ca_file.
  bool verify_tls = true;
  std::string ca_file = {};  // PEM, in place of the system's certificates

  std::string proxy = {};  // "http://proxy:3128"; empty: none
};

class BANYAN_EXPORT CurlTransport final : public HttpTransport {
 public:
  // Errors  kInvalidArgument: options out of range. kUnavailable: no thread could be started.
  static absl::StatusOr<std::unique_ptr<CurlTransport>> Create(CurlTransportOptions options = {});
  ~CurlTransport() override;

  void Send(HttpRequest request, Completion done) override;

 private:
  class Worker;
  explicit CurlTransport(std::unique_ptr<Worker> worker);
  std::unique_ptr<Worker> worker_;
};

}  // namespace banyan::inline v0_1

#endif  // BANYAN_HTTP_CURL_TRANSPORT_H_
