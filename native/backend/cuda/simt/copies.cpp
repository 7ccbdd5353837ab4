#include "backend/cuda/simt/copies.h"

#include <cstring>
#include <vector>

#include "backend/cuda/simt/block_copies.h"
#include "backend/cuda/simt/sanitizers.h"

namespace downhill::cuda::simt {

namespace {

struct Copy {
  unsigned char* to;
  unsigned char data[16];
  int bytes;
  uint64_t group;
};
struct Queue {
  std::vector<Copy> copies;  // in the order of their groups
  uint64_t groups = 0;       // committed so far
};
std::vector<Queue>& queues = *new std::vector<Queue>(1024);  // one per thread of the block
}  // namespace

bool copies_used = false;

void async_copy(void* shared, const void* from, int bytes, int valid_bytes, Site site) {
  const auto size = static_cast<uintptr_t>(bytes);
  if (valid_bytes < 0 || valid_bytes > bytes) {
    fail(site, "an asynchronous copy of %d bytes cannot take %d from its source", bytes, valid_bytes);
  }
  if (reinterpret_cast<uintptr_t>(shared) % size || reinterpret_cast<uintptr_t>(from) % size) {
    fail(site, "both addresses of an asynchronous copy must be aligned to its %d bytes: target %p, source %p", bytes,
         shared, from);
  }
  if (!is_shared(shared, size)) fail(site, "the target %p of an asynchronous copy is not shared memory", shared);
  copies_used = true;
  auto& queue = queues[position.linear];
  Copy copy{static_cast<unsigned char*>(shared), {}, bytes, queue.groups};
  if (valid_bytes > 0) std::memcpy(copy.data, from, static_cast<size_t>(valid_bytes));
  std::memset(shared, 0xff, size);
  IgnoreAccesses of_the_emulator;
  queue.copies.push_back(copy);
}

void async_commit() {
  copies_used = true;
  ++queues[position.linear].groups;
}

void async_wait(int pending) {
  auto& [copies, groups] = queues[position.linear];
  size_t done = 0;
  while (done < copies.size() && copies[done].group + static_cast<uint64_t>(pending) < groups) {
    std::memcpy(copies[done].to, copies[done].data, static_cast<size_t>(copies[done].bytes));
    ++done;
  }
  copies.erase(copies.begin(), copies.begin() + static_cast<std::ptrdiff_t>(done));
}

int copies_in_flight(int thread) { return static_cast<int>(queues[thread].copies.size()); }

void forget_copies() {
  for (auto& queue : queues) {
    queue.copies.clear();
    queue.groups = 0;
  }
  copies_used = false;
}

}  // namespace downhill::cuda::simt
