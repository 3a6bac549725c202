// SPDX-License-Identifier: Apache-2.0
//
// The program `banyan`: what stands in run.cc, with the process's own files and clock.
#include <unistd.h>

#include <csignal>
#include <memory>
#include <string>
#include <vector>

#include "banyan/runtime.h"
#include "tool/run.h"

int main(int argc, char** argv) {
  // A reader that has seen enough (`| head`) ends a write with EPIPE, which is no error.
  std::signal(SIGPIPE, SIG_IGN);
  const std::unique_ptr<banyan::Runtime> clock = banyan::NewThreadedRuntime({.threads = 0});
  const std::vector<std::string> words(argv + (argc > 0 ? 1 : 0), argv + argc);
  return banyan::tool::Run(words, {.out_is_terminal = isatty(STDOUT_FILENO) != 0,
                                   .err_is_terminal = isatty(STDERR_FILENO) != 0,
                                   .clock = clock.get()});
}
