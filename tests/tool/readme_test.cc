// SPDX-License-Identifier: Apache-2.0
//
// README's transcripts of the tool are what happens: each block of ```console is run, command by
// command, in the folder that the comment above it names, and must print what stands there.
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <sstream>
#include <string>
#include <string_view>
#include <vector>

#include "gtest/gtest.h"
#include "tool/tool_testing.h"

namespace banyan::inline v0_1::tool {
namespace {

std::string ReadFile(const std::string& path) {
  std::ifstream file(path, std::ios::binary);
  std::ostringstream text;
  text << file.rdbuf();
  return text.str();
}

struct Command {
  int line = 0;        // in README
  std::string folder;  // relative to the root
  std::string text;
  std::string output;
};

std::vector<Command> CommandsOf(const std::string& readme) {
  constexpr std::string_view kMarker = "<!-- ";
  std::vector<Command> commands;
  std::string folder;
  bool inside = false;
  int number = 0;
  std::istringstream in(readme);
  for (std::string line; std::getline(in, line);) {
    ++number;
    if (line.starts_with("```")) {
      inside = line == "```console";
    } else if (!inside && line.starts_with(kMarker)) {
      folder = line.substr(kMarker.size(), line.find(" -->") - kMarker.size());
    } else if (inside && line.starts_with("$ ")) {
      commands.push_back({.line = number, .folder = folder, .text = line.substr(2), .output = ""});
    } else if (inside && !commands.empty()) {
      commands.back().output += line + "\n";
    }
  }
  return commands;
}

class ReadmeTest : public ToolTest {};

TEST_F(ReadmeTest, TranscriptsAreWhatHappens) {
  const std::filesystem::path root = BANYAN_SOURCE_DIR;
  const std::string program_folder = std::filesystem::path(BANYAN_PROGRAM).parent_path();
  const std::vector<Command> commands = CommandsOf(ReadFile(root / "README.md"));
  ASSERT_GE(commands.size(), 3u);
  for (const Command& command : commands) {
    Write("command", "PATH='" + program_folder + "':$PATH\ncd '" +
                         (root / command.folder).string() + "'\n" + command.text + "\n");
    const std::string run = "bash '" + Path("command") + "' >'" + Path("out") + "' 2>&1";
    EXPECT_NE(std::system(run.c_str()), -1);
    EXPECT_EQ(ReadFile(Path("out")), command.output) << "README.md:" << command.line;
  }
}

}  // namespace
}  // namespace banyan::inline v0_1::tool
