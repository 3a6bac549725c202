// SPDX-License-Identifier: Apache-2.0
//
// The list of numbered rows (tests/data/queue_rows.md) and the tests that bear the numbers say the
// same; and the list has every mark of the sheet, where the sheet is at hand.
//
// The sheet is not part of this project: see CMakeLists.txt for where it is looked for. The test
// that reads it says so and skips itself where it is missing.
#include <algorithm>
#include <cctype>
#include <cstdlib>
#include <fstream>
#include <map>
#include <set>
#include <sstream>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "gmock/gmock.h"
#include "gtest/gtest.h"

namespace banyan {
namespace {

using ::testing::HasSubstr;
using ::testing::IsEmpty;

struct NumberedRow {
  std::string number;  // "Q-12"
  std::string section;
  std::string what;
  std::string evidence;
  std::vector<std::string> tests;
  bool elsewhere = false;
};

std::string Trimmed(std::string_view text) {
  const size_t first = text.find_first_not_of(' ');
  if (first == std::string_view::npos) return "";
  return std::string(text.substr(first, text.find_last_not_of(' ') - first + 1));
}

// "Q-12" of "Q12_ANameLikeThis"; empty if it bears no number.
std::string NumberOf(std::string_view test) {
  size_t digits = 0;
  while (digits + 1 < test.size() && std::isdigit(static_cast<unsigned char>(test[digits + 1]))) {
    ++digits;
  }
  const bool numbered = (test.starts_with('Q') || test.starts_with('A')) && digits > 0 &&
                        digits + 1 < test.size() && test[digits + 1] == '_';
  return numbered ? std::string(1, test[0]) + "-" + std::string(test.substr(1, digits)) : "";
}

std::vector<NumberedRow> ReadRows(std::istream& in) {
  std::vector<NumberedRow> rows;
  for (std::string line; std::getline(in, line);) {
    if (!line.starts_with("| Q-") && !line.starts_with("| A-")) continue;
    std::vector<std::string> cells;
    for (size_t at = 1; at < line.size();) {
      const size_t end = std::min(line.find('|', at), line.size());
      cells.push_back(Trimmed(std::string_view(line).substr(at, end - at)));
      at = end + 1;
    }
    EXPECT_EQ(cells.size(), 5u) << line;
    if (cells.size() != 5) continue;
    NumberedRow row{cells[0], cells[1], cells[2], cells[3], {}, false};
    const size_t elsewhere = cells[4].find("elsewhere: ");
    row.elsewhere = elsewhere != std::string::npos;
    std::string word;
    for (const char c : cells[4].substr(0, elsewhere) + " ") {
      if (c != ' ' && c != ';') {
        word += c;
      } else if (!word.empty()) {
        row.tests.push_back(std::exchange(word, ""));
      }
    }
    rows.push_back(std::move(row));
  }
  return rows;
}

const std::vector<NumberedRow>& Rows() {
  static const std::vector<NumberedRow>& rows = *new std::vector<NumberedRow>([] {
    std::ifstream file(std::string(BANYAN_SOURCE_DIR) + "/tests/data/queue_rows.md");
    return ReadRows(file);
  }());
  return rows;
}

// The names of all tests of this program.
std::set<std::string> RegisteredTests() {
  std::set<std::string> names;
  const ::testing::UnitTest& all = *::testing::UnitTest::GetInstance();
  for (int suite = 0; suite < all.total_test_suite_count(); ++suite) {
    const ::testing::TestSuite& tests = *all.GetTestSuite(suite);
    for (int i = 0; i < tests.total_test_count(); ++i) names.insert(tests.GetTestInfo(i)->name());
  }
  return names;
}

// What does not fit between a list and the tests there are, a sentence each.
std::vector<std::string> Differences(const std::vector<NumberedRow>& rows,
                                     const std::set<std::string>& tests) {
  std::vector<std::string> differences;
  std::map<std::string, std::set<std::string>> listed;
  for (const NumberedRow& row : rows) {
    if (row.tests.empty() && !row.elsewhere) differences.push_back(row.number + " has no test");
    for (const std::string& test : row.tests) {
      listed[row.number].insert(test);
      if (!tests.contains(test)) {
        differences.push_back(row.number + " names a test that is not there: " + test);
      } else if (NumberOf(test).empty()) {
        differences.push_back(row.number + " names a test that bears no number: " + test);
      }
    }
  }
  for (const std::string& test : tests) {
    const std::string number = NumberOf(test);
    if (!number.empty() && !listed[number].contains(test)) {
      differences.push_back("the list does not have under " + number + ": " + test);
    }
  }
  return differences;
}

TEST(QueueRowsCheck, EveryNumberHasItsTestAndEveryTestItsNumber) {
  ASSERT_FALSE(Rows().empty());
  EXPECT_THAT(Differences(Rows(), RegisteredTests()), IsEmpty());
}

TEST(QueueRowsCheck, NumbersRunWithoutGapAndEveryCellIsFilled) {
  int next = 1;
  std::vector<std::string> findings;
  for (const NumberedRow& row : Rows()) {
    if (row.number[0] == 'Q') {
      EXPECT_EQ(row.number, "Q-" + std::to_string(next++));
    } else {
      findings.push_back(row.number);
    }
    EXPECT_FALSE(row.section.empty() || row.what.empty() || row.evidence.empty()) << row.number;
  }
  std::vector<std::string> expected;
  for (int i = 8; i <= 33; ++i) expected.push_back("A-" + std::to_string(i));
  for (int i = 56; i <= 64; ++i) expected.push_back("A-" + std::to_string(i));
  EXPECT_EQ(findings, expected);
}

// The marks of the sheet, in order: in which section each stands, and its line.
TEST(QueueRowsCheck, TheSheetHasTheSameMarks) {
  const char* chosen = std::getenv("BANYAN_SPEC_DIR");
  const std::string path = std::string(chosen != nullptr ? chosen : BANYAN_SPEC_DIR) + "/queues.md";
  std::ifstream sheet(path);
  if (!sheet) GTEST_SKIP() << "the sheet of queue semantics is not here: " << path;

  constexpr std::string_view kMark = "**!**";
  struct Mark {
    std::string section, line;
  };
  std::vector<Mark> marks;
  std::string section;
  for (std::string line; std::getline(sheet, line);) {
    if (line.starts_with("## ")) section = line.substr(3, line.find('.') - 3);
    if (section.empty()) continue;  // the legend, which explains the mark
    for (size_t at = line.find(kMark); at != std::string::npos; at = line.find(kMark, at + 1)) {
      marks.push_back({section, line});
    }
  }
  std::vector<NumberedRow> rows = Rows();
  std::erase_if(rows, [](const NumberedRow& row) { return row.number[0] != 'Q'; });
  ASSERT_EQ(rows.size(), marks.size());
  for (size_t i = 0; i < rows.size(); ++i) {
    EXPECT_EQ(rows[i].section, marks[i].section) << rows[i].number;
    if (rows[i].evidence != "-") {
      EXPECT_THAT(marks[i].line, HasSubstr(rows[i].evidence)) << rows[i].number;
    }
  }
}

// The check itself: it must be able to find something.
TEST(QueueRowsCheck, FindsWhatDoesNotFit) {
  std::istringstream list(
      "| Number | Section | What | Evidence | Shown by |\n"
      "| Q-1 | 1 | a | [B] | Q1_IsThere |\n"
      "| Q-2 | 1 | b | [B] | Q2_IsMissing |\n"
      "| Q-3 | 1 | c | [B] |  |\n"
      "| Q-4 | 1 | d | [B] | elsewhere: issue 7, because. |\n"
      "| A-5 | 1 | e | [B] | Q1_IsThere; elsewhere: issue 7. |\n"
      "| A-6 | 1 | f | [B] | HasNoNumber |\n");
  const std::vector<NumberedRow> rows = ReadRows(list);
  ASSERT_EQ(rows.size(), 6u);
  EXPECT_THAT(
      Differences(rows, {"Q1_IsThere", "Q1_IsNotListed", "Q9_Unknown", "HasNoNumber", "Quiet_1"}),
      ::testing::UnorderedElementsAre("Q-2 names a test that is not there: Q2_IsMissing",
                                      "Q-3 has no test",
                                      "A-6 names a test that bears no number: HasNoNumber",
                                      "the list does not have under Q-1: Q1_IsNotListed",
                                      "the list does not have under Q-9: Q9_Unknown"));
}

}  // namespace
}  // namespace banyan
