// The emulator's runtime. A stream is only a name: work is done when it is put there.
//
// Variables of the environment, for tests, read before the device is used:
//   DOWNHILL_SIMT_MEMORY    bytes of the device; 4 GiB by default
//   DOWNHILL_SIMT_COMPUTE   compute capability, such as 7.5; 8.0 by default
//   DOWNHILL_SIMT_FAIL      3:DEVICE_LOST: the third command from now on fails so. A device that is lost stays so.
//                           Read again whenever the devices are listed.
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <map>
#include <mutex>
#include <new>
#include <string>

#include "backend/cuda/plugin/failure.h"
#include "backend/cuda/plugin/runtime.h"
#include "backend/cuda/simt/memory.h"
#include "core/error.h"

namespace downhill::cuda::runtime {

const char* const kKind = "simt";

struct Graph {
  std::function<void(Stream)> work;
};

namespace {

struct State {
  std::mutex mutex;                // of all
  std::map<void*, size_t> blocks;  // bytes of those in use
  uint64_t used = 0, total = uint64_t{4} << 30;
  int major = 8, minor = 0;
  long long fail_after = 0;  // commands; 0: not at all
  std::string fail_code;
  bool lost = false;
};

State& state() {
  static State* const all = new State;
  return *all;
}

const char* environment(const char* name) {
  const char* const value = std::getenv(name);
  return value && *value ? value : nullptr;
}

/// With the mutex held.
void read_environment(State& all) {
  if (const char* const bytes = environment("DOWNHILL_SIMT_MEMORY")) all.total = std::strtoull(bytes, nullptr, 10);
  if (const char* const version = environment("DOWNHILL_SIMT_COMPUTE"))
    std::sscanf(version, "%d.%d", &all.major, &all.minor);
}

void read_failure(State& all) {
  if (const char* const text = environment("DOWNHILL_SIMT_FAIL")) {
    char* rest = nullptr;
    all.fail_after = std::strtoll(text, &rest, 10);
    all.fail_code = *rest == ':' ? rest + 1 : code::kDeviceLost;
  }
}

[[noreturn]] void fail_lost() {
  throw Failure(code::kDeviceLost, "The emulated device is lost, as DOWNHILL_SIMT_FAIL asked for.");
}

void check_there(const State& all) {
  if (all.lost) fail_lost();
}

/// The literal of a code: Failure keeps a pointer.
const char* known_code(const std::string& name) {
  for (const char* known : {code::kOutOfMemory, code::kDeviceLost, code::kDeviceUnavailable, code::kUnsupported})
    if (name == known) return known;
  return code::kInternal;
}

}  // namespace

int device_count() { return 1; }

void describe(int device, DhDeviceInfo& info) {
  use(device);
  State& all = state();
  const std::lock_guard<std::mutex> lock(all.mutex);
  if (all.blocks.empty()) read_environment(all);  // not while it is in use
  read_failure(all);
  std::snprintf(info.name, sizeof info.name, "SIMT emulator on the CPU");
  info.memory_bytes = all.total;
  info.compute_major = all.major;
  info.compute_minor = all.minor;
  info.multiprocessors = 4;
  info.usable = 1;
}

void open(int device) { use(device); }

void use(int device) {
  if (device != 0) throw Failure(code::kDeviceUnavailable, "There is one emulated device.");
}

void memory(uint64_t& free_bytes, uint64_t& total_bytes) {
  State& all = state();
  const std::lock_guard<std::mutex> lock(all.mutex);
  check_there(all);
  total_bytes = all.total;
  free_bytes = all.total - all.used;
}

void* allocate(size_t bytes) {
  State& all = state();
  const std::lock_guard<std::mutex> lock(all.mutex);
  check_there(all);
  const uint64_t free_bytes = all.total - all.used;
  if (bytes > free_bytes)
    throw Failure(code::kOutOfMemory, "Cannot allocate " + std::to_string(bytes) + " bytes on the device: " +
                                          std::to_string(free_bytes) + " of " + std::to_string(all.total) +
                                          " are free. Use smaller batches or a smaller model, or dispose of tensors.");
  void* const memory = simt::allocate(bytes);
  try {
    all.blocks.emplace(memory, bytes);
  } catch (...) {
    simt::release(memory);
    throw;
  }
  all.used += bytes;
  return memory;
}

void release(void* memory) noexcept {
  State& all = state();
  const std::lock_guard<std::mutex> lock(all.mutex);
  const auto found = all.blocks.find(memory);
  if (found == all.blocks.end()) return;
  all.used -= found->second;
  all.blocks.erase(found);
  simt::release(memory);
}

void* allocate_host(size_t bytes) { return ::operator new(bytes); }
void release_host(void* memory) noexcept { ::operator delete(memory); }

Stream stream_create() {
  State& all = state();
  const std::lock_guard<std::mutex> lock(all.mutex);
  check_there(all);
  return nullptr;
}

void stream_destroy(Stream) noexcept {}

void copy(Stream, void* to, const void* from, size_t bytes, Direction) {
  {
    State& all = state();
    const std::lock_guard<std::mutex> lock(all.mutex);
    check_there(all);
  }
  std::memmove(to, from, bytes);
}

void fill(Stream, void* to, int byte, size_t bytes) { std::memset(to, byte, bytes); }

void synchronize(Stream) {
  State& all = state();
  const std::lock_guard<std::mutex> lock(all.mutex);
  check_there(all);
  // Kernels are checked when they end; what is left are copies.
  const std::string damage = simt::damaged_guards();
  if (!damage.empty()) throw Failure(code::kInternal, "A copy went wrong: " + damage + ".");
}

void launching(const char* command) {
  State& all = state();
  const std::lock_guard<std::mutex> lock(all.mutex);
  check_there(all);
  if (all.fail_after == 0 || --all.fail_after > 0) return;
  if (all.fail_code == code::kDeviceLost) {
    all.lost = true;
    fail_lost();
  }
  throw Failure(known_code(all.fail_code),
                std::string("Command ") + command + " fails, as DOWNHILL_SIMT_FAIL asked for.");
}

const char* code_of_launch(const LaunchError&) noexcept { return code::kInternal; }

Graph* capture(const std::function<void(Stream)>& work) { return new Graph{work}; }
void replay(Graph* graph, Stream stream) { graph->work(stream); }
void destroy(Graph* graph) noexcept { delete graph; }

}  // namespace downhill::cuda::runtime
