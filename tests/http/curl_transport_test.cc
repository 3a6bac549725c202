// SPDX-License-Identifier: Apache-2.0
//
// The transport against a real socket: a server on the loopback that says what it is told and
// remembers what it heard. Timeouts are the only real time here, and nothing waits for one that is
// to expire longer than that.
#include "banyan/http/curl_transport.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include <atomic>
#include <latch>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <thread>
#include <vector>

#include "banyan/broker.h"
#include "banyan/mutex.h"
#include "banyan/runtime.h"
#include "banyan/topic.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"

namespace banyan {
namespace {

using ::testing::Contains;
using ::testing::HasSubstr;
using ::testing::Not;
using ::testing::Pair;

// Serves one connection after the other: one request each or, if it keeps connections, as many as
// come.
class LoopbackServer {
 public:
  enum class Connections { kClosed, kKept };

  // An empty answer: it says nothing, and waits until the client goes.
  explicit LoopbackServer(std::string answer = "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok",
                          Connections connections = Connections::kClosed)
      : answer_(std::move(answer)), keeps_(connections == Connections::kKept) {
    listening_ = ::socket(AF_INET, SOCK_STREAM, 0);
    sockaddr_in address = {};
    address.sin_family = AF_INET;
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    EXPECT_EQ(::bind(listening_, reinterpret_cast<sockaddr*>(&address), sizeof(address)), 0);
    socklen_t size = sizeof(address);
    EXPECT_EQ(::getsockname(listening_, reinterpret_cast<sockaddr*>(&address), &size), 0);
    EXPECT_EQ(::listen(listening_, 64), 0);
    port_ = ntohs(address.sin_port);
    thread_ = std::thread([this] { Serve(); });
  }
  ~LoopbackServer() {
    ::shutdown(listening_, SHUT_RDWR);  // wakes accept()
    thread_.join();
    ::close(listening_);
  }

  std::string url(std::string_view path = "/") const {
    return "http://127.0.0.1:" + std::to_string(port_) + std::string(path);
  }
  int connections() const { return connections_; }
  std::vector<std::string> requests() const {
    MutexLock lock(&mu_);
    return requests_;
  }

 private:
  void Serve() {
    for (;;) {
      const int connection = ::accept(listening_, nullptr, nullptr);
      if (connection < 0) return;
      ++connections_;
      while (Answer(connection)) {
      }
      ::close(connection);
    }
  }

  // True: the connection is to be used again.
  bool Answer(int connection) {
    std::string heard;
    while (!IsWhole(heard)) {
      char bytes[4'096];
      const ssize_t count = ::recv(connection, bytes, sizeof(bytes), 0);
      if (count <= 0) return false;
      heard.append(bytes, static_cast<size_t>(count));
    }
    {
      MutexLock lock(&mu_);
      requests_.push_back(heard);
    }
    if (!answer_.empty()) {
      std::string answer = answer_;
      // It has one thread: a connection that its client keeps would keep all others out.
      if (!keeps_) answer.insert(answer.find("\r\n") + 2, "Connection: close\r\n");
      ::send(connection, answer.data(), answer.size(), MSG_NOSIGNAL);
      return keeps_;
    }
    char byte;
    while (::recv(connection, &byte, 1, 0) > 0) {
    }
    return false;
  }

  static bool IsWhole(const std::string& heard) {
    const size_t end = heard.find("\r\n\r\n");
    if (end == heard.npos) return false;
    constexpr std::string_view kLength = "Content-Length: ";
    const size_t length = heard.find(kLength);
    if (length == heard.npos) return true;
    return heard.size() - end - 4 >= std::stoul(heard.substr(length + kLength.size()));
  }

  const std::string answer_;
  const bool keeps_;
  std::atomic<int> connections_{0};
  int listening_ = -1;
  int port_ = 0;
  std::thread thread_;
  mutable Mutex mu_;
  std::vector<std::string> requests_ ABSL_GUARDED_BY(mu_);
};

// Sends and waits for the answer.
absl::StatusOr<HttpResponse> Ask(HttpTransport& transport, HttpRequest request) {
  std::latch answered(1);
  absl::StatusOr<HttpResponse> answer = absl::UnknownError("never called");
  transport.Send(std::move(request), [&](absl::StatusOr<HttpResponse> its) {
    answer = std::move(its);
    answered.count_down();
  });
  answered.wait();
  return answer;
}

TEST(CurlTransportTest, APostArrivesAsItWasGiven) {
  LoopbackServer server("HTTP/1.1 201 Created\r\nX-Thing: a b \r\nContent-Length: 5\r\n\r\nhello");
  const auto transport = CurlTransport::Create().value();
  const auto answer = Ask(*transport, {.method = "POST",
                                       .url = server.url("/in?x=1"),
                                       .headers = {{"x-one", "1"}, {"Content-Type", "text/plain"}},
                                       .body = std::string("zero \0 byte", 11)});
  ASSERT_TRUE(answer.ok()) << answer.status();
  EXPECT_EQ(answer->status, 201);
  EXPECT_EQ(answer->body, "hello");
  EXPECT_EQ(FindHeader(answer->headers, "x-thing"), "a b");
  const std::string heard = server.requests().at(0);
  EXPECT_THAT(heard, ::testing::StartsWith("POST /in?x=1 HTTP/1.1\r\n"));
  EXPECT_THAT(heard, HasSubstr("x-one: 1\r\n"));
  EXPECT_THAT(heard, HasSubstr("Content-Type: text/plain\r\n"));
  EXPECT_THAT(heard, HasSubstr(std::string("\r\n\r\nzero \0 byte", 15)));
  EXPECT_THAT(heard, Not(HasSubstr("Expect"))) << "nothing is added";
}

TEST(CurlTransportTest, AGetHasNoBodyAndAHeaderMayBeEmpty) {
  LoopbackServer server;
  const auto transport = CurlTransport::Create().value();
  ASSERT_TRUE(
      Ask(*transport, {.method = "GET", .url = server.url(), .headers = {{"x-empty", ""}}}).ok());
  const std::string heard = server.requests().at(0);
  EXPECT_THAT(heard, ::testing::StartsWith("GET / HTTP/1.1\r\n"));
  EXPECT_THAT(heard, HasSubstr("x-empty:\r\n"));
  EXPECT_THAT(heard, Not(HasSubstr("Content-Length")));
}

TEST(CurlTransportTest, AnErrorStatusIsAnAnswer) {
  LoopbackServer server("HTTP/1.1 503 Busy\r\nContent-Length: 0\r\n\r\n");
  const auto transport = CurlTransport::Create().value();
  EXPECT_EQ(Ask(*transport, {.url = server.url()}).value().status, 503);
}

TEST(CurlTransportTest, ARedirectIsNotFollowed) {
  LoopbackServer elsewhere;
  LoopbackServer server("HTTP/1.1 302 Found\r\nLocation: " + elsewhere.url() +
                        "\r\nContent-Length: 0\r\n\r\n");
  const auto transport = CurlTransport::Create().value();
  const auto answer = Ask(*transport, {.url = server.url()});
  EXPECT_EQ(answer.value().status, 302);
  EXPECT_THAT(answer->headers, Contains(Pair("Location", elsewhere.url())));
  EXPECT_TRUE(elsewhere.requests().empty());
}

TEST(CurlTransportTest, AConnectionIsUsedAgain) {
  LoopbackServer server("HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n",
                        LoopbackServer::Connections::kKept);
  const auto transport = CurlTransport::Create().value();
  for (int i = 0; i < 3; ++i) EXPECT_TRUE(Ask(*transport, {.url = server.url()}).ok());
  EXPECT_EQ(server.requests().size(), 3u);
  EXPECT_EQ(server.connections(), 1);
}

TEST(CurlTransportTest, AServerThatSaysNothingRunsIntoTheTimeout) {
  LoopbackServer server("");
  const auto transport = CurlTransport::Create().value();
  const auto answer = Ask(*transport, {.url = server.url(), .timeout = absl::Milliseconds(50)});
  EXPECT_EQ(answer.status().code(), absl::StatusCode::kDeadlineExceeded) << answer.status();
}

TEST(CurlTransportTest, NobodyThereIsUnavailable) {
  std::string url;
  {
    LoopbackServer gone;
    url = gone.url();
  }
  const auto transport = CurlTransport::Create().value();
  EXPECT_EQ(Ask(*transport, {.url = url}).status().code(), absl::StatusCode::kUnavailable);
}

TEST(CurlTransportTest, AnAnswerThatIsTooLargeFails) {
  const std::string body(1'001, 'x');
  LoopbackServer server("HTTP/1.1 200 OK\r\nContent-Length: 1001\r\n\r\n" + body);
  const auto just = CurlTransport::Create({.response_bytes_max = 1'001}).value();
  EXPECT_EQ(Ask(*just, {.url = server.url()}).value().body, body);
  const auto less = CurlTransport::Create({.response_bytes_max = 1'000}).value();
  EXPECT_EQ(Ask(*less, {.url = server.url()}).status().code(),
            absl::StatusCode::kResourceExhausted);
}

TEST(CurlTransportTest, HeadersWithoutEndFail) {
  LoopbackServer server("HTTP/1.1 200 OK\r\nx: " + std::string(90'000, 'x') +
                        "\r\ny: " + std::string(90'000, 'y') +
                        "\r\nz: " + std::string(90'000, 'z') + "\r\n\r\n");
  const auto transport = CurlTransport::Create().value();
  EXPECT_FALSE(Ask(*transport, {.url = server.url()}).ok());
}

TEST(CurlTransportTest, WhatCannotBeSentIsInvalid) {
  LoopbackServer server;
  const auto transport = CurlTransport::Create().value();
  for (const HttpRequest& bad :
       {HttpRequest{.url = server.url(), .headers = {{"x", "1\r\nInjected: 2"}}},
        HttpRequest{.url = server.url(), .headers = {{"x: 1\r\ny", "2"}}},
        HttpRequest{.url = server.url(), .headers = {{"", "2"}}},
        HttpRequest{.method = "GET / HTTP/1.1\r\n", .url = server.url()},
        HttpRequest{.url = "file:///etc/hostname"}, HttpRequest{.url = "http://"},
        HttpRequest{.url = ""}}) {
    EXPECT_EQ(Ask(*transport, bad).status().code(), absl::StatusCode::kInvalidArgument)
        << bad.method << " " << bad.url;
  }
  EXPECT_TRUE(server.requests().empty());
}

TEST(CurlTransportTest, MoreThanTheBoundIsRefusedAtOnce) {
  LoopbackServer silent("");
  auto transport = CurlTransport::Create({.requests_max = 1}).value();
  std::latch cancelled(1);
  absl::Status first;
  transport->Send({.url = silent.url()}, [&](absl::StatusOr<HttpResponse> answer) {
    first = answer.status();
    cancelled.count_down();
  });
  EXPECT_EQ(Ask(*transport, {.url = silent.url()}).status().code(),
            absl::StatusCode::kResourceExhausted);
  transport.reset();
  cancelled.wait();
  EXPECT_EQ(first.code(), absl::StatusCode::kCancelled) << "what is under way ends with it";
}

TEST(CurlTransportTest, ManyThreadsSendAndEachIsAnsweredOnce) {
  LoopbackServer server;
  const auto transport = CurlTransport::Create({.connections_max = 4}).value();
  constexpr int kThreads = 4, kEach = 25;
  std::latch answered(kThreads * kEach);
  std::atomic<int> good{0};
  std::vector<std::thread> threads;
  for (int t = 0; t < kThreads; ++t) {
    threads.emplace_back([&] {
      for (int i = 0; i < kEach; ++i) {
        transport->Send({.url = server.url(), .body = "x", .timeout = absl::Minutes(2)},
                        [&](absl::StatusOr<HttpResponse> answer) {
                          if (answer.ok() && answer->status == 200) ++good;
                          answered.count_down();
                        });
      }
    });
  }
  for (std::thread& thread : threads) thread.join();
  answered.wait();
  EXPECT_EQ(good, kThreads * kEach);
  EXPECT_EQ(server.requests().size(), size_t{kThreads * kEach});
}

TEST(CurlTransportTest, ACompletionMaySend) {
  LoopbackServer server;
  const auto transport = CurlTransport::Create().value();
  std::latch answered(1);
  std::optional<int> second;
  transport->Send({.url = server.url("/1")}, [&](absl::StatusOr<HttpResponse>) {
    transport->Send({.url = server.url("/2")}, [&](absl::StatusOr<HttpResponse> answer) {
      second = answer.value().status;
      answered.count_down();
    });
  });
  answered.wait();
  EXPECT_EQ(second, 200);
}

TEST(CurlTransportTest, AForkedChildIsToldAndLetsGo) {
  LoopbackServer server;
  auto transport = CurlTransport::Create().value();
  const pid_t child = ::fork();
  if (child == 0) {
    bool told = false;
    transport->Send({.url = server.url()}, [&](absl::StatusOr<HttpResponse> answer) {
      told = answer.status().code() == absl::StatusCode::kUnavailable;
    });
    transport.reset();
    ::_exit(told ? 0 : 1);
  }
  int status = -1;
  ASSERT_EQ(::waitpid(child, &status, 0), child);
  EXPECT_TRUE(WIFEXITED(status) && WEXITSTATUS(status) == 0);
  EXPECT_TRUE(Ask(*transport, {.url = server.url()}).ok()) << "the parent's goes on";
}

TEST(CurlTransportTest, OptionsOutOfRangeAreRefused) {
  for (const CurlTransportOptions& bad :
       {CurlTransportOptions{.connect_timeout = absl::ZeroDuration()},
        CurlTransportOptions{.response_bytes_max = -1}, CurlTransportOptions{.requests_max = 0},
        CurlTransportOptions{.connections_max = 0}}) {
    EXPECT_EQ(CurlTransport::Create(bad).status().code(), absl::StatusCode::kInvalidArgument);
  }
}

// All of it together: a topic, the handshake, and a notification, over a socket.
TEST(CurlTransportTest, ATopicsNotificationArrives) {
  LoopbackServer server;
  const auto runtime = NewThreadedRuntime();
  const auto transport = CurlTransport::Create().value();
  Broker broker = Broker::Create(*runtime, {.http_transport = transport.get()}).value();
  Topic topic = broker.CreateTopic("t").value();
  ASSERT_TRUE(topic.Subscribe(Target::Url(server.url("/sns"))).ok());
  broker.Stop(absl::Minutes(1));  // returns when the confirmation was delivered
  ASSERT_EQ(server.requests().size(), 1u);
  EXPECT_THAT(server.requests()[0],
              HasSubstr("x-amz-sns-message-type: SubscriptionConfirmation\r\n"));
}

}  // namespace
}  // namespace banyan
