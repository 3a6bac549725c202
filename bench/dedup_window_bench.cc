// SPDX-License-Identifier: Apache-2.0
//
// What does it cost a FIFO queue to know the ids of the last five minutes?
//
//   question                                                    target
//   find and insert a new id while a window grows to a million  no slower than the peer
//   the same while as many are forgotten as come                none: two trips to memory, peer one
//   the slowest call while a million come                       at most a hundredth of the peer's
//   the slowest call while a million expire at once             at most 20 microseconds
//   memory with a million live ids, all included                at most 80 bytes an id
//   the digest of an id of 36 bytes                             a third of SHA-256's price
//
// The peer is what one writes first: absl::flat_hash_map from digest to answer, and a deque of
// digests in the order of time. It forgets at the same pace and is given the digest as its hash.
//
// phase 0: the window grows from nothing. 1: it stays as it is; with each id that comes, one is
// over. 2: all are over at once, and as many new ones come.
//
// The slowest call: a machine that does other things stops every program now and then, for longer
// than what is looked for here. So the same calls are made in five rounds, each call counts as fast
// as in its fastest round, and the slowest of those is work that belongs to that call.
#include <algorithm>
#include <array>
#include <cstdint>
#include <deque>
#include <memory>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "absl/container/flat_hash_map.h"
#include "banyan/id.h"
#include "base/hash.h"
#include "base/mix.h"
#include "base/sip_hash.h"
#include "benchmark/benchmark.h"
#include "laps.h"
#include "pattern/lookup_key.h"
#include "queue/dedup_window.h"

#if defined(__GLIBC__) && !defined(BANYAN_SANITIZER)
#include <malloc.h>
#endif

namespace banyan::internal {
namespace {

constexpr int64_t kMillion = 1'000'000;
constexpr int64_t kWindowNs = FifoDedupWindow::kFiveMinutesNs;

using Original = FifoDedupWindow::Original;

class FlatHashMapWindow {
 public:
  const Original* Find(const DedupKey& key, int64_t now_ns) {
    for (int i = 0; i < 2 && !by_time_.empty(); ++i) {
      if (by_time_.front().accepted_ns > now_ns - kWindowNs) break;
      map_.erase(by_time_.front().key);
      by_time_.pop_front();
    }
    const auto at = map_.find(key);
    if (at == map_.end() || at->second.accepted_ns <= now_ns - kWindowNs) return nullptr;
    return &at->second.original;
  }

  void Insert(const DedupKey& key, const Original& original, int64_t now_ns) {
    map_[key] = {.original = original, .accepted_ns = now_ns};
    by_time_.push_back({.key = key, .accepted_ns = now_ns});
  }

 private:
  struct Value {
    Original original;
    int64_t accepted_ns;
  };
  struct Due {
    DedupKey key;
    int64_t accepted_ns;
  };
  struct DigestAsHash {
    size_t operator()(const DedupKey& key) const { return static_cast<size_t>(key.lo); }
  };

  absl::flat_hash_map<DedupKey, Value, DigestAsHash> map_;
  std::deque<Due> by_time_;
};

DedupKey KeyOf(int64_t n) {
  const uint64_t step = static_cast<uint64_t>(n) * kMixStep;
  return {.hi = Mix64(step), .lo = Mix64(~step)};
}

enum Phase : int64_t { kGrowing, kSteady, kExpiring };

// `count` new ids, one each nanosecond, in three phases.
class Traffic {
 public:
  explicit Traffic(int64_t count) : count_(count) {}

  // The i-th id of the phase comes then.
  int64_t TimeOf(Phase phase, int64_t i) const {
    switch (phase) {
      case kGrowing:
        return i;
      case kSteady:
        return kWindowNs + i;
      case kExpiring:
        return 2 * kWindowNs + count_;
    }
    return 0;
  }

  template <typename Window>
  void Send(Window& window, Phase phase, int64_t i) const {
    const DedupKey key = KeyOf(IdOf(phase, i));
    const int64_t now_ns = TimeOf(phase, i);
    if (window.Find(key, now_ns) != nullptr) WrongAnswer("a new id is called a duplicate");
    window.Insert(key, {.message_id = {}, .sequence_number = 1}, now_ns);
  }

  template <typename Window>
  void Run(Window& window, Phase phase) const {
    for (int64_t i = 0; i < count_; ++i) Send(window, phase, i);
  }

  // The last id of the phase is still known at its end.
  template <typename Window>
  void Check(Window& window, Phase phase) const {
    const DedupKey key = KeyOf(IdOf(phase, count_ - 1));
    if (window.Find(key, TimeOf(phase, count_ - 1)) == nullptr) WrongAnswer("an id is forgotten");
  }

 private:
  int64_t IdOf(Phase phase, int64_t i) const { return phase * count_ + i; }

  const int64_t count_;
};

// --- what a send costs ----------------------------------------------------------------------

void BM_Send(benchmark::State& state) {
  const auto phase = static_cast<Phase>(state.range(0));
  const int64_t count = Size(state, state.range(1));
  const Traffic traffic(count);
  Laps ours, peers;
  const auto lap = [&](auto window, Laps& laps) {
    for (int64_t before = 0; before < phase; ++before) {
      traffic.Run(window, static_cast<Phase>(before));
    }
    const double seconds =
        laps.Time(static_cast<size_t>(count), [&] { traffic.Run(window, phase); });
    traffic.Check(window, phase);
    return seconds;
  };
  for (auto _ : state) {
    lap(FlatHashMapWindow(), peers);
    state.SetIterationTime(lap(FifoDedupWindow(), ours));
  }
  state.SetItemsProcessed(state.iterations() * count);
  state.counters["ns"] = ours.Median();
  state.counters["peer_ns"] = peers.Median();
  const double ratio = ours.Median() / peers.Median();
  if (phase == kGrowing) {
    ReportAtMost(state, "ratio", ratio, 1);
  } else {
    state.counters["ratio"] = ratio;
  }
}
BENCHMARK(BM_Send)
    ->ArgNames({"phase", "ids"})
    ->ArgsProduct({{kGrowing, kSteady, kExpiring}, {30'000, kMillion}})
    ->Iterations(5)
    ->UseManualTime()
    ->Unit(benchmark::kMillisecond);

// --- the slowest one ------------------------------------------------------------------------

// How long each of a sequence of calls takes, at best.
class BestOfRounds {
 public:
  explicit BestOfRounds(int64_t calls) : best_ns_(static_cast<size_t>(calls), INT64_MAX) {}

  template <typename Call>
  void Round(Call&& call) {
    int64_t began = WallNs();
    for (size_t i = 0; i < best_ns_.size(); ++i) {
      call(static_cast<int64_t>(i));
      const int64_t ended = WallNs();
      best_ns_[i] = std::min(best_ns_[i], ended - began);
      began = ended;
    }
  }

  // The call that is slower than `share` of them all.
  double Quantile(double share) {
    std::sort(best_ns_.begin(), best_ns_.end());
    const auto last = static_cast<double>(best_ns_.size() - 1);
    return static_cast<double>(best_ns_[static_cast<size_t>(share * last)]);
  }

 private:
  std::vector<int64_t> best_ns_;
};

void BM_SlowestSend(benchmark::State& state) {
  const auto phase = static_cast<Phase>(state.range(0));
  const int64_t count = Size(state, kMillion);
  const Traffic traffic(count);
  BestOfRounds ours(count), peers(count);
  const auto round = [&](auto window, BestOfRounds& best) {
    for (int64_t before = 0; before < phase; ++before) {
      traffic.Run(window, static_cast<Phase>(before));
    }
    best.Round([&](int64_t i) { traffic.Send(window, phase, i); });
  };
  for (auto _ : state) {
    round(FlatHashMapWindow(), peers);
    round(FifoDedupWindow(), ours);
  }
  state.counters["p99.99_ns"] = ours.Quantile(0.9999);
  state.counters["peer_p99.99_ns"] = peers.Quantile(0.9999);
  state.counters["peer_max_ns"] = peers.Quantile(1);
  const double most = phase == kGrowing ? peers.Quantile(1) / 100 : 20'000;
  ReportAtMost(state, "max_ns", ours.Quantile(1), most);
}
BENCHMARK(BM_SlowestSend)
    ->ArgName("phase")
    ->DenseRange(kGrowing, kExpiring)
    ->Iterations(5)
    ->Unit(benchmark::kMillisecond);

// --- memory ---------------------------------------------------------------------------------

#if defined(__GLIBC__) && !defined(BANYAN_SANITIZER)
// Bytes the allocator has handed out, its own share of them included.
int64_t HeldByMalloc() {
  const struct mallinfo2 info = mallinfo2();
  return static_cast<int64_t>(info.uordblks + info.hblkhd);
}
#else
int64_t HeldByMalloc() { return 0; }
#endif

// As the window grows, and, where "shrinking" is set, when as many more have gone again.
void BM_Memory(benchmark::State& state) {
  const int64_t count = Size(state, state.range(0));
  const bool shrinking = state.range(1) != 0;
  const int64_t flood = shrinking ? 2 * count : count;
  const Traffic traffic(flood);
  const auto held_by = [&](auto& window) {
    const int64_t before = HeldByMalloc();
    traffic.Run(window, kGrowing);
    // Each call forgets two.
    const int64_t half_over_ns = traffic.TimeOf(kSteady, count - 1);
    for (int64_t i = 0; shrinking && i < count; ++i) window.Find(KeyOf(-1), half_over_ns);
    return static_cast<double>(HeldByMalloc() - before) / static_cast<double>(count);
  };
  for (auto _ : state) {
    FifoDedupWindow window;
    ReportAtMost(state, "bytes", held_by(window), 80);
    if (window.size() != static_cast<size_t>(count)) WrongAnswer("not as many are held");
    state.counters["bytes_asked_for"] =
        static_cast<double>(window.bytes()) / static_cast<double>(count);
    FlatHashMapWindow peer;
    state.counters["peer_bytes"] = held_by(peer);
  }
}
BENCHMARK(BM_Memory)
    ->ArgNames({"ids", "shrinking"})
    ->ArgsProduct({{1'000, 100'000, 700'000, 1'000'000}, {0, 1}})
    ->Iterations(1);

// --- the digest -----------------------------------------------------------------------------

// 0: SipHash-2-4-128. 1: two SecretHash(), which promise less. 2: SHA-256, cut to 128 bits.
void BM_Key(benchmark::State& state) {
  const std::string group = state.range(1) != 0 ? "customer-0042" : "";
  const std::string id = "5fea7756-0ea4-451a-a703-a558b933e274";
  const SipKey secret = {.low = 1, .high = 2};
  for (auto _ : state) {
    benchmark::DoNotOptimize(id.data());
    switch (state.range(0)) {
      case 0:
        benchmark::DoNotOptimize(MakeDedupKey(group, id, secret));
        break;
      case 1: {
        const uint64_t of_group = SecretHash(group, secret.low);
        const uint64_t other_of_group = SecretHash(group, secret.high);
        benchmark::DoNotOptimize(DedupKey{.hi = SecretHash(id, of_group ^ secret.low),
                                          .lo = SecretHash(id, other_of_group ^ secret.high)});
        break;
      }
      default:
        benchmark::DoNotOptimize(Sha256(group.empty() ? id : group + '\0' + id));
        break;
    }
  }
}
BENCHMARK(BM_Key)->ArgNames({"hash", "group"})->ArgsProduct({{0, 1, 2}, {0, 1}});

}  // namespace
}  // namespace banyan::internal
