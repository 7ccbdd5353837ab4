#include <algorithm>
#include <cstring>
#include <memory>
#include <shared_mutex>

#include "addon/check.h"
#include "addon/exports.h"
#include "addon/handles.h"
#include "addon/queue.h"
#include "backend/cpu/pool.h"
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

std::vector<uint64_t> versions_of(const Napi::Value& value, size_t count) {
  const std::vector<int64_t> numbers = integers(value, "versions");
  if (numbers.size() != count) throw Error(code::kInvalidArgument, "Expected as many versions as storages.");
  return {numbers.begin(), numbers.end()};
}

Napi::Value file_write(const Napi::CallbackInfo& info) {
  const std::string path = text(info[0], "path");
  const auto head = std::make_shared<std::vector<std::byte>>(bytes_of(info[1], "head"));
  const Storages storages = ready_storages(info[2]);
  const bool checksum = boolean(info[3], "checksum");
  const bool live = !info[4].IsUndefined();
  const std::vector<uint64_t> versions = live ? versions_of(info[4], storages.size()) : std::vector<uint64_t>();
  return Queue::of(info.Env()).run(Lane::files, [path, head, storages, checksum, live, versions]() -> Queue::Make {
    bool whole = true;
    if (live)
      whole = write_tensor_file(path, *head, storages, checksum, versions);
    else
      write_tensor_file(path, *head, storages, checksum);
    return [whole](Napi::Env env) -> Napi::Value { return Napi::Boolean::New(env, whole); };
  });
}

Napi::Value versions(const Napi::CallbackInfo& info) {
  const Storages storages = ready_storages(info[0]);
  Napi::Array result = Napi::Array::New(info.Env(), storages.size());
  for (size_t i = 0; i < storages.size(); ++i)
    result.Set(static_cast<uint32_t>(i),
               Napi::Number::New(info.Env(), static_cast<double>(storages[i]->buffer->version.load())));
  return result;
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

/// Zero-filled memory, made where nobody waits for its pages.
Napi::Value arena_async(const Napi::CallbackInfo& info) {
  const std::vector<int64_t> sizes = integers(info[0], "sizes");
  for (int64_t size : sizes)
    if (size < 0 || size > (int64_t{1} << 46))
      throw Error(code::kOutOfRange, "arena: a size of " + std::to_string(size) + " bytes is out of range.");
  return Queue::of(info.Env()).run(Lane::files, [sizes]() -> Queue::Make {
    const auto padded = [](int64_t size) {
      return (static_cast<size_t>(size) + kAlignment - 1) / kAlignment * kAlignment;
    };
    size_t total = 0;
    for (int64_t size : sizes) total += padded(size);
    const auto buffer = std::make_shared<Buffer>(total);
    Storages views;
    size_t offset = 0;
    for (int64_t size : sizes) {
      views.push_back(std::make_shared<Storage>());
      views.back()->buffer = buffer;
      views.back()->offset = offset;
      views.back()->bytes = static_cast<size_t>(size);
      offset += padded(size);
    }
    return [views](Napi::Env env) -> Napi::Value {
      Napi::Array result = Napi::Array::New(env, views.size());
      for (size_t i = 0; i < views.size(); ++i) result.Set(static_cast<uint32_t>(i), storage_handle(env, views[i]));
      return result;
    };
  });
}

/// A stretch of bytes for one thread to copy.
struct Part {
  std::byte* to;
  const std::byte* from;
  size_t bytes;
};
constexpr size_t kPart = 4 << 20;

/// Copies all of them under one lock, on the pool's threads: whoever waits for the lock waits for the copying alone.
void copy_all(const Storages& from, const Storages& to) {
  LockSet locks;
  size_t parts = 0;
  for (size_t i = 0; i < from.size(); ++i) {
    locks.share(from[i]->buffer);
    locks.own(to[i]->buffer);
    parts += from[i]->bytes / kPart + 1;
  }
  std::vector<Part> list;
  list.reserve(parts);
  const Locked locked(locks);
  for (size_t i = 0; i < from.size(); ++i) {
    if (from[i]->bytes == 0) continue;
    std::byte* const target = to[i]->data();
    if (from[i]->buffer->home()) {
      read_contents(*from[i], target);
      continue;
    }
    const std::byte* const source = from[i]->host();
    for (size_t done = 0; done < from[i]->bytes; done += kPart)
      list.push_back({target + done, source + done, std::min(kPart, from[i]->bytes - done)});
  }
  cpu::parallel_for(static_cast<int64_t>(list.size()), [&](int64_t i) {
    const Part& part = list[static_cast<size_t>(i)];
    std::memcpy(part.to, part.from, part.bytes);
  });
}

Napi::Value copy_async(const Napi::CallbackInfo& info) {
  const Storages from = ready_storages(info[0]), to = ready_storages(info[1]);
  if (from.size() != to.size()) throw Error(code::kInvalidArgument, "Expected as many targets as sources.");
  for (size_t i = 0; i < from.size(); ++i)
    if (from[i]->bytes != to[i]->bytes)
      throw Error(code::kShapeMismatch, "Expected a target of " + std::to_string(from[i]->bytes) + " bytes, received " +
                                            std::to_string(to[i]->bytes) + ".");
  return Queue::of(info.Env()).run(Lane::files, [from, to]() -> Queue::Make {
    copy_all(from, to);
    return undefined;
  });
}

}  // namespace

void export_files(Napi::Env env, Napi::Object exports) {
  DH_EXPORT("fileWrite", { return file_write(info); });
  DH_EXPORT("fileRead", { return file_read(info); });
  DH_EXPORT("storageVersions", { return versions(info); });
  DH_EXPORT("arenaAsync", { return arena_async(info); });
  DH_EXPORT("storagesCopyAsync", { return copy_async(info); });
}

}  // namespace downhill::addon
