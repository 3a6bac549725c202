// SPDX-License-Identifier: Apache-2.0
//
// One random history: the same operations and moves of the clock to the model and to real queues
// under a simulated runtime, and after each step a look at whether both say the same.
//
//   RunSeeds(1'000, [](ModelRun& run) {
//     const size_t dead = run.AddQueue("dead", {});
//     run.AddQueue("jobs", {.redrive = run.DeadLettersTo(dead, 3)});
//     run.Steps(200);
//   });
//
// The seed chooses everything. BANYAN_SEED=n runs that one alone. A failure prints it, the step,
// and the last twenty operations with their answers; a message is named there by its label, which
// it carries as an attribute.
#ifndef BANYAN_TESTS_QUEUE_MODEL_RUN_H_
#define BANYAN_TESTS_QUEUE_MODEL_RUN_H_

#include <cstdint>
#include <functional>
#include <map>
#include <optional>
#include <random>
#include <set>
#include <string>
#include <utility>
#include <vector>

#include "queue_model.h"
#include "queue_testing.h"

namespace banyan::internal {

class ModelRun {
 public:
  explicit ModelRun(uint64_t seed);

  // A queue comes after its dead-letter queue.
  size_t AddQueue(const std::string& name, const QueueOptions& options);
  RedrivePolicy DeadLettersTo(size_t queue, int64_t max_receive_count) const;
  void Steps(int steps);

  // 0 to `below` - 1.
  int Draw(int below) { return static_cast<int>(random_() % static_cast<uint64_t>(below)); }
  template <typename T>
  T DrawOf(std::initializer_list<T> some) {
    return some.begin()[Draw(static_cast<int>(some.size()))];
  }

 private:
  absl::Duration Now() { return runtime_.Uptime(); }
  size_t DrawQueue() { return static_cast<size_t>(Draw(static_cast<int>(real_.size()))); }
  std::optional<size_t> DrawHandle();
  std::string DrawAttemptId(size_t queue);  // FIFO; often none
  bool IsDeadLetterQueue(size_t queue) const;
  const std::string& name(size_t queue) const { return model_.queues[queue].arn.resource; }

  void Step();
  void Compare();

  // One operation each: draws it, does it on both sides, and compares the answers.
  void MoveTime();
  void Send(size_t queue);
  void SendBatch(size_t queue);
  void Receive(size_t queue, const std::string& attempt_id);
  void Delete(size_t handle);
  void DeleteBatch(size_t queue);
  void ChangeVisibility(size_t handle);
  void ChangeVisibilityBatch(size_t queue);
  void MoveToDeadLetterQueue(size_t handle);
  void Redrive(size_t queue);
  void Purge(size_t queue);
  void Peek(size_t queue);
  void SetOptions(size_t queue);

  SendRequest DrawSend(size_t queue, int64_t label);
  void CheckSent(const ModelSent& expected, const absl::StatusOr<SendResult>& sent);
  void CheckReplay(ModelAttempt& attempt, const std::vector<Received>& got,
                   absl::Duration visibility);
  std::vector<size_t> Identify(size_t queue, const std::vector<Received>& got);
  void LearnSequence(ModelMessage& m, uint64_t sequence);
  void CheckReceived(const Received& one, const ModelMessage& m);
  absl::Duration DrawVisibilityChange(size_t handle);
  // Handles that this queue gave out, and now and then one that it did not.
  std::vector<std::pair<std::string, std::optional<size_t>>> DrawHandleTexts(size_t queue);

  template <typename... T>
  void Log(const T&... parts) {
    log_.push_back(StrCat(absl::FormatDuration(Now()), "  ", parts...));
  }
  template <typename... T>
  void LogAnswer(const T&... parts) {
    StrAppend(&log_.back(), " -> ", parts...);
  }
  void LogReceived(const std::vector<Received>& got);

  std::mt19937_64 random_;
  testing::SimulatedRuntime runtime_;
  TestBroker broker_;
  Model model_;
  std::vector<Queue> real_;
  std::vector<std::optional<RedrivePolicy>> redrives_;  // as the queues were made
  std::vector<Received> received_;                      // by handle
  std::set<std::string> handle_texts_;
  std::set<Id> ids_;
  std::map<std::pair<size_t, std::string>, uint64_t> last_sequences_;  // by queue and group
  std::optional<std::pair<size_t, std::string>> last_named_receive_;   // queue and attempt id
  int64_t next_label_ = 1;
  std::vector<std::string> log_;
};

void RunSeeds(uint64_t seeds, const std::function<void(ModelRun&)>& scenario);

}  // namespace banyan::internal

#endif  // BANYAN_TESTS_QUEUE_MODEL_RUN_H_
