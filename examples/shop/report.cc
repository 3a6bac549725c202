// SPDX-License-Identifier: Apache-2.0
#include "report.h"

#include <algorithm>
#include <cstdio>

#include "../common/terminal.h"

namespace shop {
namespace {

using examples::WithCommas;

// The smallest latency that `percent` of all do not exceed.
absl::Duration Percentile(const std::vector<absl::Duration>& sorted, double percent) {
  const double rank = percent / 100.0 * static_cast<double>(sorted.size());
  return sorted[std::min(sorted.size() - 1, static_cast<size_t>(rank))];
}

std::string InMilliseconds(absl::Duration latency) {
  char text[32];
  std::snprintf(text, sizeof(text), "%.2f ms", absl::ToDoubleMilliseconds(latency));
  return text;
}

void PrintLatencyRow(const char* name, const std::vector<absl::Duration>& latencies) {
  if (latencies.empty()) return;
  std::printf("%-28s %10s %12s %12s %12s %12s\n", name,
              WithCommas(static_cast<int64_t>(latencies.size())).c_str(),
              InMilliseconds(Percentile(latencies, 50)).c_str(),
              InMilliseconds(Percentile(latencies, 90)).c_str(),
              InMilliseconds(Percentile(latencies, 99)).c_str(),
              InMilliseconds(latencies.back()).c_str());
}

}  // namespace

void PrintTable(const DeskAccounts& accounts, const DeskCounters& counters) {
  std::printf("%-13s %10s %10s %10s %12s %8s %10s %9s\n", "subscription", "published", "filtered",
              "settled", "dead-letter", "resting", "attempts", "repeated");
  for (size_t i = 0; i < kDesks; ++i) {
    const Books::Account& account = accounts[i];
    std::printf("%-13s %10s %10s %10s %12s %8s %10s %9s\n", kDeskNames[i],
                WithCommas(account.published).c_str(), WithCommas(account.filtered).c_str(),
                WithCommas(account.settled).c_str(), WithCommas(account.dead).c_str(),
                WithCommas(account.resting).c_str(), WithCommas(counters[i].attempts).c_str(),
                WithCommas(account.repeated).c_str());
  }
}

void PrintLatencies(const Stopwatch& stopwatch) {
  std::printf("%-28s %10s %12s %12s %12s %12s\n", "from order to notice", "orders", "p50", "p90",
              "p99", "max");
  PrintLatencyRow("paid at the first attempt", stopwatch.Latencies(/*trouble=*/false));
  PrintLatencyRow("payment retried or redriven", stopwatch.Latencies(/*trouble=*/true));
}

std::vector<std::string> FindFaults(const DeskAccounts& accounts, const DeskCounters& counters,
                                    int64_t orders_placed, int64_t orders_finished) {
  std::vector<std::string> faults;
  const auto expect = [&faults](const std::string& desk, const std::string& what, int64_t ours,
                                int64_t theirs) {
    if (ours == theirs) return;
    faults.push_back(desk + ": " + what + " is " + WithCommas(ours) + " by the books, " +
                     WithCommas(theirs) + " by the library's counters");
  };
  for (size_t i = 0; i < kDesks; ++i) {
    const Books::Account& account = accounts[i];
    const LibraryCounters& counter = counters[i];
    const std::string desk = kDeskNames[i];
    if (account.missing > 0) faults.push_back(desk + ": missing " + WithCommas(account.missing));
    if (account.stray > 0) {
      faults.push_back(desk + ": got what it did not ask for, " + WithCommas(account.stray));
    }
    expect(desk, "what passed the filter", account.wanted(), counter.matched);
    expect(desk, "what arrived", account.wanted(), counter.delivered);
    expect(desk, "settled", account.settled, counter.settled);
    expect(desk, "in the dead-letter queue", account.dead, counter.dead);
    expect(desk, "resting", account.resting, counter.resting);
  }
  const int64_t unpaid = accounts[static_cast<size_t>(Desk::kPayment)].dead;
  if (orders_placed != orders_finished + unpaid) {
    faults.push_back("of " + WithCommas(orders_placed) + " orders " + WithCommas(orders_finished) +
                     " were finished and " + WithCommas(unpaid) + " could not be paid");
  }
  return faults;
}

}  // namespace shop
