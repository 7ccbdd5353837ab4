// What the library needs of a runtime: CUDA's (runtime_cuda.cu) or the emulator's (runtime_simt.cpp). Everything throws
// Failure, but for what is noexcept. Calls concern the device that the calling thread chose last with `use`.
#pragma once
#include <cstddef>
#include <cstdint>
#include <functional>

#include "backend/cuda/api.h"
#include "backend/cuda/device/platform.cuh"

namespace downhill::cuda::runtime {

extern const char* const kKind;  // "cuda", "simt"

int device_count();
void describe(int device, DhDeviceInfo& info);

/// Makes the device ready, and checks that kernels run on it.
void open(int device);
void use(int device);

void memory(uint64_t& free_bytes, uint64_t& total_bytes);
void* allocate(size_t bytes);  // aligned to 256
void release(void* memory) noexcept;
void* allocate_host(size_t bytes);
void release_host(void* memory) noexcept;

enum class Direction { up, down, across };
Stream stream_create();
void stream_destroy(Stream stream) noexcept;
void copy(Stream stream, void* to, const void* from, size_t bytes, Direction direction);
void fill(Stream stream, void* to, int byte, size_t bytes);
void synchronize(Stream stream);

/// Before each command that is put on a stream.
void launching(const char* command);
/// The code, of core/error.h, of a launch that failed.
const char* code_of_launch(const LaunchError& error) noexcept;

struct Graph;
/// What `work` puts on its stream, for replay.
Graph* capture(const std::function<void(Stream)>& work);
void replay(Graph* graph, Stream stream);
void destroy(Graph* graph) noexcept;

}  // namespace downhill::cuda::runtime
