// The kinds of handles and their tags (random 128-bit numbers).
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

#define DH_HANDLE(type, high, low)                               \
  template <>                                                    \
  struct HandleKind<type> {                                      \
    static constexpr const char* kName = #type;                  \
    static constexpr napi_type_tag kTag = {high##ull, low##ull}; \
  };

DH_HANDLE(Storage, 0x8f3a61c2d94e4b07, 0xa1d5c3729be0f846)
DH_HANDLE(Graph, 0x1c7be09f52a84d63, 0xb7f20e6d94c3a851)
DH_HANDLE(Program, 0x63d0f4a917be4c28, 0x90e57ab3c1d2f46e)
DH_HANDLE(Workspace, 0x2ab94f7de1064c95, 0x8cd36e1f05b7a942)
DH_HANDLE(Schedule, 0x4be71f9c05d83a62, 0x93f0c8d25a7e1b46)
DH_HANDLE(Updater, 0xd5167c8eb3f04a29, 0xbe90d24a7c61f385)
DH_HANDLE(Dataset, 0x7e42a95bd80f4136, 0xa6c1f7038de59b24)
DH_HANDLE(Session, 0xb8051d3ef6a7492c, 0x84fe6b92c03d7a15)

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
