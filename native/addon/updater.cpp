#include "optim/updater.h"

#include "addon/check.h"
#include "addon/exports.h"
#include "addon/handles.h"
#include "addon/queue.h"
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
  return result;
}

int group_of(const Napi::Value& value) { return static_cast<int>(std::min<int64_t>(count(value, "group"), INT32_MAX)); }

}  // namespace

void export_updater(Napi::Env env, Napi::Object exports) {
  DH_EXPORT("updaterNew", {
    const Rule rule = rule_of(text(info[0], "rule"));
    std::vector<UpdateSegment> segments;
    const Napi::Array given = list(info[1], "segments");
    for (uint32_t i = 0; i < given.Length(); ++i) segments.push_back(segment(given.Get(i)));
    std::vector<Hyper> groups;
    const Napi::Array hypers = list(info[2], "groups");
    for (uint32_t i = 0; i < hypers.Length(); ++i) groups.push_back(hyper(hypers.Get(i)));
    return make_handle<Updater>(info.Env(), std::make_shared<Updater>(rule, std::move(segments), std::move(groups),
                                                                      number(info[3], "globalClipNorm")));
  });
  DH_EXPORT("updaterSet", {
    handle<Updater>(info[0])->set(group_of(info[1]), text(info[2], "name"), number(info[3], "value"));
    return info.Env().Undefined();
  });
  DH_EXPORT("updaterGet", {
    return Napi::Number::New(info.Env(), handle<Updater>(info[0])->get(group_of(info[1]), text(info[2], "name")));
  });
  DH_EXPORT("updaterIterations",
            { return Napi::Number::New(info.Env(), static_cast<double>(handle<Updater>(info[0])->iterations())); });
  DH_EXPORT("updaterSetIterations", {
    handle<Updater>(info[0])->set_iterations(count(info[1], "iterations"));
    return info.Env().Undefined();
  });
  DH_EXPORT("updaterApply", {
    const auto updater = handle<Updater>(info[0]);
    return Queue::of(info.Env()).run(Lane::compute, [updater]() -> Queue::Make {
      LockSet locks;
      locks.own(updater->written());
      locks.share(updater->read());
      const Locked locked(locks);
      updater->apply();
      return [](Napi::Env env) { return env.Undefined(); };
    });
  });
}

}  // namespace downhill::addon
