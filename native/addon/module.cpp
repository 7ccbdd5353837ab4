// The addon's entry. It converts, checks and queues; the maths is elsewhere.
#include <napi.h>

#include "addon/check.h"
#include "addon/exports.h"
#include "addon/queue.h"

namespace downhill::addon {

Napi::Object initialise(Napi::Env env, Napi::Object exports) {
  Queue::create(env);
  export_process(env, exports);
  export_device(env, exports);
  export_storage(env, exports);
  export_graph(env, exports);
  export_program(env, exports);
  export_updater(env, exports);
  export_training(env, exports);
  export_profile(env, exports);
  export_files(env, exports);
  return exports;
}

}  // namespace downhill::addon

static Napi::Object Initialise(Napi::Env env, Napi::Object exports) {
  return downhill::addon::initialise(env, exports);
}
NODE_API_MODULE(downhill, Initialise)
