// SPDX-License-Identifier: Apache-2.0
//
// Several threads on one queue at once: senders, singly and in batches; receivers that delete,
// change visibilities, hand back, or forget what they have. All they did is written down and
// checked afterwards (history.h). Time stands still but for one thread that moves it.
#include <algorithm>
#include <atomic>
#include <functional>
#include <memory>
#include <random>
#include <string>
#include <thread>
#include <utility>
#include <vector>

#include "banyan/broker.h"
#include "banyan/runtime.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "history.h"

namespace banyan {
namespace {

using ::testing::IsEmpty;

#ifdef BANYAN_SANITIZER
constexpr int kHistoryMessages = 1'000;
#else
constexpr int kHistoryMessages = 15'000;
#endif
constexpr int kSenders = 2;
constexpr int kReceivers = 3;
constexpr int kHistoryGroups = 12;
constexpr absl::Duration kVisibility = absl::Seconds(1);

class Recording {
 public:
  explicit Recording(Runtime& runtime) : runtime_(runtime) {}

  template <typename Call>
  auto Measure(Span* span, const Call& call) {
    span->uptime_before = runtime_.Uptime();
    span->start = counter_.fetch_add(1);
    auto answer = call();
    span->end = counter_.fetch_add(1);
    span->uptime_after = runtime_.Uptime();
    return answer;
  }

 private:
  Runtime& runtime_;
  std::atomic<int64_t> counter_{1};
};

class QueueHistory : public ::testing::TestWithParam<bool> {
 protected:
  QueueHistory() {
    const QueueOptions options{.visibility_timeout = kVisibility, .fifo = fifo_};
    queue_ = broker_.CreateQueue(fifo_ ? "jobs.fifo" : "jobs", options).value();
  }

  // One thread's part; merged when all threads have ended.
  struct Part {
    History history;
    std::mt19937_64 random;
    int64_t faults = 0;

    uint64_t Below(uint64_t n) { return random() % n; }
  };

  SendRequest Request(int number) const {
    SendRequest request{.body = "message " + std::to_string(number)};
    if (fifo_) {
      request.message_group_id = "g" + std::to_string(number % kHistoryGroups);
      request.message_deduplication_id = "id" + std::to_string(number);
    }
    return request;
  }

  void Sent(Part& part, const Span& span, int64_t entry, const SendRequest& request,
            const absl::StatusOr<SendResult>& answer) {
    if (!answer.ok()) {
      ++part.faults;
      return;
    }
    part.history.sent.push_back({.span = span,
                                 .entry = entry,
                                 .body = std::string(request.body.view()),
                                 .group = request.message_group_id,
                                 .deduplication_id = request.message_deduplication_id,
                                 .id = answer->message_id,
                                 .sequence_number = answer->sequence_number});
  }

  void SendAll(Part& part) {
    for (;;) {
      const int count = part.Below(2) == 0 ? 1 : 1 + static_cast<int>(part.Below(10));
      const int first = next_.fetch_add(count);
      if (first >= kHistoryMessages) return;
      std::vector<SendRequest> batch;
      for (int i = first; i < std::min(first + count, kHistoryMessages); ++i)
        batch.push_back(Request(i));
      if (fifo_ && part.Below(4) == 0) {
        // A duplicate of what this or another sender sends just now, or is about to send.
        const int other = first - static_cast<int>(part.Below(20));
        SendOne(part, Request(std::max(other, 0)));
      }
      if (batch.size() == 1) {
        SendOne(part, batch[0]);
        continue;
      }
      Span span;
      const auto answers = recording_.Measure(&span, [&] { return queue_.SendBatch(batch); });
      if (!answers.ok() || answers->size() != batch.size()) {
        ++part.faults;
        return;
      }
      for (size_t i = 0; i < batch.size(); ++i) {
        Sent(part, span, static_cast<int64_t>(i), batch[i], (*answers)[i]);
      }
    }
  }

  void SendOne(Part& part, const SendRequest& request) {
    Span span;
    const auto answer = recording_.Measure(&span, [&] { return queue_.Send(request); });
    Sent(part, span, 0, request, answer);
  }

  std::vector<Received> Take(Part& part, ReceiveOptions options) {
    const absl::Duration visibility = options.visibility_timeout.value_or(kVisibility);
    Span span;
    auto batch = recording_.Measure(&span, [&] { return queue_.Receive(std::move(options)); });
    if (!batch.ok()) {
      ++part.faults;
      return {};
    }
    int64_t entry = 0;
    for (const Received& one : *batch) {
      part.history.received.push_back({.span = span,
                                       .entry = entry++,
                                       .visibility = visibility,
                                       .body = std::string(one.body()),
                                       .id = one.id(),
                                       .receipt = one.receipt_handle(),
                                       .receive_count = one.receive_count()});
    }
    return *std::move(batch);
  }

  void Change(Part& part, const Received& one, absl::Duration visibility) {
    SettledStep step{.receipt = one.receipt_handle(), .visibility = visibility};
    const absl::Status answer =
        recording_.Measure(&step.span, [&] { return one.ChangeVisibility(visibility); });
    if (answer.ok()) part.history.changed.push_back(std::move(step));
  }

  // By its text or as it is.
  void Delete(Part& part, const Received& one) {
    SettledStep step{.receipt = one.receipt_handle()};
    const bool by_text = part.Below(2) == 0;
    const absl::Status answer = recording_.Measure(
        &step.span, [&] { return by_text ? queue_.Delete(step.receipt) : one.Delete(); });
    if (answer.ok()) {
      part.history.deleted.push_back(std::move(step));
    } else if (!fifo_) {
      ++part.faults;  // in a FIFO queue the receipt may have expired
    }
  }

  void DeleteAll(Part& part, const std::vector<Received>& batch) {
    Span span;
    const auto answers = recording_.Measure(&span, [&] { return queue_.DeleteBatch(batch); });
    if (!answers.ok() || answers->size() != batch.size()) {
      ++part.faults;
      return;
    }
    for (size_t i = 0; i < batch.size(); ++i) {
      if ((*answers)[i].ok()) {
        part.history.deleted.push_back({.span = span, .receipt = batch[i].receipt_handle()});
      } else if (!fifo_) {
        ++part.faults;
      }
    }
  }

  void ReceiveAll(Part& part) {
    std::vector<Received> kept;  // to be settled late, or never
    while (queue_.Stats().deleted < kHistoryMessages && part.faults == 0) {
      ReceiveOptions options{.max_messages = 1 + static_cast<int64_t>(part.Below(10))};
      if (part.Below(3) == 0) options.wait = absl::Milliseconds(200);
      if (part.Below(5) == 0) options.visibility_timeout = absl::Milliseconds(100 * part.Below(30));
      const std::vector<Received> batch = Take(part, std::move(options));
      if (part.Below(3) == 0) {
        if (!batch.empty()) DeleteAll(part, batch);
        continue;
      }
      for (const Received& one : batch) {
        switch (part.Below(8)) {
          case 0:
            Change(part, one, absl::ZeroDuration());
            break;
          case 1:
            Change(part, one, 3 * kVisibility);
            Delete(part, one);
            break;
          case 2:
            kept.push_back(one);
            break;
          case 3:
            break;  // forgotten
          default:
            Delete(part, one);
        }
      }
      if (kept.size() > 20) {
        const size_t i = part.Below(kept.size());
        part.Below(2) == 0 ? Delete(part, kept[i]) : Change(part, kept[i], kVisibility / 2);
        kept.erase(kept.begin() + static_cast<std::ptrdiff_t>(i));
      }
    }
  }

  // Time moves no further than four minutes while somebody sends, so that duplicates stay within
  // the five in which they are duplicates.
  void MoveTime() {
    while (!over_.load()) {
      if (sending_.load() == 0 || runtime_->Uptime() < absl::Minutes(4)) {
        runtime_->AdvanceClock(absl::Milliseconds(50));
      }
      std::this_thread::yield();
    }
  }

  const bool fifo_ = GetParam();
  const std::unique_ptr<ThreadedRuntime> runtime_ =
      NewThreadedRuntime({.threads = 1, .clock = {.scale = 0}, .seed = 1});
  Broker broker_ = Broker::Create(*runtime_, {}).value();
  Queue queue_;
  Recording recording_{*runtime_};
  std::atomic<int> next_{0};
  std::atomic<int> sending_{kSenders};
  std::atomic<bool> over_{false};
};

TEST_P(QueueHistory, IsOneThatAQueueCouldHave) {
  std::vector<Part> parts(kSenders + kReceivers);
  for (size_t i = 0; i < parts.size(); ++i) parts[i].random.seed(i + 1);
  std::vector<std::thread> threads;
  for (size_t i = 0; i < parts.size(); ++i) {
    threads.emplace_back([this, &part = parts[i], sends = i < kSenders] {
      if (!sends) return ReceiveAll(part);
      SendAll(part);
      sending_.fetch_sub(1);
    });
  }
  std::thread clock([this] { MoveTime(); });
  for (std::thread& thread : threads) thread.join();
  over_.store(true);
  clock.join();

  History all{.fifo = fifo_};
  const auto append = [](auto& to, auto& from) {
    to.insert(to.end(), std::make_move_iterator(from.begin()), std::make_move_iterator(from.end()));
  };
  for (Part& part : parts) {
    EXPECT_EQ(part.faults, 0) << "a call was refused";
    append(all.sent, part.history.sent);
    append(all.received, part.history.received);
    append(all.changed, part.history.changed);
    append(all.deleted, part.history.deleted);
  }
  all.books = queue_.Stats();
  EXPECT_THAT(FindFaults(all), IsEmpty());

  // That there was something to check: messages that came more than once, and duplicates.
  EXPECT_GT(all.received.size(), static_cast<size_t>(kHistoryMessages) * 11 / 10);
  EXPECT_FALSE(all.changed.empty());
  EXPECT_EQ(all.books.duplicates > 0, fifo_);
  EXPECT_EQ(all.books.accepted, kHistoryMessages);
}

INSTANTIATE_TEST_SUITE_P(BothKinds, QueueHistory, ::testing::Bool(), [](const auto& param_info) {
  return param_info.param ? "Fifo" : "Standard";
});

}  // namespace
}  // namespace banyan
