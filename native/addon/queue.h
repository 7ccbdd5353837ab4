// One per JavaScript environment (the main thread, each worker): native jobs and the promises they settle.
#pragma once
#include <napi.h>

#include <functional>
#include <memory>
#include <vector>

#include "training/executor.h"
#include "training/session.h"

namespace downhill::addon {

class Queue {
 public:
  /// Runs on a native thread; throws Error to reject. Returns what makes the value on JavaScript's thread.
  using Make = std::function<Napi::Value(Napi::Env)>;
  using Work = std::function<Make()>;

  static Queue& of(Napi::Env env);
  static void create(Napi::Env env);

  /// The environment stays alive until the promise has settled.
  Napi::Promise run(Lane lane, Work work);
  /// The same on JavaScript's thread, at once.
  Napi::Promise run_now(Work work);
  /// Whether all jobs of the compute lane have settled: one that runs now keeps their order.
  bool idle() const { return computing_ == 0; }

  /// Sessions are told to stop when the environment ends.
  void remember(const std::shared_ptr<Session>& session);

  ~Queue();

 private:
  struct Task;
  explicit Queue(Napi::Env env);
  static void settle(napi_env env, napi_value, void* context, void* data);
  void shut_down();

  napi_env env_;
  napi_threadsafe_function call_ = nullptr;
  int outstanding_ = 0,
      computing_ = 0;  // promises not yet settled, those of the compute lane; JavaScript's thread only
  std::vector<std::weak_ptr<Session>> sessions_;
  size_t sessions_kept_ = 0;  // of them, when those that are gone were last dropped
};

}  // namespace downhill::addon
