// The library's one export: the table of api.h. No exception leaves it.
#include <algorithm>
#include <cstdio>
#include <memory>
#include <new>
#include <vector>

#include "backend/cuda/plugin/failure.h"
#include "backend/cuda/plugin/launchers.h"
#include "backend/cuda/plugin/runtime.h"
#include "core/error.h"

using downhill::cuda::Failure;
using downhill::cuda::Stream;
namespace code = downhill::code;
namespace runtime = downhill::cuda::runtime;

struct DhContext {
  int device;
};

struct DhStream {
  DhContext* context;
  Stream stream;
};

struct DhGraph {
  DhContext* context;
  runtime::Graph* graph;
};

namespace {

int report(DhError* error, const char* code, const char* message) noexcept {
  if (error) {
    std::snprintf(error->code, sizeof error->code, "%s", code);
    std::snprintf(error->message, sizeof error->message, "%s", message);
  }
  return 1;
}

/// Runs body; what it throws becomes `error`.
template <typename Body>
int guarded(DhError* error, Body&& body) noexcept {
  try {
    body();
    return 0;
  } catch (const Failure& failure) {
    return report(error, failure.code(), failure.what());
  } catch (const std::bad_alloc&) {
    return report(error, code::kOutOfMemory, "Out of host memory.");
  } catch (const std::exception& failure) {
    return report(error, code::kInternal, failure.what());
  } catch (...) {
    return report(error, code::kInternal, "Unknown failure in the CUDA library.");
  }
}

int device_count(int* count, DhError* error) {
  return guarded(error, [&] { *count = runtime::device_count(); });
}

int device_info(int device, DhDeviceInfo* info, DhError* error) {
  return guarded(error, [&] {
    *info = DhDeviceInfo{};
    runtime::describe(device, *info);
  });
}

int open(int device, DhContext** context, DhError* error) {
  return guarded(error, [&] {
    auto made = std::make_unique<DhContext>(DhContext{device});
    runtime::open(device);
    *context = made.release();
  });
}

void close(DhContext* context) { delete context; }

/// guarded, on the context's device.
template <typename Body>
int on(const DhContext* context, DhError* error, Body&& body) noexcept {
  return guarded(error, [&] {
    runtime::use(context->device);
    body();
  });
}

int memory(DhContext* context, uint64_t* free_bytes, uint64_t* total_bytes, DhError* error) {
  return on(context, error, [&] { runtime::memory(*free_bytes, *total_bytes); });
}

int allocate(DhContext* context, size_t bytes, void** memory, DhError* error) {
  return on(context, error, [&] { *memory = runtime::allocate(bytes); });
}

void release(DhContext* context, void* memory) {
  if (memory) on(context, nullptr, [&] { runtime::release(memory); });
}

int allocate_host(DhContext* context, size_t bytes, void** memory, DhError* error) {
  return on(context, error, [&] { *memory = runtime::allocate_host(bytes); });
}

void release_host(DhContext* context, void* memory) {
  if (memory) on(context, nullptr, [&] { runtime::release_host(memory); });
}

int stream_create(DhContext* context, DhStream** stream, DhError* error) {
  return on(context, error, [&] {
    auto made = std::make_unique<DhStream>(DhStream{context, nullptr});
    made->stream = runtime::stream_create();
    *stream = made.release();
  });
}

void stream_destroy(DhStream* stream) {
  if (!stream) return;
  on(stream->context, nullptr, [&] { runtime::stream_destroy(stream->stream); });
  delete stream;
}

int copy_in(DhStream* stream, void* to, const void* from, size_t bytes, runtime::Direction direction, DhError* error) {
  if (bytes == 0) return 0;
  return on(stream->context, error, [&] { runtime::copy(stream->stream, to, from, bytes, direction); });
}

int upload(DhStream* stream, void* to, const void* from, size_t bytes, DhError* error) {
  return copy_in(stream, to, from, bytes, runtime::Direction::up, error);
}

int download(DhStream* stream, void* to, const void* from, size_t bytes, DhError* error) {
  return copy_in(stream, to, from, bytes, runtime::Direction::down, error);
}

int copy(DhStream* stream, void* to, const void* from, size_t bytes, DhError* error) {
  return copy_in(stream, to, from, bytes, runtime::Direction::across, error);
}

int fill(DhStream* stream, void* to, int byte, size_t bytes, DhError* error) {
  if (bytes == 0) return 0;
  return on(stream->context, error, [&] { runtime::fill(stream->stream, to, byte, bytes); });
}

int run(DhStream* stream, const DhCommand* commands, int count, DhError* error) {
  return on(stream->context, error, [&] {
    std::for_each_n(commands, std::max(count, 0),
                    [&](const DhCommand& command) { downhill::cuda::launch_command(command, stream->stream); });
  });
}

int graph_launch(DhStream* stream, DhGraph* graph, int times, DhError* error) {
  return on(stream->context, error, [&] {
    for (int i = 0; i < times; ++i) runtime::replay(graph->graph, stream->stream);
  });
}

int synchronize(DhStream* stream, DhError* error) {
  return on(stream->context, error, [&] { runtime::synchronize(stream->stream); });
}

int graph_create(DhContext* context, const DhCommand* commands, int count, DhGraph** graph, DhError* error) {
  return on(context, error, [&] {
    auto made = std::make_unique<DhGraph>(DhGraph{context, nullptr});
    const std::vector<DhCommand> copies(commands, commands + std::max(count, 0));
    made->graph = runtime::capture([copies](Stream stream) {
      for (const DhCommand& command : copies) downhill::cuda::launch_command(command, stream);
    });
    *graph = made.release();
  });
}

void graph_destroy(DhGraph* graph) {
  if (!graph) return;
  on(graph->context, nullptr, [&] { runtime::destroy(graph->graph); });
  delete graph;
}

}  // namespace

extern "C" __attribute__((visibility("default"))) const DhCudaApi* downhill_cuda_api(void) {
  static const DhCudaApi table{
      DH_CUDA_ABI, sizeof(DhCudaApi), runtime::kKind, device_count,  device_info,    open,   close,    memory, allocate,
      release,     allocate_host,     release_host,   stream_create, stream_destroy, upload, download, copy,   fill,
      run,         graph_launch,      synchronize,    graph_create,  graph_destroy,
  };
  return &table;
}
