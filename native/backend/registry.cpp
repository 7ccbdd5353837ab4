// The devices of this process by name, each made when it is first asked for.
#include <cstdlib>
#include <map>
#include <mutex>

#include "backend/cuda/host/device.h"
#include "backend/cuda/host/library.h"

namespace downhill {

namespace {

/// Devices in use by their ids; they are never destroyed, since work of other threads may be left when a process ends.
struct Opened {
  std::mutex mutex;
  std::map<std::string, std::unique_ptr<cuda::CudaDevice>> devices;
};

Opened& opened() {
  static Opened* const devices = new Opened;
  return *devices;
}

struct Name {
  std::string kind;  // "cuda", "simt"
  int number = 0;
  std::string id() const { return kind == "simt" ? kind : kind + ":" + std::to_string(number); }
};

/// "cuda", "cuda:1", "simt"; false for anything else.
bool parse(const std::string& text, Name& name) {
  const size_t colon = text.find(':');
  name.kind = text.substr(0, colon);
  if (name.kind == "simt") return colon == std::string::npos;
  if (name.kind != "cuda") return false;
  if (colon == std::string::npos) return true;
  const std::string digits = text.substr(colon + 1);
  if (digits.empty() || digits.size() > 4 || digits.find_first_not_of("0123456789") != std::string::npos) return false;
  name.number = std::atoi(digits.c_str());
  return true;
}

int count_of(const DhCudaApi& api) {
  int count = 0;
  cuda::call(api.device_count, &count);
  return count;
}

std::string version_text(int cuda_version) {
  return std::to_string(cuda_version / 1000) + "." + std::to_string(cuda_version % 1000 / 10);
}

constexpr const char* kNone =
    "there is no NVIDIA GPU that this process may use (the driver lists none; CUDA_VISIBLE_DEVICES may hide them, and "
    "a "
    "container needs to be given one). Use the CPU.";

DeviceDescription description(const DhCudaApi& api, const Name& name) {
  DeviceDescription result;
  result.id = name.id();
  DhDeviceInfo info{};
  cuda::call(api.device_info, name.number, &info);
  result.available = info.usable;
  result.reason = info.usable ? "" : info.reason;
  result.name = info.name;
  if (info.driver_version) result.driver = version_text(info.driver_version);
  result.compute_capability = std::to_string(info.compute_major) + "." + std::to_string(info.compute_minor);
  result.memory_bytes = info.memory_bytes;
  const std::lock_guard<std::mutex> lock(opened().mutex);
  if (const auto found = opened().devices.find(result.id); found != opened().devices.end()) {
    const std::string lost = found->second->lost();
    if (!lost.empty()) {
      result.available = false;
      result.reason = lost;
    } else {
      uint64_t total = 0;
      cuda::call(api.memory, found->second->context(), &result.free_bytes, &total);
    }
  }
  return result;
}

void list_kind(const std::string& kind, std::vector<DeviceDescription>& list) {
  DeviceDescription missing;
  missing.id = kind;
  try {
    const DhCudaApi& api = cuda::library(kind);
    const int count = count_of(api);
    for (int number = 0; number < count; ++number) {
      missing.id = Name{kind, number}.id();
      list.push_back(description(api, {kind, number}));
    }
    if (count > 0) return;
    missing.reason = kNone;
  } catch (const Error& error) {
    missing.reason = error.what();
  }
  list.push_back(missing);
}

}  // namespace

Device& devices::get(const std::string& id) {
  if (id == "cpu") return cpu();
  Name name;
  if (!parse(id, name))
    throw Error(code::kUnknownName,
                "Unknown device \"" + id + "\"; expected \"cpu\", \"cuda\", \"cuda:1\" and so on, or \"simt\".");
  const std::lock_guard<std::mutex> lock(opened().mutex);
  std::unique_ptr<cuda::CudaDevice>& device = opened().devices[name.id()];
  if (device) return *device;
  try {
    const DhCudaApi& api = cuda::library(name.kind);
    const int count = count_of(api);
    if (count == 0) throw Error(code::kDeviceUnavailable, kNone);
    if (name.number >= count)
      throw Error(code::kDeviceUnavailable,
                  "there " + (count == 1 ? std::string("is 1 device") : "are " + std::to_string(count) + " devices") +
                      ", the last one being \"" + Name{name.kind, count - 1}.id() + "\".");
    device = std::make_unique<cuda::CudaDevice>(api, name.number, name.id());
  } catch (...) {
    opened().devices.erase(name.id());
    throw;
  }
  return *device;
}

std::vector<DeviceDescription> devices::list() {
  std::vector<DeviceDescription> result(1);
  result[0].id = "cpu";
  result[0].available = true;
  list_kind("cuda", result);
  list_kind("simt", result);
  return result;
}

}  // namespace downhill
