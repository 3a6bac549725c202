// SPDX-License-Identifier: Apache-2.0
//
// Reading the recorded cases: one JSON object a line. Our own lie in tests/data; event-ruler's are
// not part of this project, see CMakeLists.txt for where they are looked for.
#ifndef BANYAN_TESTS_PATTERN_RECORDED_CASES_H_
#define BANYAN_TESTS_PATTERN_RECORDED_CASES_H_

#include <cstdlib>
#include <fstream>
#include <limits>
#include <map>
#include <string>
#include <string_view>
#include <vector>

#include "banyan/limits.h"
#include "base/json.h"
#include "gtest/gtest.h"

namespace banyan::inline v0_1::internal {

// One member of an object in a case file: strings decoded, everything else as it is written.
using Case = std::map<std::string, std::string>;

inline Case ReadCase(std::string_view line) {
  Case fields;
  JsonReader reader(line);
  EXPECT_EQ(reader.Next(), JsonToken::kStartObject) << line;
  while (reader.Next() == JsonToken::kName) {
    const std::string name(reader.text());
    reader.Next();
    if (reader.token() == JsonToken::kString) {
      fields[name] = std::string(reader.text());
      continue;
    }
    const size_t begin = reader.begin();
    EXPECT_TRUE(reader.SkipValue()) << line;
    fields[name] = std::string(line.substr(begin, reader.end() - begin));
  }
  return fields;
}

// The elements of a JSON array: strings decoded, everything else as it is written.
inline std::vector<std::string> ReadList(std::string_view json) {
  std::vector<std::string> elements;
  JsonReader reader(json);
  EXPECT_EQ(reader.Next(), JsonToken::kStartArray) << json;
  while (reader.Next() != JsonToken::kEndArray && reader.token() != JsonToken::kError) {
    if (reader.token() == JsonToken::kString) {
      elements.emplace_back(reader.text());
      continue;
    }
    const size_t begin = reader.begin();
    EXPECT_TRUE(reader.SkipValue()) << json;
    elements.emplace_back(json.substr(begin, reader.end() - begin));
  }
  return elements;
}

// Empty if there is no such file.
inline std::vector<Case> ReadCases(const std::string& path) {
  std::vector<Case> cases;
  std::ifstream file(path);
  for (std::string line; std::getline(file, line);) cases.push_back(ReadCase(line));
  return cases;
}

inline std::string ProbesPath() {
  return std::string(BANYAN_SOURCE_DIR) + "/tests/data/pattern_probes.jsonl";
}

inline std::string ConformancePath(const std::string& file) {
  const char* chosen = std::getenv("BANYAN_CONFORMANCE_DIR");
  return std::string(chosen != nullptr ? chosen : BANYAN_CONFORMANCE_DIR) + "/" + file;
}

// event-ruler has no limits on size and complexity; EventBridge has.
inline Limits EngineLimits() {
  Limits limits = Limits::Aws();
  limits.pattern.bytes_max = 1 << 20;
  limits.pattern.wildcard_complexity_max = std::numeric_limits<int64_t>::max();
  return limits;
}

}  // namespace banyan::inline v0_1::internal

#endif  // BANYAN_TESTS_PATTERN_RECORDED_CASES_H_
