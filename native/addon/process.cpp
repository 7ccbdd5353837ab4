#include <fstream>
#include <string>

#include "addon/check.h"
#include "addon/exports.h"
#include "backend/backend.h"
#include "backend/cpu/pool.h"
#include "core/storage.h"
#include "ops/op.h"
#include "optim/rule.h"

namespace downhill::addon {

namespace {

std::string cpu_name() {
  std::ifstream file("/proc/cpuinfo");
  for (std::string line; std::getline(file, line);)
    if (line.rfind("model name", 0) == 0 && line.find(": ") != std::string::npos)
      return line.substr(line.find(": ") + 2);
  return "CPU";
}

const char* name_of(OpKind kind) {
  switch (kind) {
    case OpKind::unary:
      return "unary";
    case OpKind::binary:
      return "binary";
    case OpKind::ternary:
      return "ternary";
    case OpKind::composite:
      return "composite";
    default:
      return "other";
  }
}

}  // namespace

void export_process(Napi::Env env, Napi::Object exports) {
  DH_EXPORT("threads", { return Napi::Number::New(info.Env(), cpu::threads()); });
  DH_EXPORT("setThreads", {
    const int64_t threads = integer(info[0], "threads");
    if (threads < 1 || threads > 1024)
      throw Error(code::kOutOfRange,
                  "The number of threads must be from 1 to 1024; received " + std::to_string(threads) + ".");
    cpu::set_threads(static_cast<int>(threads));
    return info.Env().Undefined();
  });
  DH_EXPORT("isa", { return Napi::String::New(info.Env(), cpu::isa()); });
  DH_EXPORT("isas", {
    Napi::Array names = Napi::Array::New(info.Env());
    for (const std::string& name : cpu::available_isas()) names.Set(names.Length(), name);
    return names;
  });
  DH_EXPORT("selectIsa", {
    cpu::select_isa(text(info[0], "instruction set"));
    return info.Env().Undefined();
  });
  DH_EXPORT("cpuName", { return Napi::String::New(info.Env(), cpu_name()); });
  DH_EXPORT("memory", {
    Napi::Object result = Napi::Object::New(info.Env());
    result.Set("bytes", static_cast<double>(Buffer::total_bytes()));
    result.Set("allocations", static_cast<double>(Buffer::total_allocations()));
    return result;
  });
  DH_EXPORT("ops", {
    Napi::Array rows = Napi::Array::New(info.Env());
    for (int i = 0; i < kOpCount; ++i) {
      const OpRow& row = row_of(static_cast<Op>(i));
      Napi::Object item = Napi::Object::New(info.Env());
      item.Set("name", row.name);
      item.Set("kind", name_of(row.kind));
      item.Set("arity", row.arity);
      item.Set("attributes", row.attributes);
      item.Set("gradient", row.gradient);
      rows.Set(i, item);
    }
    return rows;
  });
  DH_EXPORT("rules", {
    Napi::Array rows = Napi::Array::New(info.Env());
    for (int i = 0; i < kRuleCount; ++i) {
      Napi::Object item = Napi::Object::New(info.Env());
      item.Set("name", downhill::name_of(static_cast<Rule>(i)));
      item.Set("slots", slots_of(static_cast<Rule>(i)));
      item.Set("scalars", scalars_of(static_cast<Rule>(i)));
      rows.Set(i, item);
    }
    return rows;
  });
}

}  // namespace downhill::addon
