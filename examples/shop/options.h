// SPDX-License-Identifier: Apache-2.0
//
// What the shop is told on its command line.
#ifndef BANYAN_EXAMPLES_SHOP_OPTIONS_H_
#define BANYAN_EXAMPLES_SHOP_OPTIONS_H_

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "../common/terminal.h"
#include "absl/status/status.h"
#include "absl/status/statusor.h"

namespace shop {

inline constexpr char kUsage[] =
    R"(shop   an order-processing shop in one process, wired by Banyan

  --orders N    orders to place, 1 to 1,000,000 (default: 30,000)
  --rate N      orders placed per second; 0: as fast as the shop takes them, which shows its
                throughput (default: a day at 5,000, then one at 0; simulated: at 5,000)
  --threads N   threads that run the modules, 1 to 256 (default: 4)
  --seed N      what the customers and the payment provider do follows from it (default: 1)
  --simulated   the same shop on a simulated clock: no threads, no waiting, and the same
                seed gives the same run
  --help

Exit code 0: the books balance. 1: they do not, or not everything was settled in time. 2: bad usage.
)";

struct Options {
  int64_t orders = 30'000;
  std::optional<int64_t> rate = std::nullopt;
  int64_t threads = 4;
  int64_t seed = 1;
  bool simulated = false;
  bool help = false;
};

inline absl::StatusOr<Options> ParseOptions(int argc, char** argv) {
  Options options;
  for (int i = 1; i < argc; ++i) {
    const std::string_view flag = argv[i];
    if (flag == "--help" || flag == "--simulated") {
      (flag == "--help" ? options.help : options.simulated) = true;
      continue;
    }
    int64_t rate = 0;
    int64_t* const number = flag == "--orders"    ? &options.orders
                            : flag == "--rate"    ? &rate
                            : flag == "--threads" ? &options.threads
                            : flag == "--seed"    ? &options.seed
                                                  : nullptr;
    if (number == nullptr) {
      return absl::InvalidArgumentError("unknown option " + std::string(flag));
    }
    const std::optional<int64_t> value =
        i + 1 < argc ? examples::ParseCount(argv[i + 1]) : std::nullopt;
    if (!value.has_value())
      return absl::InvalidArgumentError(std::string(flag) + " wants a number");
    *number = *value;
    if (number == &rate) options.rate = rate;
    ++i;
  }
  if (options.orders < 1 || options.orders > 1'000'000) {
    return absl::InvalidArgumentError("--orders wants 1 to 1,000,000");
  }
  if (options.rate.value_or(0) < 0) return absl::InvalidArgumentError("--rate wants 0 or more");
  if (options.threads < 1 || options.threads > 256) {
    return absl::InvalidArgumentError("--threads wants 1 to 256");
  }
  return options;
}

}  // namespace shop

#endif  // BANYAN_EXAMPLES_SHOP_OPTIONS_H_
