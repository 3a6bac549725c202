// SPDX-License-Identifier: Apache-2.0
//
// What does it cost to know a record's shard? Times are per key where a counter says so; the floors
// run in the same binary, so compare within one run.
//
//   FloorEvp          MD5 as libcrypto offers it: what the rest of the library uses.
//   FloorTransform    libcrypto's bare block function, deprecated, without padding and digest: the
//                     reason that base/md5_short.h is there is that this is not faster.
//   Md5Short          one block of our own. Expected: as FloorTransform.
//   Md5Lanes          sixteen at once. Expected: a fifth of Md5Short a key; a quarter without AVX2.
//   HashKeys          as PutRecords asks: Md5Lanes, and one key after the other up to three.
//   Cached, hit       no MD5: a few nanoseconds, growing with the key by one a word.
//   Cached, miss      Md5Short, and writing one cache line.
//   Cached, hot keys  as many as given, in turn; where three share a set there are misses.
#include <array>
#include <cstdint>
#include <cstring>
#include <string>
#include <string_view>
#include <vector>

#include "absl/numeric/int128.h"
#include "base/hash.h"
#include "base/md5_short.h"
#include "benchmark/benchmark.h"
#include "openssl/md5.h"
#include "stream/placement.h"

namespace banyan {
namespace {

// Distinct keys of 16 bytes, made before the clock runs; far more than a cache has places.
const std::vector<std::string>& Keys() {
  static const std::vector<std::string>& keys = *new std::vector<std::string>([] {
    std::vector<std::string> made;
    for (int i = 0; i < 4'096; ++i) made.push_back("session-" + std::to_string(10'000'000 + i));
    return made;
  }());
  return keys;
}

std::vector<std::string_view> Views(size_t count) {
  return {Keys().begin(), Keys().begin() + static_cast<std::ptrdiff_t>(count)};
}

// The next key each time, round and round.
template <typename Use>
void EachKey(benchmark::State& state, size_t count, const Use& use) {
  const std::vector<std::string_view> keys = Views(count);
  size_t next = 0;
  for (auto _ : state) {
    benchmark::DoNotOptimize(use(keys[next]));
    if (++next == keys.size()) next = 0;
  }
}

void BM_FloorEvp(benchmark::State& state) {
  EachKey(state, Keys().size(), [](std::string_view key) { return internal::Md5(key); });
}
BENCHMARK(BM_FloorEvp);

void BM_FloorTransform(benchmark::State& state) {
  std::array<unsigned char, 64> block = {'k', 'e', 'y'};
  for (auto _ : state) {
    MD5_CTX context = {};
    context.A = 0x67452301;
    context.B = 0xefcdab89;
    context.C = 0x98badcfe;
    context.D = 0x10325476;
#pragma GCC diagnostic push
#pragma GCC diagnostic ignored "-Wdeprecated-declarations"
    MD5_Transform(&context, block.data());
#pragma GCC diagnostic pop
    benchmark::DoNotOptimize(context);
    ++block[3];
  }
}
BENCHMARK(BM_FloorTransform);

void BM_Md5Short(benchmark::State& state) {
  EachKey(state, Keys().size(), [](std::string_view key) { return internal::Md5Short(key); });
}
BENCHMARK(BM_Md5Short);

void PerKey(benchmark::State& state, size_t keys) {
  state.counters["per_key"] =
      benchmark::Counter(static_cast<double>(state.iterations()) * static_cast<double>(keys),
                         benchmark::Counter::kIsRate | benchmark::Counter::kInvert);
}

template <void (*kDigest)(absl::Span<const std::string_view>, internal::Md5Digest*)>
void BM_Md5Lanes(benchmark::State& state) {
  const std::vector<std::string_view> keys = Views(internal::kMd5Lanes);
  std::array<internal::Md5Digest, internal::kMd5Lanes> digests;
  for (auto _ : state) {
    kDigest(keys, digests.data());
    benchmark::DoNotOptimize(digests);
  }
  PerKey(state, keys.size());
}
BENCHMARK_TEMPLATE(BM_Md5Lanes, internal::Md5ShortLanes);
BENCHMARK_TEMPLATE(BM_Md5Lanes, internal::Md5ShortLanesPortable);

// As PutRecords would.
void BM_HashKeys(benchmark::State& state) {
  const std::vector<std::string_view> keys = Views(static_cast<size_t>(state.range(0)));
  std::vector<absl::uint128> hashes(keys.size());
  for (auto _ : state) {
    internal::HashKeys(keys, absl::MakeSpan(hashes));
    benchmark::ClobberMemory();
  }
  PerKey(state, keys.size());
}
BENCHMARK(BM_HashKeys)->ArgName("keys")->Arg(1)->Arg(3)->Arg(8)->Arg(16)->Arg(64)->Arg(500);

void BM_CachedHit(benchmark::State& state) {
  const std::string key(static_cast<size_t>(state.range(0)), 'k');
  for (auto _ : state) {
    std::string_view view = key;
    benchmark::DoNotOptimize(view);
    benchmark::DoNotOptimize(internal::HashKeyCached(view));
  }
}
BENCHMARK(BM_CachedHit)->ArgName("bytes")->Arg(4)->Arg(16)->Arg(36)->Arg(39)->Arg(40);

void BM_CachedMiss(benchmark::State& state) {
  EachKey(state, Keys().size(), [](std::string_view key) { return internal::HashKeyCached(key); });
}
BENCHMARK(BM_CachedMiss);

void BM_CachedHotKeys(benchmark::State& state) {
  EachKey(state, static_cast<size_t>(state.range(0)),
          [](std::string_view key) { return internal::HashKeyCached(key); });
}
BENCHMARK(BM_CachedHotKeys)->ArgName("keys")->Arg(8)->Arg(32)->Arg(128);

}  // namespace
}  // namespace banyan
