// SPDX-License-Identifier: Apache-2.0
//
// The lists of numbered rows (tests/data/*_rows.md) and the tests that bear the numbers say the same;
// and each list has every mark of its sheet, in order, and what its further rows cite, where the sheet
// is at hand.
//
// Tests are found by reading their sources, so that those of every program count. The sheets are not
// part of this project: see CMakeLists.txt for where they are looked for. The test that reads them
// says so and skips itself where they are missing.
#include <algorithm>
#include <cctype>
#include <cstdlib>
#include <fstream>
#include <map>
#include <regex>
#include <set>
#include <sstream>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "house/source_tree.h"

namespace banyan::house {
namespace {

using ::testing::Contains;
using ::testing::HasSubstr;
using ::testing::IsEmpty;

struct List {
  std::string file;
  std::string
      letters;  // of its numbers; the first one's begin with the marks of the sheet, in order
  std::string sheet;
  bool one_test_each;  // not several for one number
};

const std::vector<List>& Lists() {
  static const std::vector<List>& lists = *new std::vector<List>{
      {"queue_rows.md", "QA", "queues.md", false},
      {"topic_rows.md", "T", "topics.md", true},
      {"bus_rows.md", "B", "buses.md", true},
      {"stream_rows.md", "S", "streams.md", false},
  };
  return lists;
}

struct NumberedRow {
  std::string number;  // "Q-12"
  std::string section;
  std::string what;
  std::string evidence;
  std::vector<std::string> tests;
  bool elsewhere = false;
  bool further = false;  // one that bears no mark in the sheet
};

std::string Trimmed(std::string_view text) {
  const size_t first = text.find_first_not_of(' ');
  if (first == std::string_view::npos) return "";
  return std::string(text.substr(first, text.find_last_not_of(' ') - first + 1));
}

// "Q-12" of "Q12_ANameLikeThis"; empty if it bears no number with one of these letters.
std::string NumberOf(std::string_view test, std::string_view letters) {
  size_t digits = 0;
  while (digits + 1 < test.size() && std::isdigit(static_cast<unsigned char>(test[digits + 1]))) {
    ++digits;
  }
  const bool numbered = digits > 0 && letters.find(test[0]) != letters.npos &&
                        digits + 1 < test.size() && test[digits + 1] == '_';
  return numbered ? std::string(1, test[0]) + "-" + std::string(test.substr(1, digits)) : "";
}

std::vector<NumberedRow> ReadRows(std::istream& in, std::string_view letters) {
  std::vector<NumberedRow> rows;
  bool further = false;
  for (std::string line; std::getline(in, line);) {
    if (line.starts_with("## ")) further = line.starts_with("## Further rows");
    const bool is_row = line.starts_with("| ") && line.size() > 4 && line[3] == '-' &&
                        letters.find(line[2]) != letters.npos;
    if (!is_row) continue;
    std::vector<std::string> cells;
    for (size_t at = 1; at < line.size();) {
      const size_t end = std::min(line.find('|', at), line.size());
      cells.push_back(Trimmed(std::string_view(line).substr(at, end - at)));
      at = end + 1;
    }
    EXPECT_EQ(cells.size(), 5u) << line;
    if (cells.size() != 5) continue;
    NumberedRow row{cells[0], cells[1], cells[2], cells[3], {}, false, further};
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

std::vector<NumberedRow> RowsOf(const List& list) {
  std::istringstream text(ReadSource("tests/data/" + list.file).text);
  return ReadRows(text, list.letters);
}

// The names of the tests that a source defines.
std::set<std::string> TestsIn(std::string_view text) {
  static const std::regex& definition = *new std::regex(R"(\bTEST(?:_F|_P)?\(\s*\w+\s*,\s*(\w+))");
  const std::string code = CodeOnly(text);
  std::set<std::string> names;
  for (std::sregex_iterator at(code.begin(), code.end(), definition); at != std::sregex_iterator();
       ++at) {
    names.insert((*at)[1]);
  }
  return names;
}

const std::set<std::string>& AllTests() {
  static const std::set<std::string>& names = *new std::set<std::string>([] {
    std::set<std::string> all;
    for (const SourceFile& file : ReadSources({"tests"})) all.merge(TestsIn(file.text));
    return all;
  }());
  return names;
}

// What does not fit between a list and the tests there are, a sentence each.
std::vector<std::string> Differences(const std::vector<NumberedRow>& rows,
                                     const std::set<std::string>& tests, std::string_view letters) {
  std::vector<std::string> differences;
  std::map<std::string, std::set<std::string>> listed;
  for (const NumberedRow& row : rows) {
    if (listed.contains(row.number)) differences.push_back(row.number + " is there twice");
    listed[row.number];
    if (row.tests.empty() && !row.elsewhere) differences.push_back(row.number + " has no test");
    for (const std::string& test : row.tests) {
      listed[row.number].insert(test);
      if (!tests.contains(test)) {
        differences.push_back(row.number + " names a test that is not there: " + test);
      } else if (NumberOf(test, letters).empty()) {
        differences.push_back(row.number + " names a test that bears no number: " + test);
      }
    }
  }
  for (const std::string& test : tests) {
    const std::string number = NumberOf(test, letters);
    if (!number.empty() && !listed[number].contains(test)) {
      differences.push_back("the list does not have under " + number + ": " + test);
    }
  }
  return differences;
}

TEST(Rows, EveryNumberHasItsTestAndEveryTestItsNumber) {
  for (const List& list : Lists()) {
    const std::vector<NumberedRow> rows = RowsOf(list);
    EXPECT_FALSE(rows.empty()) << list.file;
    EXPECT_THAT(Differences(rows, AllTests(), list.letters), IsEmpty()) << list.file;
    for (const NumberedRow& row : rows) {
      EXPECT_TRUE(!list.one_test_each || row.tests.size() == 1) << row.number;
    }
  }
}

TEST(Rows, NumbersRunWithoutGapAndEveryCellIsFilled) {
  for (const List& list : Lists()) {
    int next = 1;
    for (const NumberedRow& row : RowsOf(list)) {
      if (row.number[0] == list.letters[0]) {
        EXPECT_EQ(row.number, list.letters.substr(0, 1) + "-" + std::to_string(next++));
      }
      EXPECT_FALSE(row.section.empty() || row.what.empty() || row.evidence.empty()) << row.number;
    }
  }
}

TEST(Rows, TheFindingsAboutQueuesAreThere) {
  std::vector<std::string> findings;
  for (const NumberedRow& row : RowsOf(Lists()[0])) {
    if (row.number[0] == 'A') findings.push_back(row.number);
  }
  std::vector<std::string> expected;
  for (int i = 8; i <= 33; ++i) expected.push_back("A-" + std::to_string(i));
  for (int i = 56; i <= 64; ++i) expected.push_back("A-" + std::to_string(i));
  EXPECT_EQ(findings, expected);
}

// The marks of a sheet, in order: in which section each stands, and its line.
struct Mark {
  std::string section, line;
};
std::vector<Mark> MarksIn(std::istream& sheet) {
  constexpr std::string_view kMark = "**!**";
  std::vector<Mark> marks;
  std::string section;
  for (std::string line; std::getline(sheet, line);) {
    if (line.starts_with("## ")) section = line.substr(3, line.find('.') - 3);
    if (section.empty()) continue;  // the legend, which explains the mark
    for (size_t at = line.find(kMark); at != std::string::npos; at = line.find(kMark, at + 1)) {
      marks.push_back({section, line});
    }
  }
  return marks;
}

std::string SpecFolder() {
  const char* chosen = std::getenv("BANYAN_SPEC_DIR");
  return chosen != nullptr ? chosen : BANYAN_SPEC_DIR;
}

TEST(Rows, TheSheetsHaveTheSameMarks) {
  for (const List& list : Lists()) {
    std::ifstream sheet(SpecFolder() + "/" + list.sheet);
    if (!sheet) GTEST_SKIP() << "the sheets of semantics are not here: " << SpecFolder();
    const std::vector<Mark> marks = MarksIn(sheet);
    std::vector<NumberedRow> rows = RowsOf(list);
    std::erase_if(rows, [&list](const NumberedRow& row) {
      return row.further || row.number[0] != list.letters[0];
    });
    ASSERT_EQ(rows.size(), marks.size()) << list.sheet;
    for (size_t i = 0; i < rows.size(); ++i) {
      EXPECT_EQ(rows[i].section, marks[i].section) << rows[i].number;
      if (rows[i].evidence != "-") {
        EXPECT_THAT(marks[i].line, HasSubstr(rows[i].evidence)) << rows[i].number;
      }
    }
  }
}

// The lines of a sheet, by their sections.
std::map<std::string, std::vector<std::string>> SectionsOf(std::istream& sheet) {
  std::map<std::string, std::vector<std::string>> sections;
  std::string section;
  for (std::string line; std::getline(sheet, line);) {
    if (line.starts_with("## ")) section = line.substr(3, line.find('.') - 3);
    sections[section].push_back(line);
  }
  return sections;
}

TEST(Rows, WhatAFurtherRowCitesStandsInItsSection) {
  for (const List& list : Lists()) {
    std::ifstream sheet(SpecFolder() + "/" + list.sheet);
    if (!sheet) GTEST_SKIP() << "the sheets of semantics are not here: " << SpecFolder();
    const auto sections = SectionsOf(sheet);
    for (const NumberedRow& row : RowsOf(list)) {
      if (!row.further) continue;
      ASSERT_TRUE(sections.contains(row.section)) << row.number;
      if (row.evidence == "-") continue;
      EXPECT_THAT(sections.at(row.section), Contains(HasSubstr(row.evidence))) << row.number;
    }
  }
}

// The table of transformed inputs was recorded row by row. Those that bear a mark are among the marked
// rows; the others cite the file of the recordings.
TEST(Rows, EveryRowOfTheRecordedTableHasANumber) {
  constexpr std::string_view kRecordings = "test_events_inputs.py";
  const List& buses = Lists()[2];
  std::ifstream sheet(SpecFolder() + "/" + buses.sheet);
  if (!sheet) GTEST_SKIP() << "the sheets of semantics are not here: " << SpecFolder();
  size_t recorded = 0;
  bool within = false;
  for (std::string line; std::getline(sheet, line);) {
    if (line.starts_with("#")) within = line.find(kRecordings) != line.npos;
    const bool is_row = within && line.starts_with("| ") && !line.starts_with("| Case |");
    if (is_row && line.find("**!**") == line.npos) ++recorded;
  }
  EXPECT_GT(recorded, 0u);
  const std::vector<NumberedRow> rows = RowsOf(buses);
  EXPECT_EQ(static_cast<size_t>(
                std::count_if(rows.begin(), rows.end(),
                              [&](const NumberedRow& row) { return row.evidence == kRecordings; })),
            recorded);
}

// The check itself: it must be able to find something.
TEST(RowsChecker, FindsWhatDoesNotFit) {
  std::istringstream list(
      "| Number | Section | What | Evidence | Shown by |\n"
      "| Q-1 | 1 | a | [B] | Q1_IsThere |\n"
      "| Q-2 | 1 | b | [B] | Q2_IsMissing |\n"
      "| Q-3 | 1 | c | [B] |  |\n"
      "| Q-4 | 1 | d | [B] | elsewhere: issue 7, because. |\n"
      "| A-5 | 1 | e | [B] | Q1_IsThere; elsewhere: issue 7. |\n"
      "| A-6 | 1 | f | [B] | HasNoNumber |\n"
      "| A-6 | 1 | g | [B] | elsewhere: issue 7. |\n"
      "| B-1 | 1 | h | [B] | of another list |\n");
  const std::vector<NumberedRow> rows = ReadRows(list, "QA");
  ASSERT_EQ(rows.size(), 7u);
  EXPECT_THAT(
      Differences(rows,
                  {"Q1_IsThere", "Q1_IsNotListed", "Q9_Unknown", "HasNoNumber", "Quiet_1", "B2_X"},
                  "QA"),
      ::testing::UnorderedElementsAre(
          "Q-2 names a test that is not there: Q2_IsMissing", "Q-3 has no test",
          "A-6 names a test that bears no number: HasNoNumber", "A-6 is there twice",
          "the list does not have under Q-1: Q1_IsNotListed",
          "the list does not have under Q-9: Q9_Unknown"));
}

TEST(RowsChecker, FindsTestsInCodeAndNotInComments) {
  EXPECT_THAT(TestsIn("TEST(A, Q1_One) {}\n"
                      "TEST_F(A,\n       Q2_Two) {}\n"
                      "// TEST(A, Q3_Three)\n"
                      "const char* text = \"TEST(A, Q4_Four)\";\n"
                      "TEST_P(A, Five) {}\n"),
              ::testing::ElementsAre("Five", "Q1_One", "Q2_Two"));
}

}  // namespace
}  // namespace banyan::house
