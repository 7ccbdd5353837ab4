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
  int outstanding_ = 0;  // promises not yet settled; JavaScript's thread only
  std::vector<std::weak_ptr<Session>> sessions_;
};

}  // namespace downhill::addon
