// SPDX-License-Identifier: Apache-2.0
//
// The model is of this code: each atomic operation of the shard log that is more than relaxed bears
// the name of a site in a comment, `// order: publish`, at its end or on a line of its own above,
// and has the order that the model runs with.
#include "sites.h"

#include <fstream>
#include <iterator>
#include <regex>
#include <set>
#include <sstream>
#include <string>

#include "gmock/gmock.h"
#include "gtest/gtest.h"

namespace banyan::model {
namespace {

// "publish: seq_cst", one for each operation; "?: ..." where there is no name.
std::multiset<std::string> NamedOrders(std::istream& source) {
  static const std::regex name("// order: ([a-z_ ]+)");
  static const std::regex order("memory_order_(acquire|release|acq_rel|seq_cst)");
  std::multiset<std::string> found;
  std::string above;  // a name that waits for its operation
  for (std::string line; std::getline(source, line);) {
    std::smatch match;
    if (std::regex_search(line, match, name)) above = match[1];
    for (std::sregex_iterator at(line.begin(), line.end(), order), end; at != end; ++at) {
      found.insert((above.empty() ? "?" : above) + ": " + (*at)[1].str());
      above.clear();
    }
  }
  if (!above.empty()) found.insert(above + ": ?");
  return found;
}

std::multiset<std::string> NamedOrdersOfFile(const std::string& path) {
  std::ifstream file(std::string(BANYAN_SOURCE_DIR) + "/" + path);
  EXPECT_TRUE(file.good()) << path;
  return NamedOrders(file);
}

TEST(Sites, AreThoseOfTheCode) {
  std::multiset<std::string> code = NamedOrdersOfFile("lib/stream/shard_log.cc");
  code.merge(NamedOrdersOfFile("lib/stream/shard_log.h"));
  std::set<std::string> model;
  for (const SiteInfo& site : Sites()) {
    model.insert(std::string(site.tag) + ": " + ToString(site.order));
  }
  EXPECT_EQ(std::set<std::string>(code.begin(), code.end()), model);
  EXPECT_EQ(model.size(), Sites().size()) << "two sites have one name";
}

TEST(Sites, StandInTheTableInTheirOrder) {
  ASSERT_EQ(Sites().size(), static_cast<size_t>(Site::kCount));
  for (size_t i = 0; i < Sites().size(); ++i) {
    EXPECT_EQ(static_cast<size_t>(Sites()[i].site), i) << Sites()[i].tag;
    EXPECT_FALSE(Sites()[i].weaker.empty()) << Sites()[i].tag;
  }
}

TEST(Sites, AreFoundInSources) {
  std::istringstream source(
      "a.load(std::memory_order_acquire);  // order: one\n"
      "// order: two words\n"
      "while (!a.compare_exchange_weak(b, c, std::memory_order_acq_rel,\n"
      "                                std::memory_order_relaxed)) {}\n"
      "a.store(1, std::memory_order_release);\n"
      "a.store(1, std::memory_order_relaxed);\n"
      "// order: of nothing\n");
  EXPECT_THAT(NamedOrders(source),
              ::testing::UnorderedElementsAre("one: acquire", "two words: acq_rel", "?: release",
                                              "of nothing: ?"));
}

}  // namespace
}  // namespace banyan::model
