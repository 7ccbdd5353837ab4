#include "backend/cuda/host/library.h"

#include <dlfcn.h>

#include <cstring>
#include <map>
#include <mutex>

#include "core/error.h"

namespace downhill::cuda {

namespace {

/// The folder of the addon, or of the program that this code is linked into.
std::string own_folder() {
  Dl_info info{};
  if (!dladdr(reinterpret_cast<void*>(&own_folder), &info) || !info.dli_fname) return ".";
  const std::string file = info.dli_fname;
  const size_t slash = file.rfind('/');
  return slash == std::string::npos ? "." : file.substr(0, slash);
}

[[noreturn]] void unavailable(const std::string& why) { throw Error(code::kDeviceUnavailable, why); }

std::string how_to_build(const std::string& kind) {
  return kind == "cuda" ? "npm run build:cuda, in a checkout, which needs CUDA's nvcc"
                        : "npm run build:simt, in a checkout";
}

const DhCudaApi& open_library(const std::string& kind) {
  const std::string file = own_folder() + "/libdownhill_" + kind + ".so";
  void* const handle = dlopen(file.c_str(), RTLD_NOW | RTLD_LOCAL);
  if (!handle) {
    const char* const told = dlerror();
    const std::string why = told ? told : "unknown reason";
    if (why.find("No such file") == std::string::npos || why.find(file) == std::string::npos)
      unavailable("the system refuses to load " + file + ": " + why + ". Build it again (" + how_to_build(kind) +
                  ") or use the CPU.");
    unavailable((kind == "cuda" ? "this installation of downhill has no CUDA library, "
                                : "this installation of downhill has no library of the SIMT emulator, ") +
                file + ". Build it (" + how_to_build(kind) + ") or use the CPU.");
  }
  const auto table = reinterpret_cast<DhCudaApiFunction>(dlsym(handle, DH_CUDA_API_SYMBOL));
  const DhCudaApi* const api = table ? table() : nullptr;
  if (api && api->abi == DH_CUDA_ABI && api->bytes == sizeof(DhCudaApi) && kind == api->kind) return *api;
  std::string theirs = "has no interface";
  if (api) theirs = std::string("has interface ") + std::to_string(api->abi) + " of \"" + api->kind + "\"";
  dlclose(handle);
  unavailable(file + " is not of this version of downhill: it " + theirs + ", and interface " +
              std::to_string(DH_CUDA_ABI) + " of \"" + kind + "\" is needed. Build it again (" + how_to_build(kind) +
              ") or use the CPU.");
}

}  // namespace

const DhCudaApi& library(const std::string& kind) {
  static std::mutex* const mutex = new std::mutex;
  static auto* const opened = new std::map<std::string, const DhCudaApi*>;
  const std::lock_guard<std::mutex> lock(*mutex);
  const DhCudaApi*& api = (*opened)[kind];
  if (!api) api = &open_library(kind);
  return *api;
}

}  // namespace downhill::cuda
