// SPDX-License-Identifier: Apache-2.0
//
// lib/pattern/rule_index.h -- floor 2: all rules at once. What RuleSet, topics and buses are made
// of.
//
//   event --scan--> wanted values --keys--> filings --visible? not yet seen?--> candidates
//                                                                                   |
//                                           matched rules, oldest first <--verify-- '
//
// I1  Each sub-rule is filed under the places of one of its conditions, the one that promises the
//     fewest visits (rule_places.h); sub-rules that need no value at all under kAlways. An event
//     meets only what its values point to.
// I2  A candidate is verified in full, by the conditions' own meaning. The index decides who is
//     asked, never the answer.
// I3  A change gives itself the next version and publishes that when all is in place: a rule is
//     there from version `added` to before `removed`. A reader reads the version once, after its
//     pin, and works on the rules of that version.
// I4  A removed rule stays filed until no reader of an earlier version is left, then it is taken
//     out, and when no reader can stand on it any more, freed (two rounds of Epochs). Writers and
//     Stats() do these rounds; readers never do.
// I5  Per event, a sub-rule is verified at most once, and a chain of more than kLongChain filings
//     is walked at most once per key.
// I6  What is filed under numbers and ranges of a path is also listed at the path while it is
//     little (Access::few_ranges). A reader takes the list or the tables, never a part of each;
//     both have all that it may see, whichever writers replace meanwhile.
//
// Time of a match: the event's bytes (those before the last thing asked for, if no name repeats),
// plus for each wanted value a look-up per kind and length of key filed at its path, plus the
// candidates. Verifying a candidate costs at most the values at its paths times the elements of its
// lists (a look-up for each value where a list holds many texts or numbers), and where arrays meet,
// kStepsMax (element_search.h); all searches for one event together, kStepsOfAllMax. So the worst
// an event can cost is its values times the sizes of the rules that one of its values points to.
//
// Out of memory: a writer that gets none ends the process (noexcept), rather than leave a rule half
// filed. A reader that gets none throws, and nothing is lost but its answer.
//
// Why not one automaton of all rules: it multiplies on the way (states by wildcards, values by
// paths), a rule cannot be taken out of it, and a reader of a half built one sees half a rule.
//
// Threads   As RuleSet. `visit` runs under a pin: what it is shown stays, and it may call anything
//           here, but memory is not given back before it returns.
#ifndef BANYAN_LIB_PATTERN_RULE_INDEX_H_
#define BANYAN_LIB_PATTERN_RULE_INDEX_H_

#include <array>
#include <atomic>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <string_view>
#include <vector>

#include "absl/base/thread_annotations.h"
#include "absl/container/flat_hash_map.h"
#include "absl/container/flat_hash_set.h"
#include "absl/functional/function_ref.h"
#include "absl/types/span.h"
#include "banyan/attributes.h"
#include "banyan/limits.h"
#include "banyan/mutex.h"
#include "banyan/rule_set.h"
#include "base/epoch.h"
#include "pattern/compiled_pattern.h"
#include "pattern/element_search.h"
#include "pattern/event_checker.h"
#include "pattern/event_scan.h"
#include "pattern/key_table.h"
#include "pattern/packed_rule.h"
#include "pattern/path_tree.h"

namespace banyan::inline v0_1::internal {

class RuleIndex {
 public:
  explicit RuleIndex(const Limits& limits);
  ~RuleIndex();  // nobody is inside
  RuleIndex(const RuleIndex&) = delete;
  RuleIndex& operator=(const RuleIndex&) = delete;

  struct NewRule {
    RuleInput input = RuleInput::kNothing;
    std::shared_ptr<const CompiledPattern> pattern;  // null for kNothing
    std::string_view id;                             // copied
    bool keep_text = false;                          // PackedRule::text()
    std::shared_ptr<const void> payload;             // destroyed under no lock
  };
  // Adds the rule; in the same step removes the one of that id. False, and nothing is done, if
  // there are limits.pattern.rules_max of other ids.
  bool Put(const NewRule& fresh) noexcept;
  // False if there is no such rule.
  bool Remove(std::string_view id) noexcept;

  // Why a text was not matched.
  enum class Refusal { kNone, kNoObject, kBeyondLimits };

  // What is matched. A message without attributes matches no rule on attributes.
  struct Input {
    const CheckedEvent* event = nullptr;     // null: see json
    const std::string_view* json = nullptr;  // checked when a rule on JSON is there; null: none
    const Attributes* attributes = nullptr;  // null: none
  };
  // The rules of one moment, for one thread: any number of events may be matched against them.
  class Moment;

  // In a Moment of its own.
  size_t Match(const Input& input, absl::FunctionRef<void(const PackedRule&)> visit,
               Refusal* refused = nullptr) const;

  // Removes all rules in one step, and says so to all later Moments. Nothing may be put any more.
  void Close() noexcept;

  // Calls `visit` for each rule of this moment, in no order, under a pin but no lock.
  void ForEachRule(absl::FunctionRef<void(const PackedRule&)> visit) const;

  int64_t size() const { return rule_count_.load(std::memory_order_relaxed); }
  // Gives back what can be given back, then counts what is left.
  size_t MemoryBytes() noexcept;
  int64_t searches_given_up() const { return searches_given_up_.load(std::memory_order_relaxed); }

 private:
  // Filed under these of the two roots.
  static constexpr uint64_t kNeedsNoValue = 0;
  static constexpr uint64_t kNeedsNothing = 1;

  static constexpr int kLongChain = 16;
  // Events whose looks into memory are made to overlap (rule_match.cc).
  static constexpr size_t kTogether = 8;
  static constexpr size_t kKeysMax = 1'024;  // noted before they are looked up
  static constexpr size_t kFewCandidates = 4;
  static constexpr size_t kFetchAhead = 32;  // rules on their way from memory, for one event
  static constexpr size_t kLargeEvent = size_t{64} << 10;
  // Of one rule; beyond it sub-rules are filed less precisely.
  static constexpr size_t kFilingsMax = 4'096;
  static constexpr uint64_t kCostOfAnyValue = 1'000;
  // Of all rules for one event; of one, kStepsMax.
  static constexpr int64_t kStepsOfAllMax = 4 * kStepsMax;

  struct Chain {
    uint32_t key;
    const Link* newest;
  };
  struct Number {
    const RangeTree* ranges;
    double number;
  };
  // What a scan finds in one event.
  struct Found {
    ScannedEvent event;
    std::vector<uint32_t> keys;            // of its values
    std::vector<Chain> chains;             // filed under these
    size_t chains_max = kKeysMax;          // then those that are there twice go
    std::vector<const Filing*> in_ranges;  // filed under ranges that have one of the values
    std::vector<Number> numbers;           // that have to be looked up in ranges
    std::vector<double> sorted;            // these, of one path

    void Clear();
    // Frees what grows with the event.
    void GiveBack();
  };
  // A reader's tools; each pin has its own.
  struct Scratch {
    EventChecker checker;
    CheckedEvent checked = EventChecker::Blank();
    std::array<Found, kTogether> found;
    struct Candidate {
      const PackedRule* rule;
      const PackedSubRule* sub_rule;
    };
    std::vector<Candidate> candidates;
    struct Match {
      uint64_t added;
      const PackedRule* rule;
    };
    std::vector<Match> matched;
    // By slot of a sub-rule: `stamp` if it was tried for this event. The first sub-rule's slot also
    // says `stamp` + 1 if the rule has matched.
    std::vector<uint32_t> stamps;
    uint32_t stamp = 0;
    absl::flat_hash_set<uint32_t> walked;  // keys of long chains (I5)
    std::vector<uint32_t> elements, other_elements;
    // Verdicts on the leaves of rules with several sub-rules, by where their values lie.
    absl::flat_hash_map<const PackedValue*, bool> leaves;
    // What searches among array elements have cost, of each rule and in all.
    absl::flat_hash_map<const PackedRule*, int64_t> searched;
    int64_t steps_left = 0;

    void Clear();
    // Frees what grows with the event. What grows with the rules stays.
    void GiveBack();
  };
  class Scan;
  class Verifier;
  // From keys and numbers to what is filed there.
  void FollowKeys(Found* found) const;
  static void LookIntoRanges(Found* found);
  // Made when its reader first needs it: most topics never have eight readers at once.
  struct LazyScratch {
    std::unique_ptr<Scratch> made;
    Scratch& Get() {
      if (made == nullptr) made = std::make_unique<Scratch>();
      return *made;
    }
  };
  using Readers = Epochs<LazyScratch>;

  struct ById {
    using is_transparent = void;
    uint64_t secret = 0;
    size_t operator()(std::string_view id) const {
      return static_cast<size_t>(SecretHash(id, secret));
    }
    size_t operator()(const PackedRule* rule) const { return (*this)(rule->id()); }
  };
  struct SameId {
    using is_transparent = void;
    static std::string_view Id(std::string_view id) { return id; }
    static std::string_view Id(const PackedRule* rule) { return rule->id(); }
    template <typename A, typename B>
    bool operator()(const A& a, const B& b) const {
      return Id(a) == Id(b);
    }
  };

  // Under mu_.
  using Plans = std::vector<PackedRule::Plan>;
  PackedRule* Make(const NewRule& fresh, Plans* plans) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mu_);
  // `plans`: what `added` was made with.
  void Publish(PackedRule* added, const Plans& plans, PackedRule* removed)
      ABSL_EXCLUSIVE_LOCKS_REQUIRED(mu_);
  void File(PackedRule* rule, const Plans& plans) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mu_);
  void Unfile(PackedRule* rule) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mu_);
  // I4. What is in *dead belongs to the caller, who destroys it without the lock.
  void Tidy(std::vector<Retired>* dead) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mu_);

  const Limits limits_;
  uint32_t json_key_, attributes_key_, unconditional_key_;  // of KeyKind::kAlways
  std::atomic<uint64_t> version_{0};
  std::atomic<uint64_t> closed_at_{PackedRule::kNever};  // a version
  std::atomic<int64_t> rule_count_{0};
  std::atomic<int64_t> json_rules_{0};  // filed ones
  std::atomic<int64_t> attribute_rules_{0};
  mutable std::atomic<int64_t> searches_given_up_{0};

  mutable Mutex mu_;  // held by writers
  mutable Readers epochs_;
  PathTree paths_;
  KeyTable table_;
  NumberPool slots_ ABSL_GUARDED_BY(mu_);
  absl::flat_hash_set<PackedRule*, ById, SameId> rules_ ABSL_GUARDED_BY(mu_);  // not the removed
  size_t rule_bytes_ ABSL_GUARDED_BY(mu_) = 0;                                 // of filed ones
};

class RuleIndex::Moment {
 public:
  explicit Moment(const RuleIndex& index)
      : index_(index),
        pin_(index.epochs_),
        version_(index.version_.load(std::memory_order_seq_cst)) {}

  // Was Close() called before?
  bool closed() const { return version_ >= index_.closed_at_.load(std::memory_order_relaxed); }

  // Calls `visit` for each rule that matches, oldest first; answers how many. *refused, if given,
  // says whether the JSON was looked at in vain. `visit` does not use this Moment.
  size_t Match(const Input& input, absl::FunctionRef<void(const PackedRule&)> visit,
               Refusal* refused = nullptr);

  // The same for many events, one after the other; `visit` is told which. Less than the sum of the
  // single costs: while one event waits for memory, the next ones have gone to look.
  size_t Match(absl::Span<const CheckedEvent> events,
               absl::FunctionRef<void(size_t event, const PackedRule&)> visit);

 private:
  // The second half of a match.
  size_t Decide(Scratch* scratch, Found* found, size_t event_bytes,
                absl::FunctionRef<void(const PackedRule&)> visit);

  const RuleIndex& index_;
  Readers::Pin pin_;
  const uint64_t version_;
};

}  // namespace banyan::inline v0_1::internal

#endif  // BANYAN_LIB_PATTERN_RULE_INDEX_H_
