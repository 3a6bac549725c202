// SPDX-License-Identifier: Apache-2.0
//
// The program itself, as a shell runs it. Everything else is tested in this process.
#include <sys/wait.h>

#include <cstdlib>
#include <fstream>
#include <sstream>
#include <string>

#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "tool/tool_testing.h"

namespace banyan::inline v0_1::tool {
namespace {

using ::testing::HasSubstr;
using ::testing::IsEmpty;
using ::testing::StartsWith;

class BinaryTest : public ToolTest {
 protected:
  // Runs a command of bash in which $banyan is the program.
  Result Shell(const std::string& command) {
    Write("command", "set -o pipefail\n" + command);
    const int status = std::system(("banyan='" BANYAN_PROGRAM "' bash '" + Path("command") +
                                    "' >'" + Path("out") + "' 2>'" + Path("err") + "'")
                                       .c_str());
    return {.code = WIFEXITED(status) ? WEXITSTATUS(status) : -1,
            .out = WithoutFolder(Read("out")),
            .err = WithoutFolder(Read("err"))};
  }

 private:
  std::string Read(const std::string& name) const {
    std::ifstream file(Path(name), std::ios::binary);
    std::ostringstream text;
    text << file.rdbuf();
    return text.str();
  }
};

TEST_F(BinaryTest, HasAVersion) {
  const Result result = Shell("\"$banyan\" --version");
  EXPECT_EQ(result.code, 0);
  EXPECT_THAT(result.out, StartsWith("banyan "));
}

TEST_F(BinaryTest, MatchesInAPipe) {
  const std::string rules = Write("rules.json", R"({"state": ["paid"]})");
  const Result result = Shell(
      R"(printf '{"state":"paid"}\n{"state":"lost"}\n' | "$banyan" match )" + rules + " | cat");
  EXPECT_EQ(result.code, 0);
  EXPECT_EQ(result.out, "{\"state\":\"paid\"}\n");
  EXPECT_THAT(result.err, IsEmpty());
}

TEST_F(BinaryTest, EndsQuietlyWhenItsReaderDoes) {
  const std::string rules = Write("rules.json", R"({"state": ["paid"]})");
  const Result result = Shell(R"(yes '{"state":"paid"}' | head -n 500000 | "$banyan" match )" +
                              rules + " | head -n 1; echo ${PIPESTATUS[2]}");
  EXPECT_EQ(result.out, "{\"state\":\"paid\"}\n0\n");
  EXPECT_THAT(result.err, IsEmpty());
}

TEST_F(BinaryTest, ExitCodesAreThoseOfGrep) {
  const std::string rules = Write("rules.json", R"({"state": ["paid"]})");
  EXPECT_EQ(Shell("\"$banyan\" match -q " + rules + " <<< '{\"state\": \"paid\"}'").code, 0);
  EXPECT_EQ(Shell("\"$banyan\" match -q " + rules + " <<< '{}'").code, 1);
  EXPECT_EQ(Shell("\"$banyan\" match -q /nowhere/rules.json <<< '{}'").code, 2);
  const Result lint = Shell("\"$banyan\" lint " + rules);
  EXPECT_EQ(lint.code, 1);  // no bus's event has a member "state"
  EXPECT_THAT(lint.out, HasSubstr("rules.json:1:"));
}

}  // namespace
}  // namespace banyan::inline v0_1::tool
