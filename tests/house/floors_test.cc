// SPDX-License-Identifier: Apache-2.0
//
// The stairs of the house go down only. Every #include under lib/ and include/ is read, and each
// one that goes up, crosses over or leads out of the house is named with its file and line.
//
//   R1  a room includes itself and rooms on lower floors; rooms on one floor do not see each other
//   R2  the rooms of floor 7 see floors 3 to 6 through public headers only, as a user does
//   R3  a public header includes no private one
//   R4  an include is written from lib/ or include/, or names a library we use

#include <algorithm>
#include <array>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "house/source_tree.h"

namespace banyan::house {
namespace {

using ::testing::ElementsAre;
using ::testing::IsEmpty;
using ::testing::UnorderedElementsAreArray;

struct Room {
  std::string_view name;
  int floor;
  // The public headers that are this room's face, without "banyan/" and ".h".
  std::vector<std::string_view> faces;
};

const std::vector<Room>& Rooms() {
  static const std::vector<Room>& rooms = *new std::vector<Room>{
      {"base", 0, {"export", "log", "mutex", "runtime"}},
      {"calendar", 1, {}},
      {"message",
       1,
       {"arn", "attributes", "captured_notification", "error", "http_transport", "id", "limits",
        "metrics", "payload", "story", "tap"}},
      {"pattern", 2, {"lint", "pattern", "rule_set"}},
      {"storage", 2, {"storage"}},
      {"queue", 3, {"message_md5", "queue", "queue_options", "received"}},
      {"stream", 3, {"aggregation", "stream", "stream_consumer", "stream_range"}},
      {"deliver", 4, {"forecast", "function", "target"}},
      {"route",
       5,
       {"archive", "envelope", "event_bus", "notification_signer", "scheduler", "topic"}},
      {"consume", 5, {"consumer", "mapping", "window", "worker"}},
      {"broker", 6, {"banyan", "broker", "outbox", "stream_replay", "topology", "typed"}},
      {"http", 7, {}},     // its face is the folder banyan/http/
      {"testing", 7, {}},  // its face is the folder banyan/testing/
      {"tool", 7, {}},
  };
  return rooms;
}

const Room* RoomNamed(std::string_view name) {
  for (const Room& room : Rooms()) {
    if (room.name == name) return &room;
  }
  return nullptr;
}

// The room behind "queue.h" or "testing/matchers.h", as they follow "banyan/".
const Room* RoomOfPublicHeader(std::string_view header) {
  if (header.starts_with("http/")) return RoomNamed("http");
  if (header.starts_with("testing/")) return RoomNamed("testing");
  if (!header.ends_with(".h")) return nullptr;
  header.remove_suffix(2);
  for (const Room& room : Rooms()) {
    if (std::count(room.faces.begin(), room.faces.end(), header) != 0) return &room;
  }
  return nullptr;
}

constexpr std::string_view kPublic = "include/banyan/";
constexpr std::string_view kPrivate = "lib/";

std::string_view FirstFolder(std::string_view path) { return path.substr(0, path.find('/')); }

const Room* RoomOfFile(std::string_view path) {
  if (path.starts_with(kPublic)) return RoomOfPublicHeader(path.substr(kPublic.size()));
  if (path.starts_with(kPrivate)) return RoomNamed(FirstFolder(path.substr(kPrivate.size())));
  return nullptr;
}

// What stands between the quotes of an #include line. Angle brackets are the system's and the
// other libraries', which lint_test looks at.
std::optional<std::string_view> QuotedInclude(std::string_view line) {
  const size_t hash = line.find_first_not_of(" \t");
  if (hash == std::string_view::npos || line[hash] != '#') return std::nullopt;
  const size_t word = line.find_first_not_of(" \t", hash + 1);
  if (word == std::string_view::npos || !line.substr(word).starts_with("include")) {
    return std::nullopt;
  }
  const size_t open = line.find('"', word);
  if (open == std::string_view::npos) return std::nullopt;
  const size_t close = line.find('"', open + 1);
  return line.substr(open + 1, close - open - 1);
}

bool IsOtherLibrary(std::string_view include) {
  constexpr std::array<std::string_view, 7> kLibraries = {
      "absl", "boost", "gmock", "gtest", "openssl", "simdjson.h", "mimalloc.h"};
  return std::count(kLibraries.begin(), kLibraries.end(), FirstFolder(include)) != 0;
}

std::string Describe(const Room& room) {
  return std::string(room.name) + " (floor " + std::to_string(room.floor) + ")";
}

// Why this include may not stand in `file`, or nothing.
std::optional<std::string> Fault(const SourceFile& file, const Room& from,
                                 std::string_view include) {
  const bool is_public = include.starts_with("banyan/");
  if (!is_public && IsOtherLibrary(include)) return std::nullopt;
  const Room* to = is_public
                       ? RoomOfPublicHeader(include.substr(std::string_view("banyan/").size()))
                       : RoomNamed(FirstFolder(include));
  if (to == nullptr) {
    return "\"" + std::string(include) +
           "\" belongs to no room: write it from lib/ or include/ (R4)";
  }
  if (!is_public && file.path.starts_with(kPublic)) {
    return "a public header includes the private \"" + std::string(include) + "\" (R3)";
  }
  if (to == &from) return std::nullopt;
  const std::string stair = "from " + Describe(from) + " to " + Describe(*to);
  if (to->floor > from.floor) return "goes up, " + stair + " (R1)";
  if (to->floor == from.floor) return "crosses over, " + stair + " (R1)";
  if (from.floor == 7 && to->floor >= 3 && !is_public) {
    return "enters by the back door, " + stair + ": use its public header (R2)";
  }
  return std::nullopt;
}

std::vector<std::string> BrokenStairs(const std::vector<SourceFile>& files) {
  std::vector<std::string> broken;
  for (const SourceFile& file : files) {
    const Room* room = RoomOfFile(file.path);
    if (room == nullptr) {
      broken.push_back(file.path + ": belongs to no room: give it one in this test's table");
      continue;
    }
    int number = 0;
    for (std::string_view line : Lines(file.text)) {
      ++number;
      const std::optional<std::string_view> include = QuotedInclude(line);
      if (!include.has_value()) continue;
      if (const std::optional<std::string> fault = Fault(file, *room, *include)) {
        broken.push_back(file.path + ":" + std::to_string(number) + ": " + *fault);
      }
    }
  }
  return broken;
}

TEST(Floors, EveryIncludeGoesDown) {
  const std::vector<SourceFile> files = ReadSources({"include", "lib"});
  // An empty look would find nothing wrong: the top and the bottom of the house must be in it.
  const auto has = [&files](std::string_view path) {
    return std::any_of(files.begin(), files.end(),
                       [path](const SourceFile& file) { return file.path == path; });
  };
  ASSERT_TRUE(has("include/banyan/broker.h"));
  ASSERT_TRUE(has("lib/base/check.h"));

  EXPECT_THAT(BrokenStairs(files), IsEmpty());
}

TEST(Floors, MapInReadmeHasTheSameFloors) {
  // lib/README.md shows the floors to people; it must not show another house. Its rows look like
  // "| 3 | `queue/` | ...".
  std::vector<std::string> shown;
  const SourceFile readme = ReadSource("lib/README.md");
  for (std::string_view line : Lines(readme.text)) {
    if (line.size() < 6 || !line.starts_with("| ") || line[2] < '0' || line[2] > '9') continue;
    const size_t open = line.find('`');
    const size_t close = line.find('/', open);
    if (open == std::string_view::npos || close == std::string_view::npos) continue;
    shown.push_back(std::string(line.substr(open + 1, close - open - 1)) + ' ' + line[2]);
  }
  std::vector<std::string> table;
  for (const Room& room : Rooms()) {
    table.push_back(std::string(room.name) + ' ' + std::to_string(room.floor));
  }
  EXPECT_THAT(shown, UnorderedElementsAreArray(table));
}

// The checker itself must be able to fail: one bad line for each rule, and what is allowed.

TEST(FloorsChecker, NamesAnIncludeThatGoesUp) {
  EXPECT_THAT(
      BrokenStairs({{"lib/message/arn.cc", "// an ARN\n#include \"queue/core.h\"\n"}}),
      ElementsAre("lib/message/arn.cc:2: goes up, from message (floor 1) to queue (floor 3) (R1)"));
}

TEST(FloorsChecker, NamesAPublicHeaderThatGoesUp) {
  EXPECT_THAT(BrokenStairs({{"include/banyan/queue.h", "#include \"banyan/broker.h\"\n"}}),
              ElementsAre("include/banyan/queue.h:1: goes up, from queue (floor 3) to broker "
                          "(floor 6) (R1)"));
}

TEST(FloorsChecker, NamesARoomThatSeesItsNeighbour) {
  EXPECT_THAT(BrokenStairs({{"lib/queue/core.cc", "#include \"banyan/stream.h\"\n"}}),
              ElementsAre("lib/queue/core.cc:1: crosses over, from queue (floor 3) to stream "
                          "(floor 3) (R1)"));
}

TEST(FloorsChecker, NamesTheBackDoorFromTheRoof) {
  EXPECT_THAT(BrokenStairs({{"lib/testing/a.cc", "#include \"queue/core.h\"\n"}}),
              ElementsAre("lib/testing/a.cc:1: enters by the back door, from testing (floor 7) to "
                          "queue (floor 3): use its public header (R2)"));
}

TEST(FloorsChecker, NamesAPublicHeaderThatShowsAPrivateOne) {
  EXPECT_THAT(
      BrokenStairs({{"include/banyan/queue.h", "#  include \"queue/core.h\"\n"}}),
      ElementsAre(
          "include/banyan/queue.h:1: a public header includes the private \"queue/core.h\" (R3)"));
}

TEST(FloorsChecker, NamesARelativeIncludeAndAFileOutsideEveryRoom) {
  EXPECT_THAT(
      BrokenStairs({{"lib/queue/core.cc", "#include \"core.h\"\n"}, {"lib/attic/box.h", ""}}),
      ElementsAre("lib/queue/core.cc:1: \"core.h\" belongs to no room: write it from lib/ or "
                  "include/ (R4)",
                  "lib/attic/box.h: belongs to no room: give it one in this test's table"));
}

TEST(FloorsChecker, LetsPassWhatGoesDown) {
  EXPECT_THAT(BrokenStairs({{"lib/route/topic.cc",
                             "#include <vector>\n#include \"absl/status/status.h\"\n"
                             "#include \"route/filter.h\"\n#include \"queue/core.h\"\n"
                             "#include \"banyan/topic.h\"\n#include \"banyan/stream.h\"\n"},
                            {"lib/testing/a.cc",
                             "#include \"base/check.h\"\n"
                             "#include \"banyan/broker.h\"\n"}}),
              IsEmpty());
}

}  // namespace
}  // namespace banyan::house
