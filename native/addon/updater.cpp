#include "optim/updater.h"

#include "addon/check.h"
#include "addon/exports.h"
#include "addon/handles.h"
#include "addon/queue.h"
#include "backend/device.h"
#include "training/locks.h"

namespace downhill::addon {

namespace {

Hyper hyper(const Napi::Value& value) {
  const Napi::Object given = object(value, "group");
  const Napi::Array names = given.GetPropertyNames();
  Hyper result;
  for (uint32_t i = 0; i < names.Length(); ++i) {
    const std::string name = text(names.Get(i), "name");
    const Napi::Value item = given.Get(name);
    set_hyper(result, name,
              item.IsBoolean() ? (item.As<Napi::Boolean>().Value() ? 1.0 : 0.0) : number(item, name.c_str()));
  }
  return result;
}

Storage optional_storage(const Napi::Value& value) { return value.IsNull() ? Storage{} : *handle<Storage>(value); }

UpdateSegment segment(const Napi::Value& value) {
  const Napi::Object given = object(value, "segment");
  UpdateSegment result;
  result.parameter = *handle<Storage>(given.Get("parameter"));
  result.gradient = *handle<Storage>(given.Get("gradient"));
  const Napi::Array slots = list(given.Get("slots"), "slots");
  for (uint32_t i = 0; i < slots.Length(); ++i) result.slots.push_back(*handle<Storage>(slots.Get(i)));
  const int64_t group = count(given.Get("group"), "group");
  if (group > INT32_MAX) throw Error(code::kOutOfRange, "There is no group " + std::to_string(group) + ".");
  result.group = static_cast<int>(group);
  result.accumulator = optional_storage(given.Get("accumulator"));
  result.average = optional_storage(given.Get("average"));
  result.columns = count(given.Get("columns"), "columns");
  return result;
}

UpdateOptions update_options(const Napi::Value& value) {
  const Napi::Object given = object(value, "options");
  UpdateOptions result;
  result.global_clip_norm = number(given.Get("globalClipNorm"), "globalClipNorm");
  result.accumulation_steps = count(given.Get("accumulationSteps"), "accumulationSteps");
  result.schedule_by_step = boolean(given.Get("scheduleByStep"), "scheduleByStep");
  result.average = !given.Get("emaMomentum").IsNull();
  if (result.average) result.ema_momentum = number(given.Get("emaMomentum"), "emaMomentum");
  result.ema_overwrite_frequency = count(given.Get("emaOverwriteFrequency"), "emaOverwriteFrequency");
  result.skip_non_finite = boolean(given.Get("skipNonFinite"), "skipNonFinite");
  result.loss_scale = number(given.Get("lossScaleFactor"), "lossScaleFactor");
  const Napi::Value dynamic = given.Get("dynamicLossScale");
  if (dynamic.IsNull()) return result;
  const Napi::Object scale = object(dynamic, "dynamicLossScale");
  result.dynamic.scale = *handle<Storage>(scale.Get("scale"));
  result.dynamic.finite_steps = *handle<Storage>(scale.Get("finiteSteps"));
  result.dynamic.growth_steps = count(scale.Get("growthSteps"), "growthSteps");
  return result;
}

int group_of(const Napi::Value& value) { return static_cast<int>(std::min<int64_t>(count(value, "group"), INT32_MAX)); }

/// Graphs with their state writes, and where they find the scalars of a step.
UpdateGraphs update_graphs(const Napi::Value& value) {
  UpdateGraphs result;
  if (value.IsNull()) return result;
  const Napi::Object given = object(value, "graphs");
  const Napi::Array programs = list(given.Get("programs"), "programs");
  for (uint32_t i = 0; i < programs.Length(); ++i) {
    const Napi::Object program = object(programs.Get(i), "program");
    PlanOptions options;
    options.writes = state_writes(program.Get("writes"));
    result.plans.push_back(make_plan(*handle<Graph>(program.Get("graph")), options));
  }
  const Napi::Array scalars = list(given.Get("scalars"), "scalars");
  for (uint32_t i = 0; i < scalars.Length(); ++i) {
    const Napi::Object item = object(scalars.Get(i), "scalars");
    UpdateScalars places;
    places.group = item.Get("group").IsNull() ? kHeadScalars : group_of(item.Get("group"));
    const Napi::Array at = list(item.Get("at"), "at");
    for (uint32_t j = 0; j < at.Length(); ++j) places.at.push_back(*handle<Storage>(at.Get(j)));
    result.scalars.push_back(std::move(places));
  }
  return result;
}

}  // namespace

void export_updater(Napi::Env env, Napi::Object exports) {
  DH_EXPORT("updaterNew", {
    std::vector<UpdateSegment> segments;
    const Napi::Array given = list(info[0], "segments");
    for (uint32_t i = 0; i < given.Length(); ++i) segments.push_back(segment(given.Get(i)));
    std::vector<Hyper> groups;
    UpdateOptions options = update_options(info[2]);
    const Napi::Array rows = list(info[1], "groups");
    for (uint32_t i = 0; i < rows.Length(); ++i) {
      const Napi::Object row = object(rows.Get(i), "group");
      options.rules.push_back(rule_of(text(row.Get("rule"), "rule")));
      groups.push_back(hyper(row.Get("hyper")));
    }
    options.graphs = update_graphs(info[3]);
    return make_handle<Updater>(
        info.Env(),  // options.rules has the rule of each group
        std::make_shared<Updater>(Rule::sgd, std::move(segments), std::move(groups), std::move(options)));
  });
  DH_EXPORT("ruleRests",
            { return Napi::Boolean::New(info.Env(), may_rest(rule_of(text(info[0], "rule")), hyper(info[1]))); });
  DH_EXPORT("updaterSet", {
    handle<Updater>(info[0])->set(group_of(info[1]), text(info[2], "name"), number(info[3], "value"));
    return info.Env().Undefined();
  });
  DH_EXPORT("updaterGet", {
    return Napi::Number::New(info.Env(), handle<Updater>(info[0])->get(group_of(info[1]), text(info[2], "name")));
  });
  DH_EXPORT("updaterIterations",
            { return Napi::Number::New(info.Env(), static_cast<double>(handle<Updater>(info[0])->iterations())); });
  DH_EXPORT("updaterSkipped",
            { return Napi::Number::New(info.Env(), static_cast<double>(handle<Updater>(info[0])->skipped())); });
  DH_EXPORT("updaterSetIterations", {
    handle<Updater>(info[0])->set_iterations(count(info[1], "iterations"), count(info[2], "skipped"));
    return info.Env().Undefined();
  });
  DH_EXPORT("updaterSchedule", {
    handle<Updater>(info[0])->set_schedule(group_of(info[1]), info[2].IsNull() ? nullptr : handle<Schedule>(info[2]));
    return info.Env().Undefined();
  });
  DH_EXPORT("scheduleNew", {
    const ArrayView given = array_view(info[1], "numbers");
    if (given.element != Element::float64) throw Error(code::kInternal, "numbers must be a Float64Array.");
    const auto* const begin = static_cast<const double*>(given.data);
    std::vector<double> numbers(begin, begin + given.length);
    std::vector<Schedule::Child> children;
    const Napi::Array nested = list(info[2], "children");
    for (uint32_t i = 0; i < nested.Length(); ++i) children.push_back(handle<Schedule>(nested.Get(i)));
    return make_handle<Schedule>(info.Env(),
                                 Schedule::make(text(info[0], "kind"), std::move(numbers), std::move(children)));
  });
  DH_EXPORT("scheduleValue",
            { return Napi::Number::New(info.Env(), handle<Schedule>(info[0])->at(number(info[1], "step"))); });
  DH_EXPORT("updaterApply", {
    const auto updater = handle<Updater>(info[0]);
    Device& device = devices::get(text(info[1], "device"));
    return Queue::of(info.Env()).run(Lane::compute, [updater, &device]() -> Queue::Make {
      LockSet locks;
      locks.own(updater->written());
      locks.share(updater->read());
      const Locked locked(locks);
      if (updater->device != &device) {
        updater->device_update = device.update(*updater);
        updater->device = &device;
      }
      if (updater->device_update)
        updater->device_update->apply();
      else
        updater->apply();
      return [](Napi::Env env) { return env.Undefined(); };
    });
  });
}

}  // namespace downhill::addon
