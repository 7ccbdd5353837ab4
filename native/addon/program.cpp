#include "addon/check.h"
#include "addon/exports.h"
#include "addon/handles.h"
#include "addon/queue.h"
#include "backend/device.h"
#include "plan/plan.h"
#include "training/brief.h"
#include "training/limited.h"
#include "training/run_once.h"
#include "training/snapshot.h"

namespace downhill::addon {

namespace {

/// One run of a program: everything it needs, kept alive until it is over.
struct Run {
  std::shared_ptr<Program> program;
  std::shared_ptr<Workspace> workspace;
  std::vector<Storage> inputs, outputs;  // outputs with a target: empty
  uint64_t step = 0;

  void now() { run_once(*program, *workspace, inputs, outputs, step); }

  bool can_run_at_once() const {
    if (!is_brief(program->work(), program->device())) return false;
    for (const Storage& input : inputs)
      if ((input.pending && !input.pending->done()) || is_training(*input.buffer)) return false;
    for (const auto& variable : program->plan().variables)
      if (is_training(*variable->buffer)) return false;
    // Free now; another thread may still take them, which costs a short wait.
    const std::unique_lock<TurnMutex> idle_program(program->in_use, std::try_to_lock),
        idle_workspace(workspace->in_use, std::try_to_lock);
    return idle_program && idle_workspace;
  }
};

void check_inputs(const Plan& plan, const Run& run) {
  if (run.inputs.size() != plan.inputs.size())
    throw Error(code::kInvalidArgument, "The program takes " + std::to_string(plan.inputs.size()) +
                                            " inputs, received " + std::to_string(run.inputs.size()) + ".");
  for (size_t i = 0; i < run.inputs.size(); ++i)
    if (plan.inputs[i] >= 0 && run.inputs[i].bytes != plan.values[plan.inputs[i]].bytes())
      throw Error(code::kShapeMismatch, "Input " + std::to_string(i) + " has " + std::to_string(run.inputs[i].bytes) +
                                            " bytes, expected " + std::to_string(plan.values[plan.inputs[i]].bytes()) +
                                            ".");
}

Precision precision(const Napi::Value& value) {
  const std::string name = text(value, "precision");
  if (name == "float32") return Precision::float32;
  if (name == "tf32") return Precision::tf32;
  if (name == "bfloat16") return Precision::bfloat16;
  throw Error(code::kUnknownName, "precision must be 'float32', 'tf32' or 'bfloat16'; received \"" + name + "\".");
}

Napi::Value compile(const Napi::CallbackInfo& info) {
  const auto graph = handle<Graph>(info[0]);
  PlanOptions options;
  for (int64_t id : integers(info[1], "outputs")) options.outputs.push_back(static_cast<NodeId>(id));
  const Napi::Array targets = list(info[2], "targets");
  for (uint32_t i = 0; i < targets.Length(); ++i) {
    const Napi::Value target = targets.Get(i);
    options.targets.push_back(target.IsNull() ? nullptr : handle<Storage>(target));
  }
  options.writes = state_writes(info[3]);
  Device& device = devices::get(text(info[4], "device"));
  const bool limited = !info[6].IsUndefined() && !info[6].IsNull();
  std::shared_ptr<Program> program =
      limited ? compile_within(device, *graph, options, precision(info[5]),
                               static_cast<size_t>(count(object(info[6], "limit").Get("bytes"), "memoryLimit")),
                               static_cast<size_t>(count(object(info[6], "limit").Get("other"), "other")))
              : device.compile(make_plan(*graph, options), precision(info[5]));
  return make_handle<Program>(info.Env(), std::move(program));
}

Napi::Value run_program(const Napi::CallbackInfo& info) {
  Run run;
  run.program = handle<Program>(info[0]);
  run.workspace = handle<Workspace>(info[1]);
  const Napi::Array inputs = list(info[2], "inputs");
  const uint32_t given = inputs.Length();
  run.inputs.reserve(given);
  for (uint32_t i = 0; i < given; ++i) run.inputs.push_back(*handle<Storage>(inputs.Get(i)));
  run.step = static_cast<uint64_t>(count(info[3], "step"));
  const Plan& plan = run.program->plan();
  check_inputs(plan, run);
  run.outputs.reserve(plan.outputs.size());
  for (int value : plan.outputs) {
    if (plan.values[value].place != Place::output) {
      run.outputs.emplace_back();
      continue;
    }
    Storage output;
    output.bytes = plan.values[value].bytes();
    output.buffer = Buffer::later(output.bytes, run.program->device().memory());
    run.outputs.push_back(std::move(output));
  }

  const Napi::Env env = info.Env();
  Napi::Value done = env.Null();
  std::vector<Storage> outputs;
  if (run.can_run_at_once()) {
    run.now();
    outputs = std::move(run.outputs);
  } else {
    const auto pending = std::make_shared<Pending>();
    for (Storage& output : run.outputs) output.pending = pending;
    outputs = run.outputs;
    const auto queued = std::make_shared<Run>(std::move(run));
    done = Queue::of(env).run(Lane::compute, [queued, pending]() -> Queue::Make {
      try {
        queued->now();
        pending->finish();
      } catch (const Error& error) {
        pending->fail(error.code(), error.what());
        throw;
      } catch (const std::exception& error) {
        pending->fail(code::kInternal, error.what());
        throw;
      }
      return [](Napi::Env env) { return env.Undefined(); };
    });
  }
  Napi::Array result = Napi::Array::New(env);
  uint32_t length = 0;
  result.Set(length++, done);
  for (Storage& output : outputs)
    if (output.buffer) result.Set(length++, storage_handle(env, std::make_shared<Storage>(std::move(output))));
  return result;
}

}  // namespace

void export_program(Napi::Env env, Napi::Object exports) {
  DH_EXPORT("workspaceNew", { return make_handle<Workspace>(info.Env(), std::make_shared<Workspace>()); });
  DH_EXPORT("compile", { return compile(info); });
  DH_EXPORT("programDescribe", { return Napi::String::New(info.Env(), describe(*handle<Program>(info[0]))); });
  DH_EXPORT("programStats", {
    const auto program = handle<Program>(info[0]);
    const Plan& plan = program->plan();
    const Work& work = program->work();
    Napi::Object stats = Napi::Object::New(info.Env());
    stats.Set("steps", static_cast<double>(plan.steps.size()));
    stats.Set("arenaBytes", static_cast<double>(plan.arena_bytes));
    stats.Set("workspaceBytes", static_cast<double>(program->workspace_bytes()));
    stats.Set("batchBytes", static_cast<double>(batch_bytes(*program)));
    stats.Set("again", static_cast<double>(recomputed_steps(plan)));
    stats.Set("flops", work.flops);
    stats.Set("bytes", work.bytes);
    return stats;
  });
  DH_EXPORT("products", {
    return Napi::String::New(info.Env(), name_of(devices::get(text(info[0], "device")).products(precision(info[1]))));
  });
  DH_EXPORT("programRun", { return run_program(info); });
}

}  // namespace downhill::addon
