// SPDX-License-Identifier: Apache-2.0
#include "explorer.h"

#include <algorithm>
#include <cstdio>
#include <cstdlib>

namespace banyan::model {

namespace {

// An internal rule of the explorer or a bound of it is broken: no run would mean anything.
void Require(bool holds, const char* what) {
  if (holds) return;
  std::fprintf(stderr, "explorer: %s\n", what);
  std::abort();
}

uint64_t Mix(uint64_t state, uint64_t value) {
  state = (state ^ value) * 0x9E3779B97F4A7C15u;
  state ^= state >> 32;
  state *= 0xD6E8FEB86659FD93u;
  return state ^ (state >> 29);
}

}  // namespace

const char* ToString(Order order) {
  switch (order) {
    case Order::kRelaxed:
      return "relaxed";
    case Order::kAcquire:
      return "acquire";
    case Order::kRelease:
      return "release";
    case Order::kAcqRel:
      return "acq_rel";
    case Order::kSeqCst:
      return "seq_cst";
  }
  return "?";
}

bool Acquires(Order order) {
  return order == Order::kAcquire || order == Order::kAcqRel || order == Order::kSeqCst;
}

bool Releases(Order order) {
  return order == Order::kRelease || order == Order::kAcqRel || order == Order::kSeqCst;
}

// --- Making a program ----------------------------------------------------------------------------

void World::View::Join(const View& other) {
  for (size_t i = 0; i < seen.size(); ++i) seen[i] = std::max(seen[i], other.seen[i]);
  for (size_t i = 0; i < clock.size(); ++i) clock[i] = std::max(clock[i], other.clock[i]);
}

Atomic World::NewAtomic(std::string name, Value initial, Mutex writers) {
  Require(atomics_.size() < kAtomicsMax, "too many atomics");
  AtomicState a = {std::move(name), writers.id, {}};
  a.writes.push_back({initial, 0, -1, 0, false, {}});
  atomics_.push_back(std::move(a));
  return {static_cast<int>(atomics_.size()) - 1};
}

Plain World::NewPlain(std::string name, Value initial) {
  plains_.push_back({std::move(name), initial});
  return {static_cast<int>(plains_.size()) - 1};
}

Mutex World::NewMutex() {
  mutexes_.emplace_back();
  return {static_cast<int>(mutexes_.size()) - 1};
}

void World::AddThread(Phase phase, std::string name, Task<> program) {
  Require(threads_.size() < kThreadsMax, "too many threads");
  const std::coroutine_handle<> begin = program.handle();
  threads_.push_back({phase, std::move(name), std::move(program), begin});
}

// --- Running it ----------------------------------------------------------------------------------

void World::RunPhase(Phase phase, Explorer* explorer) {
  View before;
  for (const Thread& thread : threads_) {
    if (thread.phase < phase) before.Join(thread.view);
  }
  std::vector<int> mine;
  for (int i = 0; i < static_cast<int>(threads_.size()); ++i) {
    Thread& thread = threads_[static_cast<size_t>(i)];
    if (thread.phase != phase) continue;
    thread.view = before;
    thread.view.clock[static_cast<size_t>(i)] = 1;
    mine.push_back(i);
  }
  for (const int i : mine) Advance(i);

  for (;;) {
    if (failed()) return;
    std::vector<int> able;
    bool all_done = true;
    for (const int i : mine) {
      if (threads_[static_cast<size_t>(i)].program.done()) continue;
      all_done = false;
      if (Enabled(i)) able.push_back(i);
    }
    if (all_done) return;
    if (able.empty()) return Fail("deadlock");
    if (phase == kTogether && explorer->OnNewGround() && explorer->SeenBefore(StateHash())) {
      return;  // R3: our caller sees that not all are done
    }
    const int next = able[static_cast<size_t>(explorer->Choose(static_cast<int>(able.size())))];
    Do(next, threads_[static_cast<size_t>(next)].next);
    if (!failed()) Advance(next);
  }
}

// To its next step that waits for its turn (R1), or its end.
void World::Advance(int thread) {
  running_ = thread;
  threads_[static_cast<size_t>(thread)].at.resume();
}

bool World::DoNow(const Op& op) {
  bool now = op.kind == Op::kStore && op.order != Order::kSeqCst;  // R1
  if (op.kind == Op::kLoad && op.order != Order::kSeqCst) {        // R2
    const int writers = atomics_[static_cast<size_t>(op.id)].writers;
    now = writers >= 0 && mutexes_[static_cast<size_t>(writers)].holder == running_;
  }
  if (now) Do(running_, op);
  return now;
}

void World::Suspend(const Op& op, std::coroutine_handle<> at) {
  threads_[static_cast<size_t>(running_)].next = op;
  threads_[static_cast<size_t>(running_)].at = at;
}

bool World::Enabled(int thread) const {
  const Op& op = threads_[static_cast<size_t>(thread)].next;
  return op.kind != Op::kLock || mutexes_[static_cast<size_t>(op.id)].holder < 0;
}

void World::Do(int thread, const Op& op) {
  Thread& me = threads_[static_cast<size_t>(thread)];
  ++me.steps;
  if (op.kind == Op::kLock) {
    MutexState& mutex = mutexes_[static_cast<size_t>(op.id)];
    mutex.holder = thread;
    mutex.log = Mix(mutex.log, static_cast<uint64_t>(thread));
    me.view.Join(mutex.view);
    if (tracing()) Trace(thread, "locks");
    return;
  }
  const int writers = atomics_[static_cast<size_t>(op.id)].writers;
  if (op.kind != Op::kLoad && writers >= 0 &&
      mutexes_[static_cast<size_t>(writers)].holder != thread) {
    return Fail(atomics_[static_cast<size_t>(op.id)].name + " is written without its mutex");
  }
  if (op.kind == Op::kStore) {
    DoStore(thread, op);
  } else {
    TakeFrom(thread, op);
  }
}

void World::DoStore(int thread, const Op& op) {
  AtomicState& a = atomics_[static_cast<size_t>(op.id)];
  const View& view = threads_[static_cast<size_t>(thread)].view;
  std::vector<size_t> after;  // newest first, so that a single choice is the usual one
  for (size_t i = a.writes.size(); i-- > 0;) {
    const WriteEvent& write = a.writes[i];
    if (write.time < view.seen[static_cast<size_t>(op.id)]) break;
    if (op.order == Order::kSeqCst && write.time < a.in_order_s) break;
    if (!write.taken) after.push_back(i);
  }
  const size_t place =
      after[static_cast<size_t>(explorer_->Choose(static_cast<int>(after.size())))];
  Insert(thread, &a, place, op.operand, op.order);
  if (tracing())
    Trace(thread, a.name + " = " + std::to_string(op.operand) + " " + ToString(op.order));
}

void World::TakeFrom(int thread, const Op& op) {
  AtomicState& a = atomics_[static_cast<size_t>(op.id)];
  Thread& me = threads_[static_cast<size_t>(thread)];
  std::vector<size_t> from;
  for (size_t i = a.writes.size(); i-- > 0;) {
    const WriteEvent& write = a.writes[i];
    if (write.time < me.view.seen[static_cast<size_t>(op.id)]) break;
    if (op.order == Order::kSeqCst && write.time < a.in_order_s) break;
    // What a read-modify-write took, no other can take.
    const bool writes =
        op.kind != Op::kLoad && (op.kind != Op::kCompareExchange || write.value == op.expected);
    if (!writes || !write.taken) from.push_back(i);
  }
  const size_t i = from[static_cast<size_t>(explorer_->Choose(static_cast<int>(from.size())))];
  WriteEvent& taken = a.writes[i];
  const Value old = taken.value;
  const bool fails = op.kind == Op::kCompareExchange && old != op.expected;
  const Order order = fails ? op.failure : op.order;

  me.log = Mix(me.log, static_cast<uint64_t>(me.steps));
  me.log = Mix(me.log, taken.name());
  Time& seen = me.view.seen[static_cast<size_t>(op.id)];
  seen = std::max(seen, taken.time);
  if (Acquires(order)) me.view.Join(taken.view);
  if (order == Order::kSeqCst) a.SawInOrderS(taken);
  result_ = {old, !fails};

  if (op.kind == Op::kLoad || fails) {
    const bool newest = i + 1 == a.writes.size();
    if (tracing()) {
      Trace(thread, a.name + ": " + std::to_string(old) + (fails ? " is not expected" : "") +
                        (newest ? "" : " (not the newest)") + ", " + ToString(order));
    }
    return;
  }
  Value made = op.operand;
  if (op.kind == Op::kAdd) made = old + op.operand;
  if (op.kind == Op::kOr) made = old | op.operand;
  const View handed_on = taken.view;
  taken.taken = true;
  const size_t place = Insert(thread, &a, i, made, order);
  a.writes[place].view.Join(handed_on);  // the release sequence goes on
  if (tracing()) {
    Trace(thread, a.name + ": " + std::to_string(old) + " -> " + std::to_string(made) + ", " +
                      ToString(order));
  }
}

size_t World::Insert(int thread, AtomicState* a, size_t after, Value value, Order order) {
  Thread& me = threads_[static_cast<size_t>(thread)];
  const size_t id = static_cast<size_t>(a - atomics_.data());
  const Time low = a->writes[after].time;
  const bool last = after + 1 == a->writes.size();
  const Time time = last ? low + kStride : low + (a->writes[after + 1].time - low) / 2;
  Require(time > low, "no place left between two writes");

  me.view.seen[id] = time;
  WriteEvent write = {value, time, thread, me.steps, false, {}};
  if (Releases(order)) {
    write.view = me.view;
    ++me.view.clock[static_cast<size_t>(thread)];
  }
  write.view.seen[id] = time;
  a->writes.insert(a->writes.begin() + static_cast<std::ptrdiff_t>(after) + 1, write);
  a->log = 0;
  for (const WriteEvent& each : a->writes) a->log = Mix(a->log, each.name());
  if (order == Order::kSeqCst) a->SawInOrderS(a->writes[after + 1]);
  return after + 1;
}

void World::Unlock(Mutex handle) {
  MutexState& mutex = mutexes_[static_cast<size_t>(handle.id)];
  Thread& me = threads_[static_cast<size_t>(running_)];
  Require(mutex.holder == running_, "unlocked by somebody else");
  ++me.steps;
  mutex.view = me.view;
  ++me.view.clock[static_cast<size_t>(running_)];
  mutex.holder = -1;
  if (tracing()) Trace(running_, "unlocks");
}

Value World::Read(Plain handle) {
  PlainState& cell = plains_[static_cast<size_t>(handle.id)];
  const View& view = threads_[static_cast<size_t>(running_)].view;
  if (cell.writer >= 0 && view.clock[static_cast<size_t>(cell.writer)] < cell.written) {
    Fail("data race: " + threads_[static_cast<size_t>(running_)].name + " reads " + cell.name +
         ", written by " + threads_[static_cast<size_t>(cell.writer)].name);
  }
  cell.read[static_cast<size_t>(running_)] = view.clock[static_cast<size_t>(running_)];
  if (tracing()) Trace(running_, "reads " + cell.name + ": " + std::to_string(cell.value));
  return cell.value;
}

void World::Write(Plain handle, Value value) {
  PlainState& cell = plains_[static_cast<size_t>(handle.id)];
  const View& view = threads_[static_cast<size_t>(running_)].view;
  const std::string& name = threads_[static_cast<size_t>(running_)].name;
  if (cell.writer >= 0 && view.clock[static_cast<size_t>(cell.writer)] < cell.written) {
    Fail("data race: " + name + " writes " + cell.name + ", written by " +
         threads_[static_cast<size_t>(cell.writer)].name);
  }
  for (size_t i = 0; i < threads_.size(); ++i) {
    if (view.clock[i] >= cell.read[i]) continue;
    Fail("data race: " + name + " writes " + cell.name + ", read by " + threads_[i].name);
  }
  cell.value = value;
  cell.writer = running_;
  cell.written = view.clock[static_cast<size_t>(running_)];
  if (tracing()) Trace(running_, "writes " + cell.name + ": " + std::to_string(value));
}

void World::Fail(const std::string& what) {
  if (!failed()) failure_ = what;
  if (tracing()) Trace(running_, "*** " + what);
}

Value World::Known(Atomic handle) const {
  const AtomicState& a = atomics_[static_cast<size_t>(handle.id)];
  const Time seen =
      threads_[static_cast<size_t>(running_)].view.seen[static_cast<size_t>(handle.id)];
  for (const WriteEvent& write : a.writes) {
    if (write.time == seen) return write.value;
  }
  return a.writes.front().value;
}

uint64_t World::StateHash() const {
  uint64_t hash = 0;
  for (const Thread& thread : threads_) {
    hash = Mix(hash, thread.log);
    hash = Mix(hash, static_cast<uint64_t>(thread.steps));
  }
  for (const MutexState& mutex : mutexes_) hash = Mix(hash, mutex.log);
  for (const AtomicState& a : atomics_) {
    hash = Mix(hash, a.log);
    if (a.in_order_s > 0) hash = Mix(hash, a.in_order_s_log);
  }
  return hash;
}

bool World::tracing() const { return explorer_->tracing_; }

void World::Trace(int thread, const std::string& text) {
  trace_ += "  " + threads_[static_cast<size_t>(thread)].name + ": " + text + "\n";
}

// --- Every way -----------------------------------------------------------------------------------

int Explorer::Choose(int n) {
  Require(n > 0, "nothing to choose from");
  if (n == 1) return 0;
  if (at_ == script_.size()) script_.push_back({0, n});
  Require(script_[at_].of == n, "the program does not do the same when it reads the same");
  return script_[at_++].taken;
}

bool Explorer::SeenBefore(uint64_t state) { return !states_.insert(state).second; }

bool Explorer::NextScript() {
  while (!script_.empty() && script_.back().taken + 1 == script_.back().of) script_.pop_back();
  if (script_.empty()) return false;
  ++script_.back().taken;
  return true;
}

std::string Explorer::RunOnce(const Program& program, std::string* trace) {
  at_ = 0;
  World world;
  world.explorer_ = this;
  program(&world);
  for (const World::Phase phase : {World::kBefore, World::kTogether, World::kAfter}) {
    world.RunPhase(phase, this);
    bool done = !world.failed();
    for (const World::Thread& thread : world.threads_) {
      if (thread.phase == phase) done = done && thread.program.done();
    }
    if (!done) break;
  }
  *trace += world.trace_;
  return world.failure_;
}

Outcome Explorer::Explore(const Program& program, int64_t runs_max) {
  Explorer explorer;
  Outcome outcome;
  std::string no_trace;
  do {
    if (outcome.runs == runs_max) {
      outcome.complete = false;
      break;
    }
    ++outcome.runs;
    outcome.failure = explorer.RunOnce(program, &no_trace);
  } while (outcome.failure.empty() && explorer.NextScript());
  if (!outcome.failure.empty()) {
    explorer.tracing_ = true;
    explorer.RunOnce(program, &outcome.trace);
  }
  outcome.states = static_cast<int64_t>(explorer.states_.size());
  return outcome;
}

}  // namespace banyan::model
