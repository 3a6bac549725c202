// SPDX-License-Identifier: Apache-2.0
//
// lib/consume/worker_rounds.cc -- floor 5: what a worker does every third of failover_time.
#include <algorithm>
#include <optional>
#include <utility>

#include "base/status_macros.h"
#include "base/strings.h"
#include "consume/worker_core.h"
#include "stream/core.h"

namespace banyan::inline v0_1::internal {

namespace {

constexpr int64_t kRoundsPerFailover = 3;
// While another worker is about to hand over: what waits for us has nobody.
constexpr int64_t kHandoverRoundsPerFailover = 30;

}  // namespace

void WorkerCore::PostRound() {
  setup_->env->runtime.Post([weak = weak_from_this()] {
    if (const std::shared_ptr<WorkerCore> self = weak.lock()) self->Round().IgnoreError();
  });
}

absl::Status WorkerCore::Round() {
  Environment& env = *setup_->env;
  const Gate::Pass pass = env.tasks.Enter();
  if (!pass || env.gate.Look() != Gate::Answer::kOpen) {
    StopByItself();
    return env.Refusal();
  }
  {
    MutexLock lock(&mu_);
    if (stats_.stopped && runs_.empty()) return absl::OkStatus();  // W6
    another_round_ = std::exchange(in_round_, true);               // W1
    if (another_round_) return absl::OkStatus();
  }
  absl::Status done;
  for (bool again = true; again;) {
    done = RoundOnce();
    // Whatever the round said: it may have made leases after those of the stream were removed.
    const bool is_deleted = setup_->stream.Options().status().code() == absl::StatusCode::kNotFound;
    if (is_deleted) LeaseTable::RemoveAll(*env.leases, *setup_->stream.core());
    if (is_deleted || done.code() == absl::StatusCode::kUnavailable) {
      StopByItself();
    } else if (!done.ok()) {
      env.Log(LogSeverity::kWarning, setup_->stream.core()->arn_text(),
              StrCat("a worker of ", setup_->options.application,
                     " could not look after its leases: ", done.ToString()));
    }
    const int64_t next_ns = NextRound(env.runtime.Read().uptime_ns);
    MutexLock lock(&mu_);
    again = std::exchange(another_round_, false);
    if (again) continue;
    in_round_ = false;
    SetTimer(next_ns);
  }
  return done;
}

absl::Status WorkerCore::RoundOnce() {
  BANYAN_ASSIGN_OR_RETURN(LeaseTable::Content content, setup_->table->Read());
  const int64_t now_ns = setup_->env->runtime.Read().uptime_ns;
  Renew(content.leases, now_ns);
  {
    MutexLock lock(&mu_);
    if (stats_.stopped) return absl::OkStatus();
  }
  BANYAN_RETURN_IF_ERROR(setup_->table->AddMissing(&content, setup_->options.start_at));
  Observe(content.leases, now_ns);
  TakeLeases(content.leases, now_ns);
  return absl::OkStatus();
}

void WorkerCore::SetTimer(int64_t at_ns) {
  if (stats_.stopped && runs_.empty()) return;
  if (timer_ != TimerId::kNone) setup_->env->runtime.Cancel(timer_);
  timer_ = setup_->env->runtime.PostAt(absl::Nanoseconds(at_ns), [weak = weak_from_this()] {
    if (const std::shared_ptr<WorkerCore> self = weak.lock()) self->Round().IgnoreError();
  });
}

// Not later than the first of the others' leases would be found abandoned.
int64_t WorkerCore::NextRound(int64_t now_ns) const {
  const int64_t failover_ns = CeilNanoseconds(setup_->options.failover_time);
  const int64_t rounds = asked_at_ns_.empty() ? kRoundsPerFailover : kHandoverRoundsPerFailover;
  int64_t next_ns = now_ns + std::max<int64_t>(1, failover_ns / rounds);
  for (const auto& [key, observed] : observed_) {
    const int64_t over_ns = observed.since_ns + failover_ns;
    if (over_ns > now_ns) next_ns = std::min(next_ns, over_ns);
  }
  return next_ns;
}

void WorkerCore::Renew(const Leases& leases, int64_t now_ns) {
  for (const auto& [key, run] : RunsNow()) {
    const auto lease = leases.find(key);
    if (lease == leases.end() || lease->second.owner != setup_->owner) {
      run->End(ShardRun::Ending::kLost);
      continue;
    }
    if (!lease->second.wanted_by.empty()) run->End(ShardRun::Ending::kStop);
    if (!run->hangs(now_ns)) setup_->table->Put(lease->second).IgnoreError();  // W2
  }
}

void WorkerCore::Observe(const Leases& leases, int64_t now_ns) {
  std::erase_if(observed_, [&](const auto& entry) { return !leases.contains(entry.first); });
  for (const auto& [key, lease] : leases) {
    if (lease.owner == setup_->owner || IsAtEnd(lease)) {
      observed_.erase(key);
      continue;
    }
    Observed& observed = observed_[key];
    if (observed.version != lease.version) observed = {lease.version, now_ns};  // W3
  }
}

// How often failover_time has passed since the lease was last changed by another.
int64_t WorkerCore::StoodStill(const Lease& lease, int64_t now_ns) const {
  const auto observed = observed_.find(lease.key);
  if (observed == observed_.end()) return 0;
  return (now_ns - observed->second.since_ns) / CeilNanoseconds(setup_->options.failover_time);
}

void WorkerCore::TakeLeases(const Leases& leases, int64_t now_ns) {
  const std::string& me = setup_->owner;
  std::erase_if(asked_at_ns_, [&](const auto& entry) {
    const auto lease = leases.find(entry.first);
    return lease == leases.end() || lease->second.wanted_by != me || lease->second.owner == me;
  });
  const int64_t patience_ns = CeilNanoseconds(setup_->options.handover_within);
  const Runs runs = RunsNow();
  std::vector<LeaseClaim> claims;
  for (const auto& [key, lease] : leases) {
    if (!IsReady(lease, leases)) continue;
    LeaseClaim claim = {.key = key, .holder = {}};
    const auto asked = asked_at_ns_.find(key);
    const int64_t stood_still = StoodStill(lease, now_ns);
    if (stood_still >= 1) {  // nobody's, whether it still bears a name or not
      claim.is_overdue = stood_still >= 2;
    } else if (lease.owner == me && !runs.contains(key)) {
      claim.holder = me;
      BeginRun(lease);  // W4
    } else if (asked != asked_at_ns_.end() && now_ns - asked->second >= patience_ns) {
      claim.holder = me;
      Claim(lease);
    } else {
      const bool is_asked_for = !lease.wanted_by.empty() && !lease.owner.empty();
      claim.holder = is_asked_for ? lease.wanted_by : lease.owner;
      claim.is_reserved = is_asked_for || (lease.owner != me && runs.contains(key));
    }
    claims.push_back(std::move(claim));
  }
  const LeasePlan plan =
      PlanLeases(claims, me, setup_->options.max_leases_for_worker,
                 setup_->options.max_leases_to_steal_at_one_time, setup_->env->runtime.Random());
  for (const std::string& key : plan.take) {
    if (!runs.contains(key)) Claim(leases.find(key)->second);
  }
  for (const std::string& key : plan.ask_for) AskFor(leases.find(key)->second, now_ns);
}

void WorkerCore::Claim(Lease lease) {
  if (!lease.owner.empty()) ++lease.owner_switches;  // else it was given up
  lease.owner = setup_->owner;
  lease.wanted_by.clear();
  const absl::StatusOr<std::optional<Lease>> won = setup_->table->Put(lease);
  if (won.ok() && won->has_value()) BeginRun(**won);
}

void WorkerCore::AskFor(Lease lease, int64_t now_ns) {
  lease.wanted_by = setup_->owner;
  const absl::StatusOr<std::optional<Lease>> won = setup_->table->Put(lease);
  if (!won.ok() || !won->has_value()) return;
  asked_at_ns_[lease.key] = now_ns;
  observed_[lease.key].version = (*won)->version;  // W3: it was not the owner who moved it
}

void WorkerCore::BeginRun(const Lease& lease) {
  const auto run = std::make_shared<ShardRun>(
      setup_, lease, [self = shared_from_this()](ShardRun& ended, ShardRun::Ending why) {
        self->RunEnded(ended, why);
      });
  {
    MutexLock lock(&mu_);
    if (stats_.stopped) return;  // Stop() gives the lease up
    runs_[lease.key] = run;
    ++stats_.leases_taken;
  }
  run->Begin();
}

}  // namespace banyan::inline v0_1::internal
