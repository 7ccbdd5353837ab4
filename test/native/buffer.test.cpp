// Buffers whose contents move between the host and devices: what is read is what was written last, wherever that was;
// copies are given back; readers may ask at once.
#include <cstdint>
#include <cstdlib>
#include <cstring>
#include <memory>
#include <random>
#include <thread>
#include <vector>

#include "check.h"
#include "core/error.h"
#include "core/host_blocks.h"
#include "core/pages.h"
#include "core/storage.h"

using namespace downhill;

namespace {

/// Memory as a device has it, that counts what is done.
class FakeMemory final : public DeviceMemory {
 public:
  explicit FakeMemory(const char* name) : name_(name) {}
  const char* device() const override { return name_; }
  std::byte* allocate(size_t bytes) override {
    if (full) throw Error(code::kOutOfMemory, "full");
    ++blocks;
    auto* memory = static_cast<std::byte*>(std::malloc(bytes + 1));
    std::memset(memory, 0x5a, bytes + 1);
    return memory;
  }
  void release(std::byte* memory, size_t) noexcept override {
    --blocks;
    std::free(memory);
  }
  void clear(std::byte* to, size_t bytes) override { std::memset(to, 0, bytes); }
  void upload(std::byte* to, const std::byte* from, size_t bytes) override {
    ++uploads;
    std::memcpy(to, from, bytes);
  }
  void download(std::byte* to, const std::byte* from, size_t bytes) override {
    ++downloads;
    std::memcpy(to, from, bytes);
  }
  void copy(std::byte* to, const std::byte* from, size_t bytes) override { std::memmove(to, from, bytes); }

  std::atomic<int> blocks{0}, uploads{0}, downloads{0};
  bool full = false;

 private:
  const char* name_;
};

constexpr size_t kBytes = 100;

bool holds(const std::byte* memory, int value) {
  for (size_t i = 0; i < kBytes; ++i)
    if (memory[i] != static_cast<std::byte>(value)) return false;
  return true;
}

void random_moves() {
  FakeMemory a("a"), b("b");
  DeviceMemory* const places[] = {nullptr, &a, &b};
  std::mt19937 random(7);
  for (int round = 0; round < 200; ++round) {
    Buffer buffer(kBytes, places[random() % 3]);
    int value = 0;  // zeros at first
    for (int i = 0; i < 30; ++i) {
      DeviceMemory* const where = places[random() % 3];
      switch (random() % 4) {
        case 0:
          value = static_cast<int>(random() % 256);
          std::memset(buffer.write(where), value, kBytes);
          CHECK(buffer.home() == where && buffer.is_in(where));
          break;
        case 1:
          value = static_cast<int>(random() % 256);
          std::memset(buffer.overwrite(where), value, kBytes);
          CHECK(buffer.home() == where);
          break;
        case 2: {
          Buffer copy(kBytes, places[random() % 3]);
          copy_contents(buffer, copy);
          CHECK(holds(copy.read(where), value));
          break;
        }
        default:
          CHECK(holds(buffer.read(where), value) && buffer.is_in(where));
      }
    }
    Storage storage{std::shared_ptr<Buffer>(&buffer, [](Buffer*) {}), 10, 50, nullptr};
    std::byte part[50];
    read_contents(storage, part);
    CHECK(part[0] == static_cast<std::byte>(value) && part[49] == static_cast<std::byte>(value));
  }
  CHECK(a.blocks == 0 && b.blocks == 0, "all memory is given back");
}

void no_needless_copies() {
  FakeMemory device("device");
  Buffer buffer(kBytes, &device);
  buffer.write(&device);
  buffer.read(&device);
  CHECK(device.uploads == 0 && device.downloads == 0, "zeros are made where they are used");
  buffer.read(nullptr);
  buffer.read(nullptr);
  buffer.read(&device);
  CHECK(device.downloads == 1 && device.uploads == 0, "reading leaves copies");
  const std::byte* const before = buffer.read(&device);
  CHECK(buffer.overwrite(&device) == before, "the block stays where it is");
  buffer.overwrite(nullptr);
  CHECK(device.downloads == 1 && device.blocks == 0);
}

void host_memory_is_counted() {
  FakeMemory device("device");
  const int64_t before = Buffer::total_bytes();
  Buffer buffer(kBytes, &device);
  CHECK(Buffer::total_bytes() == before);
  buffer.read(nullptr);
  CHECK(Buffer::total_bytes() == before + static_cast<int64_t>(kBytes));
  buffer.write(&device);
  CHECK(Buffer::total_bytes() == before, "the host's copy is given back when it is out of date");
}

void results_take_memory_when_it_is_asked_for() {
  const int64_t before = Buffer::total_bytes();
  const std::shared_ptr<Buffer> read = Buffer::later(kBytes, nullptr), written = Buffer::later(kBytes, nullptr);
  CHECK(Buffer::total_bytes() == before && read->home() == nullptr);
  CHECK(holds(read->read(nullptr), 0), "zeros, where nobody has written");
  std::byte* const memory = written->overwrite(nullptr);
  std::memset(memory, 4, kBytes);
  CHECK(written->data() == memory && holds(written->read(nullptr), 4) && written->is_in(nullptr));
  CHECK(Buffer::total_bytes() == before + 2 * static_cast<int64_t>(kBytes));
  FakeMemory device("device");
  CHECK(holds(Buffer::later(kBytes, nullptr)->read(&device), 0));
}

void large_blocks_are_used_again() {
  constexpr size_t kLarge = size_t{1} << 20;
  const auto use = [](size_t bytes) {
    const std::shared_ptr<Buffer> buffer = Buffer::later(bytes, nullptr);
    std::byte* const memory = buffer->overwrite(nullptr);
    std::memset(memory, 5, bytes);
    return memory;
  };
  const std::byte* const first = use(kLarge);
  CHECK(host_blocks::kept() == kLarge);
  CHECK(use(kLarge) == first, "the block of the buffer before");
  {
    const Buffer zeros(kLarge);
    CHECK(zeros.data() == first && host_blocks::kept() == 0);
    for (size_t i = 0; i < kLarge; ++i) CHECK(zeros.data()[i] == std::byte{0}, "a buffer begins with zeros");
  }
  for (size_t i = 1; i <= 40; ++i) {
    use(kLarge * i);
    CHECK(host_blocks::kept() <= host_blocks::kMostKept, "bounded");
  }
  use(2 * kLarge);
  for (int i = 0; i < 70; ++i) use(kLarge);
  CHECK(host_blocks::kept() == kLarge, "what nobody takes goes back");
}

void blocks_of_pages() {
  for (const size_t odd : {size_t{0}, size_t{1}, size_t{4095}, pages::kLeast - 1, pages::kLeast}) {
    const size_t bytes = pages::kLeast + odd;
    std::byte* const memory = pages::map(bytes);
    CHECK(memory && reinterpret_cast<uintptr_t>(memory) % 64 == 0);
    bool zeros = true;
    for (size_t i = 0; i < bytes; ++i) zeros = zeros && memory[i] == std::byte{0};
    CHECK(zeros, "fresh pages are zeros");
    std::memset(memory, 1, bytes);
    pages::unmap(memory, bytes);
  }
  CHECK(pages::map(SIZE_MAX - 100) == nullptr, "too much is no block");
#ifdef __SANITIZE_ADDRESS__
  constexpr int kRounds = 300;  // there all of a block is written
#else
  constexpr int kRounds = 5'000;
#endif
  for (int i = 0; i < kRounds; ++i) {  // more than a machine has, were they not given back
    std::byte* const memory = pages::map(size_t{100} << 20);
    CHECK(memory);
    memory[0] = std::byte{1};
    pages::unmap(memory, size_t{100} << 20);
  }
}

void a_full_device_loses_nothing() {
  FakeMemory device("device");
  Buffer buffer(kBytes);
  std::memset(buffer.data(), 3, kBytes);
  device.full = true;
  bool failed = false;
  try {
    buffer.write(&device);
  } catch (const Error& error) {
    failed = std::strcmp(error.code(), code::kOutOfMemory) == 0;
  }
  CHECK(failed && holds(buffer.read(nullptr), 3));
  device.full = false;
  CHECK(holds(buffer.write(&device), 3));
}

void readers_at_once() {
  FakeMemory a("a"), b("b");
  for (int round = 0; round < 50; ++round) {
    Buffer buffer(kBytes);
    std::memset(buffer.data(), round, kBytes);
    std::atomic<int> wrong{0};
    std::vector<std::thread> readers;
    for (DeviceMemory* where : {static_cast<DeviceMemory*>(nullptr), static_cast<DeviceMemory*>(&a),
                                static_cast<DeviceMemory*>(&b), static_cast<DeviceMemory*>(nullptr)})
      readers.emplace_back([&, where] {
        for (int i = 0; i < 20; ++i) wrong += !holds(buffer.read(where), round);
      });
    for (std::thread& reader : readers) reader.join();
    CHECK(wrong == 0 && a.blocks == 1 && b.blocks == 1);
  }
}

}  // namespace

int main() {
  random_moves();
  no_needless_copies();
  host_memory_is_counted();
  results_take_memory_when_it_is_asked_for();
  large_blocks_are_used_again();
  blocks_of_pages();
  a_full_device_loses_nothing();
  readers_at_once();
  return downhill::test::report("buffer");
}
