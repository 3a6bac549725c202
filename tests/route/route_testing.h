// SPDX-License-Identifier: Apache-2.0
//
// What the tests of the route room share: topics, buses and destinations without a broker.
#ifndef BANYAN_TESTS_ROUTE_ROUTE_TESTING_H_
#define BANYAN_TESTS_ROUTE_ROUTE_TESTING_H_

#include <functional>
#include <memory>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "banyan/event_bus.h"
#include "banyan/function.h"
#include "banyan/log.h"
#include "banyan/mutex.h"
#include "banyan/queue.h"
#include "banyan/stream.h"
#include "banyan/testing/simulated_runtime.h"
#include "banyan/topic.h"
#include "deliver/function_core.h"
#include "gtest/gtest.h"
#include "message/environment.h"
#include "queue/core.h"
#include "route/event_bus_core.h"
#include "route/topic_core.h"
#include "shared_testing.h"
#include "stream/core.h"

namespace banyan::internal {

class RouteLog : public LogSink {
 public:
  void Write(const LogRecord& record) override {
    MutexLock lock(&mu_);
    lines_.emplace_back(record.text);
  }
  std::vector<std::string> lines() const {
    MutexLock lock(&mu_);
    return lines_;
  }

 private:
  mutable Mutex mu_;
  std::vector<std::string> lines_ ABSL_GUARDED_BY(mu_);
};

// Stands for the broker: makes resources, and closes them in the end.
class TestHouse {
 public:
  explicit TestHouse(Runtime& runtime, Limits limits = Limits::Aws())
      : env(std::make_shared<Environment>(runtime, limits, /*id_seed=*/7)) {
    env->log = &log;
  }
  ~TestHouse() {
    for (auto it = closers_.rbegin(); it != closers_.rend(); ++it) (*it)();
  }

  Queue MakeQueue(const std::string& name, const QueueOptions& options = {}) {
    auto core = QueueCore::Create(env, name, options);
    closers_.push_back([core] { core->Close(CloseKind::kStopped); });
    return Queue(core);
  }
  Function MakeFunction(const std::string& name, FunctionHandler handler,
                        FunctionOptions options = {}) {
    auto core = FunctionCore::Create(env, name, options, std::move(handler));
    closers_.push_back([core] { core->Close(CloseKind::kStopped); });
    return Function(core);
  }
  Stream MakeStream(const std::string& name) {
    auto core = StreamCore::Create(env, name, {});
    closers_.push_back([core] { core->Close(CloseKind::kStopped); });
    return Stream(core);
  }
  Topic MakeTopic(const std::string& name, const TopicOptions& options = {}) {
    auto core = TopicCore::Create(env, name, options);
    closers_.push_back([core] { core->Close(CloseKind::kStopped); });
    return Topic(core);
  }
  EventBus MakeBus(const std::string& name) {
    auto core = EventBusCore::Create(env, name, {});
    closers_.push_back([core] { core->Close(CloseKind::kStopped); });
    return EventBus(core);
  }

  RouteLog log;
  const std::shared_ptr<Environment> env;

 private:
  std::vector<std::function<void()>> closers_;
};

class RouteTest : public ::testing::Test {
 protected:
  testing::SimulatedRuntime runtime_;
  TestHouse house_{runtime_};
};

}  // namespace banyan::internal

#endif  // BANYAN_TESTS_ROUTE_ROUTE_TESTING_H_
