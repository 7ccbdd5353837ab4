#include "addon/queue.h"

#include <algorithm>

#include "addon/check.h"

namespace downhill::addon {

struct Queue::Task {
  Task(Napi::Env env, bool computes) : deferred(Napi::Promise::Deferred::New(env)), computes(computes) {}
  Napi::Promise::Deferred deferred;
  bool computes;  // a job of the compute lane
  Work work;
  Make make;
  const char* code = nullptr;  // of an error
  std::string message;

  void run() {
    try {
      make = work();
    } catch (const Error& error) {
      fail(error.code(), error.what());
    } catch (const std::bad_alloc&) {
      fail(code::kOutOfMemory, "Out of memory. Use smaller batches or a smaller model, or dispose of tensors.");
    } catch (const std::exception& error) {
      fail(code::kInternal, error.what());
    }
  }
  void settle(Napi::Env env) {
    const Napi::HandleScope scope(env);
    if (!code) {
      try {
        const Napi::Value value = make(env);
        return deferred.Resolve(value);
      } catch (const Error& error) {
        fail(error.code(), error.what());
      } catch (const std::bad_alloc&) {
        fail(code::kOutOfMemory, "Out of memory for the result.");
      }
    }
    deferred.Reject(to_js_error(env, code, message).Value());
  }
  void fail(const char* error_code, std::string text) {
    code = error_code;
    message = std::move(text);
  }
};

Queue& Queue::of(Napi::Env env) { return *env.GetInstanceData<Queue>(); }

void Queue::create(Napi::Env env) {
  auto* queue = new Queue(env);
  env.SetInstanceData<Queue>(queue);
  // After the thread-safe function was made, so that this runs before that one closes.
  napi_add_env_cleanup_hook(env, [](void* data) { static_cast<Queue*>(data)->shut_down(); }, queue);
}

Queue::Queue(Napi::Env env) : env_(env) {
  const Napi::String name = Napi::String::New(env, "downhill");
  if (napi_create_threadsafe_function(env, nullptr, nullptr, name, 0, 1, nullptr, nullptr, this, settle, &call_) !=
      napi_ok)
    throw Error(code::kInternal, "Cannot create the queue of native jobs.");
  napi_unref_threadsafe_function(env, call_);  // idle: does not keep the process alive
}

Queue::~Queue() = default;

Napi::Promise Queue::run(Lane lane, Work work) {
  auto* task = new Task(env_, lane == Lane::compute);
  task->work = std::move(work);
  const Napi::Promise promise = task->deferred.Promise();
  if (outstanding_++ == 0) napi_ref_threadsafe_function(env_, call_);
  computing_ += task->computes;
  // Shared, so that a job dropped unrun still frees the task.
  std::shared_ptr<Task> shared(task);
  try {
    executor::submit(lane, this, [shared, call = call_] {
      shared->run();
      shared->work = nullptr;
      auto* handed_over = new std::shared_ptr<Task>(shared);
      if (napi_call_threadsafe_function(call, handed_over, napi_tsfn_nonblocking) != napi_ok)
        delete handed_over;  // the environment is ending
    });
  } catch (...) {
    if (--outstanding_ == 0) napi_unref_threadsafe_function(env_, call_);
    computing_ -= shared->computes;
    throw;
  }
  return promise;
}

Napi::Promise Queue::run_now(Work work) {
  Task task(env_, false);
  task.work = std::move(work);
  task.run();
  task.settle(env_);
  return task.deferred.Promise();
}

void Queue::settle(napi_env raw, napi_value, void* context, void* data) {
  const std::unique_ptr<std::shared_ptr<Task>> holder(static_cast<std::shared_ptr<Task>*>(data));
  if (!raw) return;  // the environment is ending
  Queue& queue = *static_cast<Queue*>(context);
  if (--queue.outstanding_ == 0) napi_unref_threadsafe_function(raw, queue.call_);
  queue.computing_ -= (*holder)->computes;
  try {
    (*holder)->settle(Napi::Env(raw));
  } catch (...) {
    // A worker that is being terminated runs no more JavaScript: every call fails, and nobody waits for the promise.
  }
}

void Queue::remember(const std::shared_ptr<Session>& session) {
  if (sessions_.size() >= 2 * sessions_kept_ + 16) {  // seldom, so that thousands cost no more than a few
    sessions_.erase(std::remove_if(sessions_.begin(), sessions_.end(), [](const auto& weak) { return weak.expired(); }),
                    sessions_.end());
    sessions_kept_ = sessions_.size();
  }
  sessions_.push_back(session);
}

void Queue::shut_down() {
  executor::cancel(this);
  for (const auto& weak : sessions_)
    if (const auto session = weak.lock()) session->abort();
  executor::wait(this);
  napi_release_threadsafe_function(call_, napi_tsfn_abort);
}

}  // namespace downhill::addon
