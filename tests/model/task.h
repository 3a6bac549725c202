// SPDX-License-Identifier: Apache-2.0
//
// tests/model/task.h -- a piece of a modelled thread: a coroutine that stops before every step whose
// outcome depends on the other threads. A task starts when it is awaited, or resumed as the root of
// its thread.
#ifndef BANYAN_TESTS_MODEL_TASK_H_
#define BANYAN_TESTS_MODEL_TASK_H_

#include <coroutine>
#include <cstdlib>
#include <utility>

namespace banyan::model {

template <typename T = void>
class Task;

struct TaskPromiseBase {
  // Goes back to whoever awaited the task; the root of a thread has nobody.
  struct GoBack {
    bool await_ready() noexcept { return false; }
    template <typename Promise>
    std::coroutine_handle<> await_suspend(std::coroutine_handle<Promise> finished) noexcept {
      const std::coroutine_handle<> back = finished.promise().caller;
      return back ? back : std::noop_coroutine();
    }
    void await_resume() noexcept {}
  };

  std::suspend_always initial_suspend() noexcept { return {}; }
  GoBack final_suspend() noexcept { return {}; }
  void unhandled_exception() { std::abort(); }

  std::coroutine_handle<> caller;
};

template <typename T>
struct TaskPromise : TaskPromiseBase {
  Task<T> get_return_object();
  void return_value(T result) { value = std::move(result); }
  T value = {};
};

template <>
struct TaskPromise<void> : TaskPromiseBase {
  Task<void> get_return_object();
  void return_void() {}
};

template <typename T>
class [[nodiscard]] Task {
 public:
  using promise_type = TaskPromise<T>;
  using Handle = std::coroutine_handle<promise_type>;

  Task() = default;
  explicit Task(Handle handle) : handle_(handle) {}
  Task(Task&& other) noexcept : handle_(std::exchange(other.handle_, nullptr)) {}
  Task& operator=(Task&& other) noexcept {
    std::swap(handle_, other.handle_);
    return *this;
  }
  ~Task() {
    if (handle_) handle_.destroy();
  }

  std::coroutine_handle<> handle() const { return handle_; }
  bool done() const { return handle_.done(); }

  bool await_ready() const { return false; }
  std::coroutine_handle<> await_suspend(std::coroutine_handle<> caller) {
    handle_.promise().caller = caller;
    return handle_;
  }
  T await_resume() {
    if constexpr (!std::is_void_v<T>) return std::move(handle_.promise().value);
  }

 private:
  Handle handle_;
};

template <typename T>
Task<T> TaskPromise<T>::get_return_object() {
  return Task<T>(Task<T>::Handle::from_promise(*this));
}

inline Task<void> TaskPromise<void>::get_return_object() {
  return Task<void>(Task<void>::Handle::from_promise(*this));
}

}  // namespace banyan::model

#endif  // BANYAN_TESTS_MODEL_TASK_H_
