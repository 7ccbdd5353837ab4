// What the loaded program knows about a kernel: its name and its static shared memory, from the ELF symbols of the file
// that it is in. A stripped file gives neither; nothing depends on them but messages and fills.
#pragma once
#include <cstddef>
#include <string>
#include <vector>

namespace downhill::cuda::simt {

struct Variable {
  char* at;
  size_t size;
};

struct KernelInfo {
  std::string name = "kernel";                            // without parameters
  std::vector<Variable> shared;                           // the kernel's own `__shared__` variables
  const char *data_begin = nullptr, *data_end = nullptr;  // writable static memory of its library
};

/// Found once per kernel, then remembered. Not safe for use from several threads.
const KernelInfo& kernel_info(const void* kernel);

}  // namespace downhill::cuda::simt
