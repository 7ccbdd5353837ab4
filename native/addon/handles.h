// The kinds of handles.
#pragma once
#include <utility>
#include <vector>

#include "addon/check.h"
#include "addon/handle.h"
#include "backend/backend.h"
#include "core/storage.h"
#include "data/dataset.h"
#include "graph/graph.h"
#include "optim/schedule.h"
#include "optim/updater.h"
#include "training/session.h"

namespace downhill::addon {

#define DH_HANDLE(type)                    \
  template <>                              \
  struct HandleKind<type> {                \
    static constexpr char kName[] = #type; \
  };

DH_HANDLE(Storage)
DH_HANDLE(Graph)
DH_HANDLE(Program)
DH_HANDLE(Workspace)
DH_HANDLE(Schedule)
DH_HANDLE(Updater)
DH_HANDLE(Dataset)
DH_HANDLE(Session)

#undef DH_HANDLE

/// A handle of a storage; V8 hears of its bytes.
inline Napi::Value storage_handle(Napi::Env env, std::shared_ptr<Storage> storage) {
  const auto bytes = static_cast<int64_t>(storage->bytes);
  return make_handle<Storage>(env, std::move(storage), bytes);
}

/// [[variable, node], …]
inline std::vector<std::pair<std::shared_ptr<Storage>, NodeId>> state_writes(const Napi::Value& value) {
  std::vector<std::pair<std::shared_ptr<Storage>, NodeId>> writes;
  const Napi::Array given = list(value, "writes");
  for (uint32_t i = 0; i < given.Length(); ++i) {
    const Napi::Array write = list(given.Get(i), "write");
    writes.emplace_back(handle<Storage>(write.Get(0u)), static_cast<NodeId>(integer(write.Get(1u), "node")));
  }
  return writes;
}

/// The storage of a handle, filled: blocks while it is pending, throws its job's error.
inline std::shared_ptr<Storage> ready_storage(const Napi::Value& value) {
  auto storage = handle<Storage>(value);
  if (storage->pending) storage->pending->wait();
  return storage;
}

inline std::vector<std::shared_ptr<Storage>> ready_storages(const Napi::Value& value) {
  const Napi::Array array = list(value, "storages");
  std::vector<std::shared_ptr<Storage>> storages;
  for (uint32_t i = 0; i < array.Length(); ++i) storages.push_back(ready_storage(array.Get(i)));
  return storages;
}

}  // namespace downhill::addon
