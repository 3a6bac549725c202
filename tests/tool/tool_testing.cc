// SPDX-License-Identifier: Apache-2.0
#include "tool/tool_testing.h"

#include <unistd.h>

#include <cstdio>
#include <cstdlib>
#include <filesystem>
#include <fstream>

#include "tool/run.h"

namespace banyan::inline v0_1::tool {

ScratchFile::ScratchFile(std::string_view text) {
  std::FILE* file = std::tmpfile();
  fd_ = dup(fileno(file));
  std::fclose(file);
  while (!text.empty()) {
    const ssize_t count = write(fd_, text.data(), text.size());
    if (count <= 0) std::abort();
    text.remove_prefix(static_cast<size_t>(count));
  }
  lseek(fd_, 0, SEEK_SET);
}

ScratchFile::~ScratchFile() { close(fd_); }

std::string ScratchFile::Text() const {
  std::string text;
  char block[4096];
  off_t at = 0;
  while (true) {
    const ssize_t count = pread(fd_, block, sizeof(block), at);
    if (count <= 0) return text;
    text.append(block, static_cast<size_t>(count));
    at += count;
  }
}

ToolTest::ToolTest() {
  folder_ = ::testing::TempDir() + "banyan_tool_XXXXXX";
  if (mkdtemp(folder_.data()) == nullptr) std::abort();
}

ToolTest::~ToolTest() { std::filesystem::remove_all(folder_); }

std::string ToolTest::Write(const std::string& name, std::string_view text) const {
  std::ofstream(Path(name), std::ios::binary) << text;
  return Path(name);
}

ToolTest::Result ToolTest::Run(const std::vector<std::string>& words,
                               std::string_view input) const {
  return Run(words, input, Io());
}

ToolTest::Result ToolTest::Run(const std::vector<std::string>& words, std::string_view input,
                               Io io) const {
  const ScratchFile in(input);
  const ScratchFile out;
  const ScratchFile err;
  io.in = in.fd();
  io.out = out.fd();
  io.err = err.fd();
  const int code = tool::Run(words, io);
  return {.code = code, .out = WithoutFolder(out.Text()), .err = WithoutFolder(err.Text())};
}

std::string ToolTest::WithoutFolder(std::string text) const {
  const std::string folder = folder_ + "/";
  for (size_t at = text.find(folder); at != std::string::npos; at = text.find(folder, at)) {
    text.erase(at, folder.size());
  }
  return text;
}

}  // namespace banyan::inline v0_1::tool
