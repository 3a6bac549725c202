// SPDX-License-Identifier: Apache-2.0
//
// tests/model/explorer.h -- runs a small concurrent program in every way the memory model of C++
// allows, and says which way breaks one of its checks.
//
//   location   its writes in modification order: [ 0 ]--[ 1 ]--[ 2 ]     each with the view of its
//                                                   ^             ^      writer, if it was a release
//   thread     its view: of each location the newest write it knows of; of each thread, how far that
//              thread had come when it said so
//
// A load may take any write that is not older than what the thread's view knows: every such choice
// is tried, as is every order of the threads' steps. To acquire from a write is to add its view to
// one's own. What is modelled:
//
//   relaxed, acquire, release, acq_rel  loads, stores, read-modify-writes. A store may take any place
//       in modification order behind what its thread knows, not only the last.
//   release sequences, as C++20 has them: a read-modify-write hands on the view of the write it took.
//   seq_cst  of loads, stores and read-modify-writes: such steps are in one order S, the order in
//       which they are run here; none may take, or be put before, a write older than what S has seen
//       of that location. No fences.
//   plain accesses, with detection of data races: two accesses, one a write, neither of which
//       happens before the other, fail the run.
//   mutexes.
//
// Not modelled: reading from a write that is still to come (load buffering, out-of-thin-air), fences,
// consume, spurious failure of a weak compare-and-swap (the loop around it would only go round once
// more), and programs that use seq_cst and weaker accesses on one location, beyond the sentence above
// (C++ has rules there that let S disagree with "happens before").
//
// What keeps it small, and why nothing is missed:
//
// R1  Only a step that takes something from another thread waits for its turn: loads,
//     read-modify-writes, locks, and anything seq_cst. A weaker store takes nothing, so doing it as
//     soon as its thread comes to it takes no choice from anybody: who is to miss it takes an older
//     write, who is to be overtaken by it is so in modification order.
// R2  A load by the holder of a mutex, of a location that is written only by holders, has one
//     outcome now and later, and does not wait either.
// R3  Two runs in which the same threads have taken the same writes, and each location has the same
//     modification order, are in the same state: the second is not gone on with. (The state is kept
//     as a hash of 64 bits.)
//
// A program is made anew for each run, must do the same when it reads the same, and must end: its
// loops are bounded by itself.
#ifndef BANYAN_TESTS_MODEL_EXPLORER_H_
#define BANYAN_TESTS_MODEL_EXPLORER_H_

#include <array>
#include <coroutine>
#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <unordered_set>
#include <utility>
#include <vector>

#include "task.h"

namespace banyan::model {

using Value = int64_t;

enum class Order { kRelaxed, kAcquire, kRelease, kAcqRel, kSeqCst };
const char* ToString(Order order);
bool Acquires(Order order);
bool Releases(Order order);

// Names of things in a World.
struct Atomic {
  int id = -1;
};
struct Plain {
  int id = -1;
};
struct Mutex {
  int id = -1;
};

class Explorer;

class World {
 public:
  // --- To make a program with ---

  // `writers`: the mutex that whoever writes it holds, if there is one (R2; checked).
  Atomic NewAtomic(std::string name, Value initial = 0, Mutex writers = {});
  Plain NewPlain(std::string name, Value initial = 0);
  Mutex NewMutex();

  // Runs before all threads; the threads; after all threads.
  void Initially(Task<> program) { AddThread(kBefore, "before", std::move(program)); }
  void Spawn(std::string name, Task<> program) {
    AddThread(kTogether, std::move(name), std::move(program));
  }
  void Finally(Task<> program) { AddThread(kAfter, "after", std::move(program)); }

  // Lives as long as the run.
  template <typename T, typename... Args>
  T& Make(Args&&... args) {
    auto made = std::make_shared<T>(std::forward<Args>(args)...);
    owned_.push_back(made);
    return *made;
  }

  // --- For the threads: steps that are awaited ---

  struct Op {
    enum Kind { kLoad, kStore, kAdd, kOr, kExchange, kCompareExchange, kLock } kind;
    int id;
    Order order;
    Order failure = Order::kRelaxed;
    Value operand = 0;
    Value expected = 0;
  };
  struct Result {
    Value value;
    bool done;
  };
  class Step {
   public:
    Step(World* world, const Op& op) : world_(world), op_(op) {}
    bool await_ready() { return world_->DoNow(op_); }
    void await_suspend(std::coroutine_handle<> at) { world_->Suspend(op_, at); }

   protected:
    Result result() const { return world_->result_; }

   private:
    World* world_;
    Op op_;
  };
  struct ValueStep : Step {
    using Step::Step;
    Value await_resume() { return result().value; }
  };
  struct VoidStep : Step {
    using Step::Step;
    void await_resume() {}
  };
  struct CompareExchangeStep : Step {
    CompareExchangeStep(World* world, const Op& op, Value* seen)
        : Step(world, op), expected(seen) {}
    bool await_resume() {
      *expected = result().value;
      return result().done;
    }
    Value* expected;
  };

  ValueStep Load(Atomic a, Order order) { return {this, {Op::kLoad, a.id, order}}; }
  VoidStep Store(Atomic a, Value value, Order order) {
    return {this, {Op::kStore, a.id, order, Order::kRelaxed, value}};
  }
  ValueStep FetchAdd(Atomic a, Value value, Order order) {
    return {this, {Op::kAdd, a.id, order, Order::kRelaxed, value}};
  }
  ValueStep FetchOr(Atomic a, Value value, Order order) {
    return {this, {Op::kOr, a.id, order, Order::kRelaxed, value}};
  }
  ValueStep Exchange(Atomic a, Value value, Order order) {
    return {this, {Op::kExchange, a.id, order, Order::kRelaxed, value}};
  }
  CompareExchangeStep CompareExchange(Atomic a, Value* expected, Value desired, Order success,
                                      Order failure) {
    return {this, {Op::kCompareExchange, a.id, success, failure, desired, *expected}, expected};
  }
  VoidStep Lock(Mutex mutex) { return {this, {Op::kLock, mutex.id, Order::kAcquire}}; }

  // --- For the threads: steps that take nothing from others ---

  void Unlock(Mutex mutex);
  Value Read(Plain cell);
  void Write(Plain cell, Value value);

  // --- For checks ---

  void Fail(const std::string& what);
  bool Check(bool holds, const char* what) {
    if (!holds) Fail(what);
    return holds;
  }
  bool failed() const { return !failure_.empty(); }

  // The newest value of `a` that the running thread has seen or been told of: its next load takes
  // this one or a newer one.
  Value Known(Atomic a) const;

 private:
  friend class Explorer;

  static constexpr int kThreadsMax = 6;
  static constexpr int kAtomicsMax = 32;

  enum Phase { kBefore, kTogether, kAfter };

  using Time = int32_t;  // place in modification order
  static constexpr Time kStride = 1 << 16;

  struct View {
    std::array<Time, kAtomicsMax> seen = {};
    std::array<int, kThreadsMax> clock = {};
    void Join(const View& other);
  };
  struct WriteEvent {
    Value value;
    Time time;
    int thread;  // and the how manieth step of it: names the write in every run
    int step;
    bool taken;  // a read-modify-write took it and is next to it for ever
    View view;
    uint64_t name() const {
      return static_cast<uint64_t>(thread + 1) << 32 | static_cast<uint64_t>(step);
    }
  };
  struct AtomicState {
    std::string name;
    int writers;
    std::vector<WriteEvent> writes;  // in modification order
    uint64_t log = 0;                // their names
    Time in_order_s = 0;             // the newest that a seq_cst step took or made
    uint64_t in_order_s_log = 0;     // its name
    void SawInOrderS(const WriteEvent& write) {
      if (write.time < in_order_s) return;
      in_order_s = write.time;
      in_order_s_log = write.name();
    }
  };
  struct PlainState {
    std::string name;
    Value value;
    int writer = -1;
    int written = 0;
    std::array<int, kThreadsMax> read = {};
  };
  struct MutexState {
    int holder = -1;
    View view;
    uint64_t log = 0;  // who held it, in order
  };
  struct Thread {
    Phase phase;
    std::string name;
    Task<> program;
    std::coroutine_handle<> at;
    Op next = {};
    View view = {};
    int steps = 0;
    uint64_t log = 0;  // what it took
  };

  void AddThread(Phase phase, std::string name, Task<> program);
  void RunPhase(Phase phase, Explorer* explorer);
  void Advance(int thread);

  bool DoNow(const Op& op);
  void Suspend(const Op& op, std::coroutine_handle<> at);
  bool Enabled(int thread) const;
  void Do(int thread, const Op& op);
  void DoStore(int thread, const Op& op);
  void TakeFrom(int thread, const Op& op);
  size_t Insert(int thread, AtomicState* a, size_t after, Value value, Order order);

  uint64_t StateHash() const;
  bool tracing() const;
  void Trace(int thread, const std::string& text);

  std::vector<std::shared_ptr<void>> owned_;
  std::vector<AtomicState> atomics_;
  std::vector<PlainState> plains_;
  std::vector<MutexState> mutexes_;
  std::vector<Thread> threads_;
  Explorer* explorer_ = nullptr;
  int running_ = -1;
  Result result_ = {};
  std::string failure_;
  std::string trace_;
};

struct Outcome {
  int64_t runs = 0;
  int64_t states = 0;
  bool complete = true;  // false: gave up at runs_max
  std::string failure;   // what went wrong first; empty: nothing did
  std::string trace;     // and the steps that led to it

  bool passed() const { return complete && failure.empty(); }
};

// Makes the program in an empty World.
using Program = std::function<void(World*)>;

class Explorer {
 public:
  static Outcome Explore(const Program& program, int64_t runs_max = 5'000'000);

 private:
  friend class World;

  struct Choice {
    int taken;
    int of;
  };
  // One of 0 .. n-1: as the script says, then 0 and on from there in later runs.
  int Choose(int n);
  // Whether no earlier run has been here: the script does not lead any further.
  bool OnNewGround() const { return at_ == script_.size() && !tracing_; }
  bool SeenBefore(uint64_t state);  // and remembers it
  bool NextScript();
  std::string RunOnce(const Program& program, std::string* trace);

  std::vector<Choice> script_;
  size_t at_ = 0;
  bool tracing_ = false;
  std::unordered_set<uint64_t> states_;
};

}  // namespace banyan::model

#endif  // BANYAN_TESTS_MODEL_EXPLORER_H_
