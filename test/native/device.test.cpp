// The library beside this program, its device, and memory there. Ends with a device that is lost.
#include "backend/device.h"

#include <algorithm>
#include <cstdlib>
#include <functional>
#include <string>
#include <thread>
#include <vector>

#include "backend/cuda/host/device.h"
#include "backend/cuda/host/library.h"
#include "backend/cuda/plugin/architectures.h"
#include "check.h"
#include "core/storage.h"

using namespace downhill;
using cuda::Allocator;
using cuda::CudaDevice;

namespace {

constexpr uint64_t kTotal = 1 << 20;

/// The code and message that body throws; "" when it throws nothing.
std::string thrown(const std::function<void()>& body) {
  try {
    body();
  } catch (const Error& error) {
    return std::string(error.code()) + ": " + error.what();
  }
  return "";
}

bool has(const std::string& text, const char* part) { return text.find(part) != std::string::npos; }

void check_names() {
  Device& simt = devices::get("simt");
  CHECK(simt.id() == "simt" && &simt == &devices::get("simt"));
  CHECK(&devices::get("cpu") == &devices::cpu() && devices::cpu().memory() == nullptr);
  for (const char* wrong : {"", "gpu", "simt:0", "cuda:", "cuda:x", "cuda:-1", "cuda:99999", "CUDA"})
    CHECK(has(thrown([&] { devices::get(wrong); }), "UNKNOWN_NAME"), "%s", wrong);
  const std::vector<DeviceDescription> list = devices::list();
  CHECK(list.front().id == "cpu" && list.back().id == "simt" && list.back().available);
  CHECK(list.back().compute_capability == "8.0" && list.back().memory_bytes == kTotal);
  CHECK(list.back().free_bytes > 0 && list.back().free_bytes <= kTotal);
  for (const DeviceDescription& device : list)
    CHECK(device.available == device.reason.empty(), "%s", device.id.c_str());
}

/// Which GPUs a library runs on, by what it was compiled for.
void check_architectures() {
  const char* const released = "75-real 80-real 86-real 89-real 90a-real 100-real 120";
  for (int device : {75, 80, 86, 87, 89, 90, 100, 103, 120, 121, 130})
    CHECK(cuda::has_code_for(released, device / 10, device % 10), "%d", device);
  for (int device : {60, 70, 72, 110}) CHECK(!cuda::has_code_for(released, device / 10, device % 10), "%d", device);
  struct {
    const char* compiled_for;
    int major, minor;
    bool runs;
  } const cases[] = {
      {"80", 8, 0, true},          {"80", 9, 0, true},          {"80", 7, 5, false},
      {"80-real", 9, 0, false},    {"86-real", 8, 0, false},    {"86-real", 8, 9, true},
      {"90a", 9, 0, true},         {"90a", 10, 0, false},       {"90-virtual", 9, 0, true},
      {"90-virtual", 12, 0, true}, {"90-virtual", 8, 9, false}, {"90a-virtual", 10, 0, false},
      {"100-real", 10, 3, true},   {"100f-real", 10, 0, true},  {"", 8, 0, false},
  };
  for (const auto& one : cases)
    CHECK(cuda::has_code_for(one.compiled_for, one.major, one.minor) == one.runs, "%s on %d.%d", one.compiled_for,
          one.major, one.minor);
}

void check_table() {
  const DhCudaApi& api = cuda::library("simt");
  CHECK(std::string(api.kind) == "simt" && &api == &cuda::library("simt"));
  DhError error{};
  DhContext* context = nullptr;
  CHECK(api.open(7, &context, &error) != 0 && std::string(error.code) == "DEVICE_UNAVAILABLE");
}

void check_block_sizes() {
  CHECK(Allocator::block_size(0) == 256 && Allocator::block_size(256) == 256 && Allocator::block_size(257) == 512);
  for (uint64_t bytes = 1; bytes < (uint64_t{1} << 40); bytes += bytes / 3 + 1) {
    const uint64_t size = Allocator::block_size(bytes);
    CHECK(size >= bytes && size % 256 == 0, "%llu", static_cast<unsigned long long>(bytes));
    CHECK(size <= bytes + std::max<uint64_t>(bytes / 8, 256), "%llu", static_cast<unsigned long long>(bytes));
    CHECK(Allocator::block_size(size) == size);
  }
}

void check_memory(Allocator& memory) {
  std::vector<std::byte> host(1000, std::byte{7}), back(1000);
  std::byte* const a = memory.allocate(1000);
  std::byte* const b = memory.allocate(1000);
  memory.upload(a, host.data(), 1000);
  memory.copy(b, a, 1000);
  memory.download(back.data(), b, 1000);
  CHECK(back == host);
  memory.clear(b, 999);
  memory.download(back.data(), b, 1000);
  CHECK(back[0] == std::byte{0} && back[998] == std::byte{0} && back[999] == std::byte{7});
  const Allocator::Usage used = memory.usage();
  CHECK(used.bytes >= 2000 && used.peak_bytes == used.bytes && used.kept_bytes == 0 && used.requests == 2);
  memory.release(b, 1000);
  CHECK(memory.usage().kept_bytes == used.bytes / 2 && memory.usage().bytes == used.bytes / 2);
  CHECK(memory.allocate(1000) == b);  // the same block
  memory.release(a, 1000);
  memory.release(b, 1000);
  memory.trim();
  CHECK(memory.usage().bytes == 0 && memory.usage().kept_bytes == 0 && memory.usage().peak_bytes == used.bytes);
}

void check_full(Allocator& memory) {
  // Kept blocks of other sizes are freed before a request fails.
  std::byte* const half = memory.allocate(kTotal / 2);
  memory.release(half, kTotal / 2);
  std::byte* const most = memory.allocate(kTotal / 4 * 3);
  CHECK(memory.usage().kept_bytes == 0);
  const std::string full = thrown([&] { memory.allocate(kTotal / 2); });
  CHECK(has(full, "OUT_OF_MEMORY") && has(full, "524288 bytes") && has(full, "of 1048576 are free"), "%s",
        full.c_str());
  memory.release(most, kTotal / 4 * 3);
  memory.release(memory.allocate(kTotal / 2), kTotal / 2);

  memory.set_limit(100'000);
  CHECK(memory.usage().kept_bytes == 0);  // as much as the limit lets
  std::byte* const under = memory.allocate(60'000);
  const std::string limited = thrown([&] { memory.allocate(60'000); });
  CHECK(has(limited, "OUT_OF_MEMORY") && has(limited, "limit of 100000 bytes"), "%s", limited.c_str());
  memory.release(under, 60'000);
  memory.set_limit(0);
  memory.release(memory.allocate(200'000), 200'000);
}

void check_buffers(Device& device) {
  Buffer buffer(64, device.memory());
  CHECK(buffer.home() == device.memory());
  float* const values = reinterpret_cast<float*>(buffer.data());
  CHECK(values[15] == 0);  // zeros, though the device's memory is not
  values[15] = 3;
  const std::byte* const there = buffer.read(device.memory());
  float back = 0;
  device.memory()->download(reinterpret_cast<std::byte*>(&back), there + 60, 4);
  CHECK(back == 3);
}

void check_threads(Allocator& memory) {
  std::vector<std::thread> threads;
  for (int t = 0; t < 4; ++t)
    threads.emplace_back([&memory, t] {
      for (int i = 0; i < 200; ++i) {
        const size_t bytes = 64 + static_cast<size_t>(i % 7) * 300;
        std::byte* const block = memory.allocate(bytes);
        std::vector<std::byte> host(bytes, std::byte(t)), back(bytes);
        memory.upload(block, host.data(), bytes);
        memory.download(back.data(), block, bytes);
        CHECK(back == host, "thread %d", t);
        memory.release(block, bytes);
      }
    });
  for (std::thread& thread : threads) thread.join();
  CHECK(memory.usage().bytes == 0);
}

void check_guard([[maybe_unused]] CudaDevice& device) {
#if !defined(__SANITIZE_ADDRESS__)  // which ends the process there
  std::byte* const block = device.memory()->allocate(300);
  const std::vector<std::byte> host(301);
  const std::string found = thrown([&] { device.memory()->upload(block, host.data(), 301); });
  CHECK(has(found, "INTERNAL") && has(found, "behind an allocation of 300 bytes"), "%s", found.c_str());
  device.memory()->release(block, 300);
#endif
}

void check_commands(CudaDevice& device) {
  cuda::CudaStream stream(device);
  DhCommand unknown{};
  unknown.kind = 9999;
  CHECK(has(thrown([&] { stream.run({unknown}); }), "INTERNAL: There is no command 9999"));
  DhCommand wrong = cuda::command(cuda::LogArgs{});
  wrong.bytes = 1;
  CHECK(has(thrown([&] { stream.run({wrong}); }), "Command log has 1 bytes"));
  cuda::CudaGraph empty(device, {});
  stream.launch(empty.get(), 3);
  stream.synchronize();
}

void check_lost(CudaDevice& device) {
  CHECK(device.lost().empty());
  std::byte* const block = device.memory()->allocate(64);
  cuda::CudaStream stream(device);
  // DOWNHILL_SIMT_FAIL: the first command that there is, which fails before it does anything.
  const DhCommand advance = cuda::command(cuda::AdvanceArgs{0, nullptr});
  const std::string lost = thrown([&] { stream.run({advance}); });
  CHECK(has(lost, "DEVICE_LOST"), "%s", lost.c_str());
  CHECK(has(device.lost(), "lost"));
  CHECK(has(thrown([&] { device.memory()->allocate(1 << 16); }), "DEVICE_LOST"));
  CHECK(has(thrown([&] { stream.synchronize(); }), "DEVICE_LOST"));
  device.memory()->release(block, 64);
  const DeviceDescription last = devices::list().back();
  CHECK(!last.available && has(last.reason, "lost"), "%s", last.reason.c_str());
}

}  // namespace

int main() {
  setenv("DOWNHILL_SIMT_MEMORY", std::to_string(kTotal).c_str(), 1);
  setenv("DOWNHILL_SIMT_FAIL", "1:DEVICE_LOST", 1);
  check_block_sizes();
  check_architectures();
  check_names();
  check_table();
  auto& device = dynamic_cast<CudaDevice&>(devices::get("simt"));
  check_memory(*device.memory());
  check_full(*device.memory());
  check_buffers(device);
  check_threads(*device.memory());
  check_guard(device);
  check_commands(device);
  check_lost(device);
  return test::report("device");
}
