// SPDX-License-Identifier: Apache-2.0
//
// lib/storage/lease_store.h -- floor 2: who works on which part, and how far it got.
//
// A lease names one part of a job (a shard of a stream), its owner for now, and a checkpoint. The
// workers of one application share a table (lib/consume/worker_core.h), renew what they hold, and
// take over what its owner has stopped renewing. The members are those of KCL's lease table, where
// `version` is called leaseCounter.
//
// L1  A table changes by compare-and-put only: Put() names the version it has seen, and of several
//     that have seen the same version one wins. So there is one owner at a time, without a lock
//     that a dead owner could hold.
// L2  Every Put that wins makes a version that this key never had before, also after a Remove. An
//     observer takes a lease for abandoned when its version has stood still for as long as the
//     observer itself has waited: no two clocks are compared.
//
// Statuses of a store are its own (there is no AWS name for a full one); the room that asks says
// what they mean to its user.
#ifndef BANYAN_LIB_STORAGE_LEASE_STORE_H_
#define BANYAN_LIB_STORAGE_LEASE_STORE_H_

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"

namespace banyan::inline v0_1::internal {

struct Lease {
  std::string key = {};         // the part: a shard id
  std::string owner = {};       // empty: nobody's
  std::string checkpoint = {};  // everything up to here is done; empty: nothing is
  int64_t version = 0;          // given by the store; 0: not stored yet

  // Of the record at `checkpoint` this sub-record, and those before it, are done. Unset: all are.
  std::optional<int64_t> sub_sequence = std::nullopt;

  std::string wanted_by = {};              // who asked the owner to hand it over
  int64_t owner_switches = 0;              // since the checkpoint last moved
  std::vector<std::string> parents = {};   // keys: what this part was made from
  std::vector<std::string> children = {};  // keys: what it became
  std::string starting_hash_key = {};      // the range, decimal, both ends included
  std::string ending_hash_key = {};

  friend bool operator==(const Lease&, const Lease&) = default;
};

// Threads: every method from any thread. Durable implementations answer a Put when it is on disk.
class LeaseStore {
 public:
  virtual ~LeaseStore() = default;

  // The lease, or nullopt if the table has none of that key. Tables need not be created.
  virtual absl::StatusOr<std::optional<Lease>> Get(std::string_view table,
                                                   std::string_view key) = 0;

  // Stores `lease` if the stored one still has `lease.version` (0: if there is none), and answers
  // it with its new version. Nullopt: somebody was quicker, nothing changed.
  //
  // Errors  kInvalidArgument: an empty table name or key.
  //         kResourceExhausted: the store is full and this lease is new. Old ones can still change.
  virtual absl::StatusOr<std::optional<Lease>> Put(std::string_view table, Lease lease) = 0;

  // Removes the lease if it still has `version`. False: it has another, or is gone.
  virtual absl::StatusOr<bool> Remove(std::string_view table, std::string_view key,
                                      int64_t version) = 0;

  // All leases of a table, by key.
  virtual absl::StatusOr<std::vector<Lease>> List(std::string_view table) = 0;

  // Removes all leases of the tables whose names begin with this: what they were for is gone.
  virtual absl::Status RemoveTables(std::string_view prefix) = 0;
};

// In memory. Holds at most `leases_max` over all tables.
std::unique_ptr<LeaseStore> NewMemoryLeaseStore(int64_t leases_max = 1'000'000);

}  // namespace banyan::inline v0_1::internal

#endif  // BANYAN_LIB_STORAGE_LEASE_STORE_H_
