// SPDX-License-Identifier: Apache-2.0
//
// The repository's own source files, as the house tests read them.
#ifndef BANYAN_TESTS_HOUSE_SOURCE_TREE_H_
#define BANYAN_TESTS_HOUSE_SOURCE_TREE_H_

#include <string>
#include <string_view>
#include <vector>

namespace banyan::house {

struct SourceFile {
  std::string path;  // from the root of the repository, with '/'
  std::string text;
};

// Every .h, .cc and .inc file under `folders` of the checkout that the test was built from, in the
// order of their paths.
std::vector<SourceFile> ReadSources(const std::vector<std::string>& folders);

// One file of it; empty if it cannot be read.
SourceFile ReadSource(const std::string& path);

// `text` with comments and the insides of string and character literals blanked out. Lines and
// columns stay where they were.
std::string CodeOnly(std::string_view text);

std::vector<std::string_view> Lines(std::string_view text);

}  // namespace banyan::house

#endif  // BANYAN_TESTS_HOUSE_SOURCE_TREE_H_
