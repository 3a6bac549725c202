// SPDX-License-Identifier: Apache-2.0
//
// README shows only what works: each of its C++ blocks stands, line by line, in the example named
// in the comment above it (or above an earlier block), and that example is built and run as a
// test. Indentation is README's own.
#include <algorithm>
#include <cstddef>
#include <filesystem>
#include <fstream>
#include <sstream>
#include <string>
#include <string_view>
#include <vector>

#include "gtest/gtest.h"

namespace {

std::string ReadFile(const std::filesystem::path& path) {
  std::ifstream in(path);
  std::stringstream text;
  text << in.rdbuf();
  return text.str();
}

std::vector<std::string> Lines(const std::string& text) {
  std::vector<std::string> lines;
  std::istringstream in(text);
  for (std::string line; std::getline(in, line);) lines.push_back(line);
  return lines;
}

std::string Trimmed(std::string_view line) {
  const size_t first = line.find_first_not_of(' ');
  if (first == std::string_view::npos) return "";
  return std::string(line.substr(first, line.find_last_not_of(' ') - first + 1));
}

struct Block {
  size_t line = 0;      // of its first line of code, from 1
  std::string example;  // relative to the root
  std::vector<std::string> code;
};

std::vector<Block> CppBlocks(const std::string& readme) {
  constexpr std::string_view kMarker = "<!-- examples/";
  std::vector<Block> blocks;
  std::string example;
  bool inside = false;
  size_t number = 0;
  for (const std::string& line : Lines(readme)) {
    ++number;
    if (inside) {
      inside = line != "```";
      if (inside) blocks.back().code.push_back(Trimmed(line));
    } else if (line == "```cpp") {
      inside = true;
      blocks.push_back({.line = number + 1, .example = example, .code = {}});
    } else if (line.starts_with(kMarker)) {
      const size_t begin = kMarker.find("examples/");
      example = line.substr(begin, line.find(" -->") - begin);
    }
  }
  return blocks;
}

// The first line of the block that breaks the run in `file`, or -1 if the block stands there.
int FirstLineNotIn(const std::vector<std::string>& file, const std::vector<std::string>& block) {
  size_t longest = 0;
  for (size_t start = 0; start < file.size(); ++start) {
    size_t i = 0;
    while (i < block.size() && start + i < file.size() && Trimmed(file[start + i]) == block[i]) ++i;
    if (i == block.size()) return -1;
    longest = std::max(longest, i);
  }
  return static_cast<int>(longest);
}

TEST(ReadmeTest, EveryCppBlockStandsInAnExample) {
  const std::filesystem::path root = BANYAN_SOURCE_DIR;
  const std::vector<Block> blocks = CppBlocks(ReadFile(root / "README.md"));
  ASSERT_GE(blocks.size(), 4u);
  for (const Block& block : blocks) {
    ASSERT_FALSE(block.example.empty()) << "README.md:" << block.line << ": no example is named";
    const std::vector<std::string> file = Lines(ReadFile(root / block.example));
    ASSERT_FALSE(file.empty()) << block.example << " is not there";
    const int broken = FirstLineNotIn(file, block.code);
    EXPECT_EQ(broken, -1) << "README.md:" << block.line + static_cast<size_t>(broken)
                          << " does not stand in " << block.example << ": "
                          << (broken < 0 ? "" : block.code[static_cast<size_t>(broken)]);
  }
}

TEST(ReadmeTest, ABlockThatIsNotInTheExampleIsFound) {
  const std::vector<std::string> file = {"int a;", "  int b;", "int c;"};
  EXPECT_EQ(FirstLineNotIn(file, {"int b;", "int c;"}), -1);
  EXPECT_EQ(FirstLineNotIn(file, {"int b;", "int d;"}), 1);
  EXPECT_EQ(FirstLineNotIn(file, {"int z;"}), 0);
}

}  // namespace
