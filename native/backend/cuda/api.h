/* The border between the addon and libdownhill_cuda.so (or libdownhill_simt.so, the same sources run by the emulator):
   one C function that returns a table of functions. Everything that crosses is plain data, so that the two sides need
   not share a C++ runtime; no exception crosses. Both sides are built from this header; `abi` tells when they are not.
 */
#ifndef DOWNHILL_CUDA_API_H
#define DOWNHILL_CUDA_API_H
#include <stddef.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

#define DH_CUDA_ABI 5u

/* Why a function returned something other than 0. Codes: native/core/error.h (OUT_OF_MEMORY, DEVICE_LOST,
   DEVICE_UNAVAILABLE, UNSUPPORTED, INTERNAL). */
typedef struct DhError {
  char code[32];
  char message[480];
} DhError;

typedef struct DhDeviceInfo {
  char name[128];
  uint64_t memory_bytes; /* in all */
  int32_t compute_major, compute_minor;
  int32_t multiprocessors;
  int32_t driver_version;  /* as CUDA numbers it: 13000 is 13.0 */
  int32_t runtime_version; /* that the library was built with */
  int32_t usable;          /* 0: see reason */
  char reason[256];        /* e.g. kernels of this library are for other compute capabilities */
} DhDeviceInfo;

/* One launch. kind: enum CommandKind of commands.h; args: that kind's struct. A copy is taken: pointers in args are to
   device memory, which must live until the work is done. */
typedef struct DhCommand {
  uint32_t kind;
  uint32_t bytes; /* of args */
  uint64_t reserved;
  unsigned char args[496]; /* aligned to 16 */
} DhCommand;

typedef struct DhContext DhContext; /* a device in use */
typedef struct DhStream DhStream;   /* an order of work; one thread at a time */
typedef struct DhGraph DhGraph;     /* commands captured for replay */

/* All functions return 0, or fill `error` and return another number. They may be called from any thread. */
typedef struct DhCudaApi {
  uint32_t abi;
  uint32_t bytes;   /* of this table */
  const char* kind; /* "cuda" or "simt" */

  /* 0 devices is no error where a driver is there; without one: DEVICE_UNAVAILABLE with what to install. */
  int (*device_count)(int* count, DhError* error);
  int (*device_info)(int device, DhDeviceInfo* info, DhError* error);

  int (*open)(int device, DhContext** context, DhError* error);
  void (*close)(DhContext* context);
  int (*memory)(DhContext* context, uint64_t* free_bytes, uint64_t* total_bytes, DhError* error);

  /* Device memory, aligned to 256, not cleared. OUT_OF_MEMORY says how much was asked for and how much is free. */
  int (*allocate)(DhContext* context, size_t bytes, void** memory, DhError* error);
  void (*release)(DhContext* context, void* memory);
  /* Host memory that copies run fastest from (pinned). */
  int (*allocate_host)(DhContext* context, size_t bytes, void** memory, DhError* error);
  void (*release_host)(DhContext* context, void* memory);

  int (*stream_create)(DhContext* context, DhStream** stream, DhError* error);
  void (*stream_destroy)(DhStream* stream);
  /* These are ordered on the stream, and have happened only after `synchronize`. Host memory of copies must live until
     then. */
  int (*upload)(DhStream* stream, void* to, const void* from, size_t bytes, DhError* error);
  int (*download)(DhStream* stream, void* to, const void* from, size_t bytes, DhError* error);
  int (*copy)(DhStream* stream, void* to, const void* from, size_t bytes, DhError* error);
  int (*fill)(DhStream* stream, void* to, int byte, size_t bytes, DhError* error);
  int (*run)(DhStream* stream, const DhCommand* commands, int count, DhError* error);
  int (*graph_launch)(DhStream* stream, DhGraph* graph, int times, DhError* error);
  int (*synchronize)(DhStream* stream, DhError* error);

  int (*graph_create)(DhContext* context, const DhCommand* commands, int count, DhGraph** graph, DhError* error);
  void (*graph_destroy)(DhGraph* graph);
} DhCudaApi;

/* The library's one export. */
typedef const DhCudaApi* (*DhCudaApiFunction)(void);
#define DH_CUDA_API_SYMBOL "downhill_cuda_api"

#ifdef __cplusplus
}
#endif
#endif
