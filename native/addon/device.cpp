#include "backend/device.h"

#include "addon/check.h"
#include "addon/exports.h"
#include "backend/cuda/host/device.h"

namespace downhill::addon {

namespace {

Napi::Value to_js(Napi::Env env, const DeviceDescription& device) {
  Napi::Object result = Napi::Object::New(env);
  result.Set("id", device.id);
  result.Set("available", device.available);
  const auto set = [&](const char* name, const std::string& value) {
    if (!value.empty()) result.Set(name, value);
  };
  set("reason", device.reason);
  set("name", device.name);
  set("driver", device.driver);
  set("computeCapability", device.compute_capability);
  if (device.memory_bytes) result.Set("memory", static_cast<double>(device.memory_bytes));
  if (device.free_bytes) result.Set("freeMemory", static_cast<double>(device.free_bytes));
  return result;
}

/// The allocator of a device that has memory of its own; null for the CPU.
cuda::Allocator* allocator_of(const std::string& id) {
  return dynamic_cast<cuda::Allocator*>(devices::get(id).memory());
}

}  // namespace

void export_device(Napi::Env env, Napi::Object exports) {
  DH_EXPORT("devices", {
    Napi::Array result = Napi::Array::New(info.Env());
    for (const DeviceDescription& device : devices::list()) result.Set(result.Length(), to_js(info.Env(), device));
    return result;
  });
  DH_EXPORT("deviceOpen", { return Napi::String::New(info.Env(), devices::get(text(info[0], "device")).id()); });
  DH_EXPORT("deviceMemory", {
    const cuda::Allocator* const allocator = allocator_of(text(info[0], "device"));
    if (!allocator) return info.Env().Null();
    const cuda::Allocator::Usage usage = allocator->usage();
    Napi::Object result = Napi::Object::New(info.Env());
    result.Set("bytes", static_cast<double>(usage.bytes));
    result.Set("peakBytes", static_cast<double>(usage.peak_bytes));
    result.Set("keptBytes", static_cast<double>(usage.kept_bytes));
    result.Set("limit", static_cast<double>(usage.limit));
    result.Set("requests", static_cast<double>(usage.requests));
    return result;
  });
  DH_EXPORT("setDeviceMemoryLimit", {
    const std::string id = text(info[0], "device");
    const int64_t bytes = count(info[1], "bytes");
    cuda::Allocator* const allocator = allocator_of(id);
    if (!allocator) throw Error(code::kUnsupported, "The memory of \"" + id + "\" has no limit of its own.");
    allocator->set_limit(static_cast<uint64_t>(bytes));
    return info.Env().Undefined();
  });
}

}  // namespace downhill::addon
