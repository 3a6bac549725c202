// SPDX-License-Identifier: Apache-2.0
//
// Archives keep the events of a bus; replays put them on the bus again. EventBridge.
//
//   broker.CreateArchive("orders", {.bus = "shop", .retention = absl::Hours(30 * 24)}).value();
//   ...
//   broker.StartReplay("after-the-fix", {.archive = "orders", .start = yesterday, .end = noon,
//                                        .rules = {"billing"}}).value();
//   broker.DescribeReplay("after-the-fix")->state;  // kRunning, and then kCompleted
//
// An archive holds references to the messages that targets got, no copies. A replay works in the
// background on the Runtime, a slice at a time. The verbs are Broker's (banyan/broker.h); archives
// and replays are known by their names, of which each broker has one set.
//
// Source  docs.aws.amazon.com/eventbridge/latest/APIReference/API_CreateArchive.html
//         docs.aws.amazon.com/eventbridge/latest/APIReference/API_StartReplay.html
#ifndef BANYAN_ARCHIVE_H_
#define BANYAN_ARCHIVE_H_

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "absl/time/time.h"
#include "banyan/arn.h"
#include "banyan/export.h"

namespace banyan::inline v0_1 {

// An archive takes every event that its bus accepts and its pattern matches, once PutEvents has
// answered: at once, not minutes later as on AWS. It does not take an event that has a
// "replay-name", whoever put it: what says that it is a replayed event is in some archive already,
// and AWS tells them apart by the same sign.
struct ArchiveOptions {
  std::string bus = "default";     // its events
  std::string event_pattern = {};  // JSON; empty: every event
  // Since an event was put, whatever time it carries. 0: for ever. What is over leaves when the
  // archive is next looked at or gets an event; an idle archive needs no timer.
  absl::Duration retention = absl::ZeroDuration();
  std::string description = {};  // up to 512 characters

  // The events' texts, at most; 1 B to 4 EiB. About 200 bytes for each event come on top. When
  // there is no room for another event, those that came first go, as many as it needs; they count
  // in ArchiveDescription::displaced. One that alone is larger than this is not taken, and counts
  // there, too. Banyan's own bound.
  int64_t bytes_max = int64_t{1} << 30;
};

// What is left out stays as it is. What the archive holds already stays, too, unless a shorter
// retention or less room makes it go.
struct ArchiveUpdate {
  std::optional<std::string> event_pattern = std::nullopt;
  std::optional<absl::Duration> retention = std::nullopt;
  std::optional<std::string> description = std::nullopt;
  std::optional<int64_t> bytes_max = std::nullopt;
};

// AWS has more of them, for work that is done here when the call returns: CREATING, UPDATING,
// CREATE_FAILED, UPDATE_FAILED.
enum class ArchiveState {
  kEnabled,
  kDisabled,  // its bus was deleted: nothing more comes. What it holds stays
};
BANYAN_EXPORT std::string_view ArchiveStateName(ArchiveState state);  // "ENABLED"

struct ArchiveDescription {
  std::string name;
  Arn arn;
  Arn bus_arn;
  std::string event_pattern;
  absl::Duration retention;
  std::string description;
  int64_t bytes_max = 0;
  ArchiveState state = ArchiveState::kEnabled;
  std::string state_reason;  // of kDisabled
  absl::Time creation_time;

  int64_t event_count = 0;
  // AWS's SizeBytes: source, detail type, account, resources and detail of each event, and 14 for
  // its time. Follows the only recording there is; AWS does not document it.
  int64_t size_bytes = 0;
  int64_t held_bytes = 0;  // the events' texts: what bytes_max bounds
  int64_t expired = 0;     // left when their retention was over
  int64_t displaced = 0;   // left, or were not taken, for want of room
};

// At most one of bus, state and name_prefix.
struct ListArchivesOptions {
  std::string name_prefix = {};
  std::string bus = {};  // a name
  std::optional<ArchiveState> state = std::nullopt;
  int64_t limit = 100;          // 1 to 100
  std::string next_token = {};  // of the page before; empty begins
};

struct ArchivePage {
  std::vector<ArchiveDescription> archives = {};  // by name
  std::string next_token = {};                    // empty: there is no more
};

// A replay puts on the bus what the archive held in the window when the replay was started, in the
// order of the events' times, and of one time in the order they came. Events keep id and time and
// gain a "replay-name" member, which rules can ask for or exclude. Retries count from the replay.
struct ReplayOptions {
  std::string archive = {};  // a name

  // Events whose time is in [start, end). Whole seconds, as events have: fractions are dropped.
  absl::Time start = absl::InfinitePast();
  absl::Time end = absl::InfiniteFuture();

  // A bus's name. Empty: the archive's own, and no other is allowed.
  std::string destination = {};
  // Only these rules of the bus see the events, by name. Empty: all do.
  std::vector<std::string> rules = {};
  std::string description = {};  // up to 512 characters
};

enum class ReplayState { kStarting, kRunning, kCompleted, kCancelling, kCancelled, kFailed };
BANYAN_EXPORT std::string_view ReplayStateName(ReplayState state);  // "STARTING"

struct ReplayDescription {
  std::string name;
  Arn arn;
  Arn archive_arn;
  Arn destination_arn;
  std::vector<Arn> rule_arns;  // AWS: FilterArns
  std::string description;
  absl::Time event_start_time;  // whole seconds, or infinite
  absl::Time event_end_time;
  ReplayState state = ReplayState::kStarting;
  std::string state_reason;  // of kFailed
  absl::Time replay_start_time;
  std::optional<absl::Time> replay_end_time;           // set when it has ended
  std::optional<absl::Time> event_last_replayed_time;  // the time that the last event carries
  int64_t events_replayed = 0;
  // In the window when it was started. Those that leave the archive before their turn are not
  // replayed, so that a completed replay may have less.
  int64_t events_total = 0;
};

// At most one of archive, state and name_prefix.
struct ListReplaysOptions {
  std::string name_prefix = {};
  std::string archive = {};  // a name
  std::optional<ReplayState> state = std::nullopt;
  int64_t limit = 100;          // 1 to 100
  std::string next_token = {};  // of the page before; empty begins
};

struct ReplayPage {
  std::vector<ReplayDescription> replays = {};  // by name
  std::string next_token = {};                  // empty: there is no more
};

}  // namespace banyan::inline v0_1

#endif  // BANYAN_ARCHIVE_H_
