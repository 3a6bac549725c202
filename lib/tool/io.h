// SPDX-License-Identifier: Apache-2.0
//
// lib/tool/io.h -- floor 7: what a verb may touch of the world, and how it writes.
//
// Plain file descriptors: a read answers with what is there, so that `tail -f | banyan match` shows
// an event when it comes and not when a stdio buffer is full.
#ifndef BANYAN_LIB_TOOL_IO_H_
#define BANYAN_LIB_TOOL_IO_H_

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "banyan/runtime.h"

namespace banyan::inline v0_1::tool {

// The exit codes of grep.
enum ExitCode : int {
  kFound = 0,    // something matched; nothing to warn of
  kNothing = 1,  // nothing matched; warnings
  kTrouble = 2,  // bad usage, an unreadable file, rules that are not valid
};

// main() fills it with the process's own; tests with files of theirs.
struct Io {
  int in = 0;
  int out = 1;
  int err = 2;
  bool out_is_terminal = false;
  bool err_is_terminal = false;
  Runtime* clock = nullptr;  // for the progress line
};

// Text for a terminal or a one-line message: control characters become '?', and what is longer than
// `bytes_max` is cut.
std::string Shown(std::string_view text, size_t bytes_max = std::string_view::npos);

// "banyan match: rules.json: No such file or directory", one line, whatever `text` holds. `verb`
// may be empty.
void Complain(const Io& io, std::string_view verb, std::string_view text);

// Collects what is written and passes it on in large pieces.
class Output {
 public:
  explicit Output(int fd) : fd_(fd) {}
  ~Output() { Flush(); }
  Output(const Output&) = delete;
  Output& operator=(const Output&) = delete;

  void Write(std::string_view text);
  void Flush();

  // errno of the first write that failed, or 0. Nothing is written after it.
  int error() const { return error_; }

 private:
  void WriteThrough(std::string_view text);

  const int fd_;
  int error_ = 0;
  std::string pending_;
};

// An open file that closes itself, or standard input ("-"), which stays open.
class InputFile {
 public:
  InputFile(const Io& io, const std::string& path);
  ~InputFile();
  InputFile(const InputFile&) = delete;
  InputFile& operator=(const InputFile&) = delete;

  int fd() const { return fd_; }        // -1: it cannot be opened
  int error() const { return error_; }  // the reason, an errno

 private:
  const bool is_ours_;
  int fd_ = -1;
  int error_ = 0;
};

// Bytes of a file ("-": what is left of standard input); nothing for pipes and the like.
std::optional<uint64_t> SizeOfFile(const Io& io, const std::string& path);

// read(2) that is not disturbed by signals: how many bytes came, 0 at the end, -1 with errno.
ptrdiff_t ReadSome(int fd, char* to, size_t bytes);

std::string ErrorText(int error);

}  // namespace banyan::inline v0_1::tool

#endif  // BANYAN_LIB_TOOL_IO_H_
