#include <cstring>
#include <memory>
#include <shared_mutex>

#include "addon/check.h"
#include "addon/exports.h"
#include "addon/handles.h"
#include "addon/queue.h"
#include "io/tensor_file.h"
#include "training/locks.h"

namespace downhill::addon {

namespace {

using Storages = std::vector<std::shared_ptr<Storage>>;

std::vector<std::byte> bytes_of(const Napi::Value& value, const char* what) {
  const ArrayView view = array_view(value, what);
  if (view.element != Element::uint8) throw Error(code::kInvalidArgument, std::string(what) + " must be a Uint8Array.");
  std::vector<std::byte> bytes(view.length);
  if (view.length > 0) std::memcpy(bytes.data(), view.data, view.length);
  return bytes;
}

Napi::Value undefined(Napi::Env env) { return env.Undefined(); }

Napi::Value file_write(const Napi::CallbackInfo& info) {
  const std::string path = text(info[0], "path");
  const auto head = std::make_shared<std::vector<std::byte>>(bytes_of(info[1], "head"));
  const Storages storages = ready_storages(info[2]);
  const bool checksum = boolean(info[3], "checksum");
  return Queue::of(info.Env()).run(Lane::files, [path, head, storages, checksum]() -> Queue::Make {
    write_tensor_file(path, *head, storages, checksum);
    return undefined;
  });
}

Napi::Value file_read(const Napi::CallbackInfo& info) {
  const std::string path = text(info[0], "path");
  const std::vector<int64_t> offsets = integers(info[1], "offsets");
  const Storages storages = ready_storages(info[2]);
  const bool checksum = boolean(info[3], "checksum");
  if (offsets.size() != storages.size()) throw Error(code::kInvalidArgument, "Expected as many offsets as storages.");
  std::vector<FileRange> ranges;
  for (size_t i = 0; i < offsets.size(); ++i) {
    if (offsets[i] < 0)
      throw Error(code::kOutOfRange, "An offset of " + std::to_string(offsets[i]) + " is out of range.");
    ranges.push_back({static_cast<uint64_t>(offsets[i]), storages[i]});
  }
  return Queue::of(info.Env()).run(Lane::files, [path, ranges, checksum]() -> Queue::Make {
    read_tensor_file(path, ranges, checksum);
    return undefined;
  });
}

/// The copies are allocated, and their memory touched, before the locks are taken: an update waits for the copying
/// alone.
Napi::Value copy_async(const Napi::CallbackInfo& info) {
  const Storages sources = ready_storages(info[0]);
  return Queue::of(info.Env()).run(Lane::files, [sources]() -> Queue::Make {
    Storages copies;
    LockSet locks;
    for (const auto& source : sources) {
      copies.push_back(std::make_shared<Storage>());
      copies.back()->buffer = std::make_shared<Buffer>(source->bytes);
      copies.back()->bytes = source->bytes;
      locks.share(source->buffer);
    }
    {
      const Locked locked(locks);
      for (size_t i = 0; i < sources.size(); ++i) read_contents(*sources[i], copies[i]->data());
    }
    return [copies](Napi::Env env) -> Napi::Value {
      Napi::Array result = Napi::Array::New(env, copies.size());
      for (size_t i = 0; i < copies.size(); ++i) result.Set(static_cast<uint32_t>(i), storage_handle(env, copies[i]));
      return result;
    };
  });
}

}  // namespace

void export_files(Napi::Env env, Napi::Object exports) {
  DH_EXPORT("fileWrite", { return file_write(info); });
  DH_EXPORT("fileRead", { return file_read(info); });
  DH_EXPORT("storagesCopyAsync", { return copy_async(info); });
}

}  // namespace downhill::addon
