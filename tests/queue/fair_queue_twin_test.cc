// SPDX-License-Identifier: Apache-2.0
//
// A naive twin of fair queues: it keeps its messages in one vector and decides who is noisy by
// counting, each time, what the definition counts. Random operations on both; whatever the real
// queue gives out, the twin must have allowed.
#include <algorithm>
#include <cstdint>
#include <cstdlib>
#include <map>
#include <random>
#include <string>
#include <vector>

#include "banyan/testing/seed_reporter.h"
#include "queue_testing.h"

namespace banyan::internal {
namespace {

constexpr absl::Duration kVisibility = absl::Seconds(10);

struct TwinMessage {
  Id id;
  std::string tenant;  // empty: none
  absl::Duration hidden_until;
  absl::Duration received_at;
  int64_t receives = 0;
  bool in_flight = false;
  bool gone = false;
  Received received;
};

class FairTwin {
 public:
  explicit FairTwin(const Fairness& fairness) : fairness_(fairness) {}

  std::vector<TwinMessage> messages;

  // Ends what timed out until `now`.
  void BringUpTo(absl::Duration now) {
    for (TwinMessage& m : messages) {
      if (!m.gone && m.in_flight && m.hidden_until <= now) EndAttempt(m, m.hidden_until);
    }
  }

  void EndAttempt(TwinMessage& m, absl::Duration at) {
    m.in_flight = false;
    spent_by_all_ += at - m.received_at;
    spent_[m.tenant] += at - m.received_at;
  }

  bool Visible(const TwinMessage& m, absl::Duration now) const {
    return !m.gone && m.hidden_until <= now;
  }

  std::string Explain() const {
    std::string text;
    for (const auto& [tenant, spent] : spent_) {
      text += "'" + tenant + "' spent " + absl::FormatDuration(spent) + ", ";
    }
    return text + "all " + absl::FormatDuration(spent_by_all_);
  }

  // The time is that of attempts that are over. A run is shorter than the window, so that all of
  // it counts.
  bool Noisy(const std::string& tenant) const {
    if (tenant.empty()) return false;
    int64_t all = 0;
    int64_t own = 0;
    for (const TwinMessage& m : messages) {
      if (m.gone || !m.in_flight) continue;
      ++all;
      own += m.tenant == tenant ? 1 : 0;
    }
    const double share = all == 0 ? 0 : static_cast<double>(own) / static_cast<double>(all);
    if (own >= fairness_.in_flight_min && share > fairness_.in_flight_share) return true;
    const auto spent = spent_.find(tenant);
    if (spent == spent_.end() || spent_by_all_ == absl::ZeroDuration()) return false;
    return absl::FDivDuration(spent->second, spent_by_all_) > fairness_.processing_share;
  }

 private:
  const Fairness fairness_;
  std::map<std::string, absl::Duration> spent_;
  absl::Duration spent_by_all_;
};

class TwinRun {
 public:
  TwinRun(uint64_t seed, const Fairness& fairness)
      : random_(seed), runtime_({.seed = seed}), broker_(runtime_), twin_(fairness) {
    queue_ = broker_.Make("jobs", {.visibility_timeout = kVisibility, .fairness = fairness});
  }

  // At most a second passes in a step, and the window is an hour.
  void Run(int steps) {
    for (int i = 0; i < steps && !::testing::Test::HasFatalFailure(); ++i) {
      Step();
      twin_.BringUpTo(Now());
      queue_.core()->CheckInvariants();
    }
  }

  int passed_over() const { return passed_over_; }

 private:
  int Draw(int below) { return static_cast<int>(random_() % static_cast<uint64_t>(below)); }
  absl::Duration Now() { return runtime_.Uptime(); }

  void Step() {
    switch (Draw(10)) {
      case 0:
      case 1:
      case 2:
        return Send();
      case 3:
      case 4:
      case 5:
        return ReceiveOne();
      case 6:
        return Receive(2 + Draw(5));
      case 7:
        return Settle(/*hand_back=*/false);
      case 8:
        return Settle(/*hand_back=*/Draw(2) == 0);
      default:
        runtime_.Advance(absl::Milliseconds(Draw(1'000)));
    }
  }

  void Send() {
    // A few tenants, one of which sends half of all.
    static constexpr const char* kTenants[] = {"big", "big", "big", "big", "a", "b", "c", ""};
    TwinMessage m;
    m.tenant = kTenants[Draw(8)];
    absl::StatusOr<SendResult> sent = queue_.Send({.body = "m", .message_group_id = m.tenant});
    ASSERT_TRUE(sent.ok()) << sent.status();
    m.id = sent->message_id;
    m.hidden_until = Now();
    twin_.messages.push_back(m);
  }

  // Takes note of what was received; null if it may not have been.
  TwinMessage* Note(const Received& one) {
    for (TwinMessage& m : twin_.messages) {
      if (m.id != one.id()) continue;
      if (!twin_.Visible(m, Now())) return nullptr;
      m.in_flight = true;
      m.hidden_until = Now() + kVisibility;
      m.received_at = Now();
      ++m.receives;
      m.received = one;
      return &m;
    }
    return nullptr;
  }

  void ReceiveOne() {
    const TwinMessage* oldest = nullptr;
    std::map<std::string, const TwinMessage*> first_fresh;
    bool some_quiet = false;
    for (const TwinMessage& m : twin_.messages) {
      if (!twin_.Visible(m, Now())) continue;
      some_quiet = some_quiet || !twin_.Noisy(m.tenant);
      if (oldest == nullptr) oldest = &m;
      if (m.receives == 0) first_fresh.try_emplace(m.tenant, &m);
    }
    const absl::StatusOr<std::vector<Received>> got = queue_.Receive();
    ASSERT_TRUE(got.ok()) << got.status();
    ASSERT_EQ(got->empty(), oldest == nullptr);
    if (got->empty()) return;
    const auto is_it = [&](const TwinMessage& m) { return m.id == (*got)[0].id(); };
    const auto found = std::find_if(twin_.messages.begin(), twin_.messages.end(), is_it);
    ASSERT_NE(found, twin_.messages.end());
    ASSERT_EQ(twin_.Noisy(found->tenant), !some_quiet)
        << "tenant '" << found->tenant << "', received " << found->receives << " times, while "
        << (some_quiet ? "a quiet one waited; " : "none did; ") << twin_.Explain();
    if (found->receives == 0) {
      ASSERT_EQ(first_fresh[found->tenant], &*found) << "not the first of its tenant";
    }
    passed_over_ += some_quiet && twin_.Noisy(oldest->tenant) ? 1 : 0;
    ASSERT_NE(Note((*got)[0]), nullptr);
  }

  // Several at once: each must be there; the shares move while they are taken.
  void Receive(int max_messages) {
    const absl::StatusOr<std::vector<Received>> got =
        queue_.Receive({.max_messages = max_messages});
    ASSERT_TRUE(got.ok()) << got.status();
    int64_t visible = 0;
    for (const TwinMessage& m : twin_.messages) visible += twin_.Visible(m, Now()) ? 1 : 0;
    ASSERT_EQ(static_cast<int64_t>(got->size()), std::min<int64_t>(visible, max_messages));
    for (const Received& one : *got) ASSERT_NE(Note(one), nullptr);
  }

  void Settle(bool hand_back) {
    std::vector<TwinMessage*> held;
    for (TwinMessage& m : twin_.messages) {
      if (!m.gone && m.in_flight) held.push_back(&m);
    }
    if (held.empty()) return;
    TwinMessage& m = *held[static_cast<size_t>(Draw(static_cast<int>(held.size())))];
    if (hand_back) {
      ASSERT_TRUE(m.received.ChangeVisibility(absl::ZeroDuration()).ok());
      m.hidden_until = Now();
    } else {
      ASSERT_TRUE(m.received.Delete().ok());
      m.gone = true;
    }
    twin_.EndAttempt(m, Now());
    m.received = Received();
  }

  std::mt19937_64 random_;
  testing::SimulatedRuntime runtime_;
  TestBroker broker_;
  FairTwin twin_;
  Queue queue_;
  int passed_over_ = 0;  // receives that took another than the oldest because that was noisy
};

void RunFairSeeds(const Fairness& fairness) {
#ifdef BANYAN_SANITIZER
  constexpr uint64_t kSeeds = 20;
#else
  constexpr uint64_t kSeeds = 200;
#endif
  // BANYAN_SEED=n runs that seed alone, to look at a failure.
  const char* only = std::getenv("BANYAN_SEED");
  const uint64_t first = only == nullptr ? 1 : std::strtoull(only, nullptr, 10);
  const uint64_t last = only == nullptr ? kSeeds : first;
  int passed_over = 0;
  for (uint64_t seed = first; seed <= last && !::testing::Test::HasFailure(); ++seed) {
    testing::SeedReporter reporter(seed);
    TwinRun run(seed, fairness);
    run.Run(/*steps=*/400);
    passed_over += run.passed_over();
  }
  EXPECT_GT(passed_over, 0) << "no run had a noisy tenant";
}

TEST(FairQueueTwinTest, SharesOfWhatIsInFlight) {
  RunFairSeeds({.in_flight_share = 0.4,
                .in_flight_min = 3,
                .processing_share = 1,
                .window = absl::Hours(1)});
}

TEST(FairQueueTwinTest, SharesOfConsumersTime) {
  RunFairSeeds({.in_flight_share = 1, .processing_share = 0.4, .window = absl::Hours(1)});
}

TEST(FairQueueTwinTest, EitherShare) {
  RunFairSeeds({.in_flight_share = 0.3,
                .in_flight_min = 4,
                .processing_share = 0.5,
                .window = absl::Hours(1)});
}

}  // namespace
}  // namespace banyan::internal
