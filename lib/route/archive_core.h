// SPDX-License-Identifier: Apache-2.0
//
// lib/route/archive_core.h -- floor 5: an archive, between its bus and the replays that read it.
//
//   EventBusCore --matched--> Keep --> ArchiveShelf --Read, a slice at a time--> ReplayCore
//
// A1  The bus's index of rules has an entry for the archive (event_bus_archive.cc), so an event is
//     matched once for rules and archives, and a bus without archives does nothing for them.
// A2  settings_mu_ is held while the bus is told of a change, so that the bus has the pattern that
//     Describe() shows. Lock order: settings_mu_, the bus's, mu_ or the shelf's.
#ifndef BANYAN_LIB_ROUTE_ARCHIVE_CORE_H_
#define BANYAN_LIB_ROUTE_ARCHIVE_CORE_H_

#include <cstdint>
#include <memory>
#include <string>

#include "absl/base/thread_annotations.h"
#include "absl/status/status.h"
#include "banyan/archive.h"
#include "banyan/mutex.h"
#include "banyan/runtime.h"
#include "message/environment.h"
#include "message/message.h"
#include "pattern/compiled_pattern.h"
#include "route/archive_shelf.h"

namespace banyan::inline v0_1::internal {

class EventBusCore;

// OK, or EventBridge's error: description, retention, room. The pattern is ParseArchivePattern's.
absl::Status ValidateArchiveOptions(const ArchiveOptions& options);

// Null for an empty pattern, which every event matches.
absl::StatusOr<std::shared_ptr<const CompiledPattern>> ParseArchivePattern(std::string_view json,
                                                                           const Limits& limits);

// Threads: every method from any thread.
class ArchiveCore : public std::enable_shared_from_this<ArchiveCore> {
 public:
  // It gets nothing before Open().
  static std::shared_ptr<ArchiveCore> Create(std::shared_ptr<Environment> env, std::string name,
                                             ArchiveOptions options,
                                             const std::shared_ptr<EventBusCore>& bus);

  // Has the bus show it its events. Fails if the bus was deleted.
  absl::Status Open(std::shared_ptr<const CompiledPattern> pattern);

  // Takes an event of the bus, unless it has a replay-name.
  void Keep(const MessageRef& event);

  // `update` was validated; `pattern` is that of the archive from now on, if it has one.
  absl::Status Update(const ArchiveUpdate& update, std::shared_ptr<const CompiledPattern> pattern);
  ArchiveDescription Describe();

  ArchiveShelf& shelf() { return shelf_; }

  // Ends it: what it holds is let go, nothing more comes.
  void Close();

  const std::string& name() const { return name_; }
  const Arn& arn() const { return arn_; }
  const std::string& bus_name() const { return bus_name_; }
  const Arn& bus_arn() const { return bus_arn_; }
  // Its name in the bus's index; no rule's, and no other archive's.
  const std::string& index_id() const { return index_id_; }

 private:
  ArchiveCore(std::shared_ptr<Environment> env, std::string name, ArchiveOptions options,
              const std::shared_ptr<EventBusCore>& bus);

  const std::shared_ptr<Environment> env_;
  const std::string name_;
  const Arn arn_;
  const std::string index_id_;
  const std::string bus_name_;
  const Arn bus_arn_;
  const std::weak_ptr<EventBusCore> bus_;
  const Instant created_;

  ArchiveShelf shelf_;

  Mutex settings_mu_ ABSL_ACQUIRED_BEFORE(mu_);

  Mutex mu_;
  bool closed_ ABSL_GUARDED_BY(mu_) = false;
  ArchiveOptions options_ ABSL_GUARDED_BY(mu_);  // changed under settings_mu_, too
};

}  // namespace banyan::inline v0_1::internal

#endif  // BANYAN_LIB_ROUTE_ARCHIVE_CORE_H_
