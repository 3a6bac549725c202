// SPDX-License-Identifier: Apache-2.0
//
// Report: what the shop prints when the day is over.
#ifndef BANYAN_EXAMPLES_SHOP_REPORT_H_
#define BANYAN_EXAMPLES_SHOP_REPORT_H_

#include <array>
#include <cstdint>
#include <string>
#include <vector>

#include "absl/time/time.h"
#include "books.h"
#include "stopwatch.h"

namespace shop {

// What the library's own counters say of one desk.
struct LibraryCounters {
  int64_t matched = 0;    // let through by the rule or the filter policy
  int64_t delivered = 0;  // of these, taken by the target
  int64_t settled = 0;    // deleted from the queue; of functions and the stream: delivered
  int64_t dead = 0;
  int64_t resting = 0;
  int64_t attempts = 0;
};

using DeskCounters = std::array<LibraryCounters, kDesks>;
using DeskAccounts = std::array<Books::Account, kDesks>;

void PrintTable(const DeskAccounts& accounts, const DeskCounters& counters);

void PrintLatencies(const Stopwatch& stopwatch);

// What is wrong with the books, one sentence each; none if they balance, agree with the library's
// counters, and every order ended somewhere.
std::vector<std::string> FindFaults(const DeskAccounts& accounts, const DeskCounters& counters,
                                    int64_t orders_placed, int64_t orders_finished);

}  // namespace shop

#endif  // BANYAN_EXAMPLES_SHOP_REPORT_H_
