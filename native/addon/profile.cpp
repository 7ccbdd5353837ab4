#include "training/profile.h"

#include <algorithm>

#include "addon/check.h"
#include "addon/exports.h"
#include "addon/handles.h"
#include "addon/queue.h"
#include "backend/cpu/limits.h"
#include "backend/cpu/pool.h"
#include "plan/plan.h"

namespace downhill::addon {

namespace {

Napi::Array shapes(Napi::Env env, const Plan& plan, const std::vector<int>& values) {
  Napi::Array result = Napi::Array::New(env, values.size());
  for (size_t i = 0; i < values.size(); ++i)
    result.Set(static_cast<uint32_t>(i), to_js(env, plan.values[static_cast<size_t>(values[i])].shape));
  return result;
}

Napi::Value steps(Napi::Env env, const Plan& plan) {
  Napi::Array result = Napi::Array::New(env, plan.steps.size());
  for (size_t i = 0; i < plan.steps.size(); ++i) {
    const Step& step = plan.steps[i];
    Napi::Object item = Napi::Object::New(env);
    item.Set("op", name_of(step));
    item.Set("label", step.label);
    item.Set("inputs", shapes(env, plan, step.inputs));
    item.Set("outputs", shapes(env, plan, step.outputs()));
    item.Set("flops", flops_of(plan, step));
    item.Set("bytes", bytes_of(plan, step));
    result.Set(static_cast<uint32_t>(i), item);
  }
  return result;
}

/// (runs, 3 + steps): seconds of gathering, of the update, of the whole run, then of each step.
Napi::Value to_js(Napi::Env env, const std::vector<ProfileRun>& runs) {
  const size_t width = 3 + runs.front().steps.size();
  Napi::Float64Array result = Napi::Float64Array::New(env, width * runs.size());
  double* at = result.Data();
  for (const ProfileRun& run : runs) {
    at[0] = run.gather;
    at[1] = run.update;
    at[2] = run.total;
    std::copy(run.steps.begin(), run.steps.end(), at + 3);
    at += width;
  }
  return result;
}

Napi::Value run_profile(const Napi::CallbackInfo& info) {
  const Napi::Object given = object(info[0], "options");
  ProfileOptions options;
  options.program = handle<Program>(given.Get("program"));
  options.workspace = handle<Workspace>(given.Get("workspace"));
  const Napi::Array inputs = list(given.Get("inputs"), "inputs");
  for (uint32_t i = 0; i < inputs.Length(); ++i) options.inputs.push_back(*handle<Storage>(inputs.Get(i)));
  if (!given.Get("dataset").IsNull()) options.data = handle<Dataset>(given.Get("dataset"));
  options.rows = count(given.Get("rows"), "rows");
  options.shuffled = boolean(given.Get("shuffled"), "shuffled");
  if (!given.Get("updater").IsNull()) options.updater = handle<Updater>(given.Get("updater"));
  const int64_t first = count(info[1], "first"), runs = count(info[2], "runs");
  const double milliseconds = number(info[3], "milliseconds");
  return Queue::of(info.Env()).run(Lane::training, [options, first, runs, milliseconds]() -> Queue::Make {
    return [done = profile(options, first, runs, milliseconds)](Napi::Env env) { return to_js(env, done); };
  });
}

}  // namespace

void export_profile(Napi::Env env, Napi::Object exports) {
  DH_EXPORT("programSteps", { return steps(info.Env(), handle<Program>(info[0])->plan()); });
  DH_EXPORT("programProfile", { return run_profile(info); });
  DH_EXPORT("limits", {
    return Queue::of(info.Env()).run(Lane::training, []() -> Queue::Make {
      const cpu::Limits limits = cpu::limits();
      const double cached = cpu::kCachedBytes * cpu::threads();
      return [limits, cached](Napi::Env env) {
        Napi::Object result = Napi::Object::New(env);
        result.Set("flops", limits.flops);
        result.Set("bytes", limits.bytes);
        result.Set("cachedBytes", limits.cached_bytes);
        result.Set("cache", cached);
        return result;
      };
    });
  });
}

}  // namespace downhill::addon
