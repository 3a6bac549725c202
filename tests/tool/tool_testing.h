// SPDX-License-Identifier: Apache-2.0
//
// What the tool's tests share: a folder for files, and runs of the tool in this process.
#ifndef BANYAN_TESTS_TOOL_TOOL_TESTING_H_
#define BANYAN_TESTS_TOOL_TOOL_TESTING_H_

#include <cstddef>
#include <string>
#include <string_view>
#include <vector>

#include "gtest/gtest.h"
#include "tool/io.h"

namespace banyan::inline v0_1::tool {

// Something that file descriptors can be had of, and its text read back.
class ScratchFile {
 public:
  explicit ScratchFile(std::string_view text = "");
  ~ScratchFile();
  ScratchFile(const ScratchFile&) = delete;
  ScratchFile& operator=(const ScratchFile&) = delete;

  int fd() const { return fd_; }  // stands at the beginning at first
  std::string Text() const;       // all of it

 private:
  int fd_;
};

class ToolTest : public ::testing::Test {
 protected:
  ToolTest();
  ~ToolTest() override;

  // The path of a new file with this text.
  std::string Write(const std::string& name, std::string_view text) const;
  std::string Path(const std::string& name) const { return folder_ + "/" + name; }

  struct Result {
    int code = 0;
    std::string out;
    std::string err;  // both without the folder's name, so that "rules.json:1:2: ..." is readable
  };
  Result Run(const std::vector<std::string>& words, std::string_view input = "") const;
  Result Run(const std::vector<std::string>& words, std::string_view input, Io io) const;

  std::string WithoutFolder(std::string text) const;

 private:
  std::string folder_;
};

}  // namespace banyan::inline v0_1::tool

#endif  // BANYAN_TESTS_TOOL_TOOL_TESTING_H_
