// SPDX-License-Identifier: Apache-2.0
//
// lib/http/curl_transport.cc -- floor 7: requests over libcurl's multi interface.
//
//   Send --> incoming_ --wake--> the worker: starts, moves and ends transfers --> Completion
//
// C1  libcurl's handles belong to the worker thread; other threads touch incoming_ and wake it.
// C2  under_way_ counts what was taken and not yet answered, so it bounds both.
// C3  Each request that was taken is answered once, on the worker thread and under no lock: by its
//     transfer's end, or with kCancelled by the last thing the worker does.
//
// Why a thread of its own, and not the Runtime's: a thread of the Runtime that sits in a poll is
// missing elsewhere, and simulated time has no sockets.
#include "banyan/http/curl_transport.h"

#include <curl/curl.h>
#include <pthread.h>
#include <signal.h>

#include <algorithm>
#include <cctype>
#include <deque>
#include <map>
#include <string_view>
#include <utility>

#include "absl/base/thread_annotations.h"
#include "banyan/mutex.h"
#include "base/check.h"
#include "base/fork_sentinel.h"

namespace banyan::inline v0_1 {

namespace {

using internal::ForkSentinel;

constexpr size_t kHeaderBytesMax = 256 << 10;  // of one answer's headers together
constexpr int64_t kResponseBytesCeiling = int64_t{1} << 30;
constexpr int64_t kRequestsCeiling = 1'000'000;
constexpr int64_t kConnectionsCeiling = 10'000;
// An idle worker looks up this often; it is woken for whatever there is to do.
constexpr int kIdleMilliseconds = 60'000;

long Milliseconds(absl::Duration d, absl::Duration most) {
  // 0 would mean "for ever" to libcurl.
  const absl::Duration bounded = std::clamp(d, absl::Milliseconds(1), most);
  return static_cast<long>(absl::ToInt64Milliseconds(absl::Ceil(bounded, absl::Milliseconds(1))));
}

// No line break: nothing that would begin another header.
bool IsHeaderText(std::string_view text) {
  return std::all_of(text.begin(), text.end(),
                     [](char c) { return c != '\r' && c != '\n' && c != '\0'; });
}

bool IsToken(std::string_view text) {
  return !text.empty() && std::all_of(text.begin(), text.end(), [](char c) {
    return std::isalnum(static_cast<unsigned char>(c)) != 0 ||
           std::string_view("!#$%&'*+-.^_`|~").find(c) != std::string_view::npos;
  });
}

std::string_view WithoutSpace(std::string_view text) {
  constexpr std::string_view kSpace = " \t\r\n";
  const size_t first = text.find_first_not_of(kSpace);
  if (first == text.npos) return {};
  return text.substr(first, text.find_last_not_of(kSpace) - first + 1);
}

absl::Status Invalid(std::string text) { return {absl::StatusCode::kInvalidArgument, text}; }

absl::Status ValidateOptions(const CurlTransportOptions& options) {
  if (options.connect_timeout < absl::Milliseconds(1) || options.connect_timeout > absl::Hours(1)) {
    return Invalid("CurlTransportOptions: connect_timeout: must be between 1 ms and 1 h");
  }
  if (options.response_bytes_max < 0 || options.response_bytes_max > kResponseBytesCeiling) {
    return Invalid("CurlTransportOptions: response_bytes_max: must be between 0 and 1 GiB");
  }
  if (options.requests_max < 1 || options.requests_max > kRequestsCeiling) {
    return Invalid("CurlTransportOptions: requests_max: must be between 1 and 1,000,000");
  }
  if (options.connections_max < 1 || options.connections_max > kConnectionsCeiling) {
    return Invalid("CurlTransportOptions: connections_max: must be between 1 and 10,000");
  }
  return absl::OkStatus();
}

absl::Status ValidateRequest(const HttpRequest& request) {
  if (!IsToken(request.method)) return Invalid("the method is no HTTP token");
  for (const auto& [name, value] : request.headers) {
    if (!IsToken(name)) return Invalid("a header's name is no HTTP token");
    if (!IsHeaderText(value)) return Invalid("header " + name + ": the value has line breaks");
  }
  return absl::OkStatus();
}

// One request and what has come of it so far.
struct Transfer {
  HttpRequest request;
  HttpTransport::Completion done;
  size_t body_bytes_max = 0;

  HttpResponse response = {};
  size_t header_bytes = 0;
  bool is_too_large = false;
  curl_slist* header_lines = nullptr;
  char error[CURL_ERROR_SIZE] = {};

  ~Transfer() { curl_slist_free_all(header_lines); }

  bool AddHeaderLine(const std::string& line) {
    curl_slist* const longer = curl_slist_append(header_lines, line.c_str());
    if (longer == nullptr) return false;
    header_lines = longer;
    return true;
  }

  static size_t TakeBody(char* data, size_t, size_t size, void* transfer) {
    auto& self = *static_cast<Transfer*>(transfer);
    if (size > self.body_bytes_max - self.response.body.size()) {
      self.is_too_large = true;
      return 0;  // ends the transfer
    }
    self.response.body.append(data, size);
    return size;
  }

  // Called with one whole line.
  static size_t TakeHeader(char* data, size_t, size_t size, void* transfer) {
    auto& self = *static_cast<Transfer*>(transfer);
    const std::string_view line(data, size);
    self.header_bytes += size;
    if (self.header_bytes > kHeaderBytesMax) {
      self.is_too_large = true;
      return 0;
    }
    if (line.starts_with("HTTP/")) {
      self.response.headers.clear();  // those before it belonged to a "100 Continue"
      return size;
    }
    const size_t colon = line.find(':');
    if (colon != line.npos) {
      self.response.headers.emplace_back(line.substr(0, colon),
                                         WithoutSpace(line.substr(colon + 1)));
    }
    return size;
  }
};

}  // namespace

class CurlTransport::Worker {
 public:
  Worker(CurlTransportOptions options, CURLM* multi)
      : options_(std::move(options)), multi_(multi) {}
  ~Worker() { curl_multi_cleanup(multi_); }

  bool Start() {
    // The thread inherits the mask. Writing to a connection that its peer has closed then answers
    // an error instead of raising SIGPIPE.
    sigset_t all, before;
    sigfillset(&all);
    pthread_sigmask(SIG_SETMASK, &all, &before);
    const int failure = pthread_create(
        &thread_, nullptr,
        [](void* worker) -> void* {
          static_cast<Worker*>(worker)->Run();
          return nullptr;
        },
        this);
    pthread_sigmask(SIG_SETMASK, &before, nullptr);
    return failure == 0;
  }

  void StopAndJoin() {
    BANYAN_CHECK(pthread_equal(pthread_self(), thread_) == 0,
                 "a CurlTransport must not be destroyed inside one of its completions");
    {
      MutexLock lock(&mu_);
      stopping_ = true;
    }
    curl_multi_wakeup(multi_);
    pthread_join(thread_, nullptr);
  }

  bool forked() const { return sentinel_.forked(); }

  void Send(HttpRequest request, Completion done) {
    if (forked()) {
      return std::move(done)(absl::UnavailableError("the transport is the parent process's"));
    }
    if (absl::Status bad = ValidateRequest(request); !bad.ok()) {
      return std::move(done)(std::move(bad));
    }
    auto transfer = std::make_unique<Transfer>();
    transfer->request = std::move(request);
    transfer->done = std::move(done);
    transfer->body_bytes_max = static_cast<size_t>(options_.response_bytes_max);
    absl::Status refusal;
    {
      MutexLock lock(&mu_);
      if (stopping_) {
        refusal = absl::CancelledError("the transport is being destroyed");
      } else if (under_way_ >= options_.requests_max) {
        refusal = absl::ResourceExhaustedError("too many requests are under way");
      } else {
        ++under_way_;
        incoming_.push_back(std::move(transfer));
      }
    }
    if (!refusal.ok()) return std::move(transfer->done)(std::move(refusal));
    curl_multi_wakeup(multi_);
  }

 private:
  void Run() {
    for (;;) {
      std::deque<std::unique_ptr<Transfer>> incoming;
      {
        MutexLock lock(&mu_);
        if (stopping_) break;
        incoming.swap(incoming_);
      }
      for (std::unique_ptr<Transfer>& transfer : incoming) Begin(std::move(transfer));
      int running = 0;
      curl_multi_perform(multi_, &running);
      int left = 0;
      while (const CURLMsg* message = curl_multi_info_read(multi_, &left)) {
        if (message->msg == CURLMSG_DONE) End(message->easy_handle, message->data.result);
      }
      curl_multi_poll(multi_, nullptr, 0, kIdleMilliseconds, nullptr);
    }
    CancelAll();
  }

  void Begin(std::unique_ptr<Transfer> transfer) {
    CURL* const easy = curl_easy_init();
    if (easy == nullptr || !SetUp(easy, transfer.get()) ||
        curl_multi_add_handle(multi_, easy) != CURLM_OK) {
      curl_easy_cleanup(easy);
      return Answer(std::move(transfer), Invalid("libcurl did not take the request"));
    }
    running_.emplace(easy, std::move(transfer));
  }

  // False: libcurl refuses a part of it, or has no memory.
  bool SetUp(CURL* easy, Transfer* transfer) {
    const HttpRequest& request = transfer->request;
    bool ok = true;
    const auto set = [&](CURLoption option, auto value) {
      ok = ok && curl_easy_setopt(easy, option, value) == CURLE_OK;
    };
    set(CURLOPT_URL, request.url.c_str());
    set(CURLOPT_PROTOCOLS_STR, "http,https");
    set(CURLOPT_NOSIGNAL, 1L);
    set(CURLOPT_FOLLOWLOCATION, 0L);
    set(CURLOPT_TIMEOUT_MS, Milliseconds(request.timeout, absl::Hours(24)));
    set(CURLOPT_CONNECTTIMEOUT_MS, Milliseconds(options_.connect_timeout, absl::Hours(1)));
    set(CURLOPT_PROXY, options_.proxy.c_str());  // empty: none, whatever the environment says
    set(CURLOPT_SSL_VERIFYPEER, options_.verify_tls ? 1L : 0L);
    set(CURLOPT_SSL_VERIFYHOST, options_.verify_tls ? 2L : 0L);
    if (!options_.ca_file.empty()) set(CURLOPT_CAINFO, options_.ca_file.c_str());
    set(CURLOPT_ERRORBUFFER, transfer->error);
    set(CURLOPT_WRITEFUNCTION, &Transfer::TakeBody);
    set(CURLOPT_WRITEDATA, static_cast<void*>(transfer));
    set(CURLOPT_HEADERFUNCTION, &Transfer::TakeHeader);
    set(CURLOPT_HEADERDATA, static_cast<void*>(transfer));

    const bool has_body = !request.body.empty() || request.method == "POST" ||
                          request.method == "PUT" || request.method == "PATCH";
    if (has_body) {
      // Not copied: the transfer keeps the payload.
      set(CURLOPT_POSTFIELDSIZE_LARGE, static_cast<curl_off_t>(request.body.size()));
      set(CURLOPT_POSTFIELDS, request.body.empty() ? "" : request.body.view().data());
    } else if (request.method == "HEAD") {
      set(CURLOPT_NOBODY, 1L);
    }
    set(CURLOPT_CUSTOMREQUEST, request.method.c_str());

    for (const auto& [name, value] : request.headers) {
      // A name with a colon and no value is how libcurl is told to leave a header out.
      ok = ok && transfer->AddHeaderLine(value.empty() ? name + ";" : name + ": " + value);
    }
    // What libcurl would add by itself.
    if (FindHeader(request.headers, "Expect").empty())
      ok = ok && transfer->AddHeaderLine("Expect:");
    if (has_body && FindHeader(request.headers, "Content-Type").empty()) {
      ok = ok && transfer->AddHeaderLine("Content-Type:");
    }
    set(CURLOPT_HTTPHEADER, transfer->header_lines);
    return ok;
  }

  void End(CURL* easy, CURLcode result) {
    const auto found = running_.find(easy);
    std::unique_ptr<Transfer> transfer = std::move(found->second);
    running_.erase(found);
    long status = 0;
    curl_easy_getinfo(easy, CURLINFO_RESPONSE_CODE, &status);
    curl_multi_remove_handle(multi_, easy);
    curl_easy_cleanup(easy);
    if (result == CURLE_OK) {
      transfer->response.status = static_cast<int>(status);
      HttpResponse response = std::move(transfer->response);
      return Answer(std::move(transfer), std::move(response));
    }
    const std::string text =
        transfer->error[0] == '\0' ? curl_easy_strerror(result) : transfer->error;
    absl::Status failure = absl::UnavailableError(text);
    if (transfer->is_too_large) {
      failure = absl::ResourceExhaustedError("the answer is larger than allowed");
    } else if (result == CURLE_OPERATION_TIMEDOUT) {
      failure = absl::DeadlineExceededError(text);
    } else if (result == CURLE_URL_MALFORMAT || result == CURLE_UNSUPPORTED_PROTOCOL) {
      failure = Invalid(text);
    }
    Answer(std::move(transfer), std::move(failure));
  }

  void Answer(std::unique_ptr<Transfer> transfer, absl::StatusOr<HttpResponse> answer) {
    {
      MutexLock lock(&mu_);
      --under_way_;
    }
    std::move(transfer->done)(std::move(answer));
  }

  void CancelAll() {
    const absl::Status cancelled = absl::CancelledError("the transport is being destroyed");
    for (auto& [easy, transfer] : running_) {
      curl_multi_remove_handle(multi_, easy);
      curl_easy_cleanup(easy);
      Answer(std::move(transfer), cancelled);
    }
    running_.clear();
    std::deque<std::unique_ptr<Transfer>> incoming;
    {
      MutexLock lock(&mu_);
      incoming.swap(incoming_);
    }
    for (std::unique_ptr<Transfer>& transfer : incoming) Answer(std::move(transfer), cancelled);
  }

  const CurlTransportOptions options_;
  CURLM* const multi_;
  const ForkSentinel sentinel_;
  pthread_t thread_ = {};
  std::map<CURL*, std::unique_ptr<Transfer>> running_;  // the worker's own

  Mutex mu_;
  std::deque<std::unique_ptr<Transfer>> incoming_ ABSL_GUARDED_BY(mu_);
  int64_t under_way_ ABSL_GUARDED_BY(mu_) = 0;
  bool stopping_ ABSL_GUARDED_BY(mu_) = false;
};

CurlTransport::CurlTransport(std::unique_ptr<Worker> worker) : worker_(std::move(worker)) {}

CurlTransport::~CurlTransport() {
  if (worker_->forked()) {
    static_cast<void>(worker_.release());  // the child has neither the thread nor its connections
    return;
  }
  worker_->StopAndJoin();
}

absl::StatusOr<std::unique_ptr<CurlTransport>> CurlTransport::Create(CurlTransportOptions options) {
  if (absl::Status bad = ValidateOptions(options); !bad.ok()) return bad;
  static const CURLcode initialised = curl_global_init(CURL_GLOBAL_DEFAULT);
  if (initialised != CURLE_OK) return absl::UnavailableError(curl_easy_strerror(initialised));
  CURLM* const multi = curl_multi_init();
  if (multi == nullptr) return absl::UnavailableError("libcurl made no multi handle");
  curl_multi_setopt(multi, CURLMOPT_MAX_TOTAL_CONNECTIONS,
                    static_cast<long>(options.connections_max));
  auto worker = std::make_unique<Worker>(std::move(options), multi);
  if (!worker->Start()) return absl::UnavailableError("no thread could be started");
  return std::unique_ptr<CurlTransport>(new CurlTransport(std::move(worker)));
}

void CurlTransport::Send(HttpRequest request, Completion done) {
  worker_->Send(std::move(request), std::move(done));
}

}  // namespace banyan::inline v0_1
