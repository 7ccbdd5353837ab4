#include "core/storage.h"

#include <algorithm>
#include <cmath>
#include <cstring>

#include "addon/check.h"
#include "addon/exports.h"
#include "addon/handles.h"
#include "backend/device.h"
#include "data/random_fill.h"

namespace downhill::addon {

namespace {

std::shared_ptr<Storage> new_storage(size_t bytes) {
  auto storage = std::make_shared<Storage>();
  storage->buffer = std::make_shared<Buffer>(bytes);
  storage->bytes = bytes;
  return storage;
}

std::vector<Buffer*> distinct_buffers(const std::vector<std::shared_ptr<Storage>>& storages) {
  std::vector<Buffer*> buffers;
  for (const auto& storage : storages) buffers.push_back(storage->buffer.get());
  std::sort(buffers.begin(), buffers.end());  // one order of locking everywhere
  buffers.erase(std::unique(buffers.begin(), buffers.end()), buffers.end());
  return buffers;
}

Napi::Value arena(const Napi::CallbackInfo& info) {
  const std::vector<int64_t> sizes = integers(info[0], "sizes");
  size_t total = 0;
  for (int64_t size : sizes) {
    if (size < 0 || size > (int64_t{1} << 46))
      throw Error(code::kOutOfRange, "arena: a size of " + std::to_string(size) + " bytes is out of range.");
    total += (static_cast<size_t>(size) + kAlignment - 1) / kAlignment * kAlignment;
  }
  const auto buffer =
      std::make_shared<Buffer>(total, info[1].IsUndefined() ? nullptr : devices::get(text(info[1], "device")).memory());
  Napi::Array views = Napi::Array::New(info.Env(), sizes.size());
  size_t offset = 0;
  for (size_t i = 0; i < sizes.size(); ++i) {
    auto view = std::make_shared<Storage>();
    view->buffer = buffer;
    view->offset = offset;
    view->bytes = static_cast<size_t>(sizes[i]);
    offset += (view->bytes + kAlignment - 1) / kAlignment * kAlignment;
    views.Set(static_cast<uint32_t>(i), storage_handle(info.Env(), std::move(view)));
  }
  return views;
}

Napi::Value read(const Napi::CallbackInfo& info) {
  const auto storage = ready_storage(info[0]);
  const DType type = dtype(info[1]);
  void* data = nullptr;
  const Napi::Value array = new_array(info.Env(), type, storage->bytes / size_of(type), &data);
  const std::shared_lock<std::shared_mutex> lock(storage->buffer->guard);
  read_contents(*storage, data);
  return array;
}

Napi::Value copy(const Napi::CallbackInfo& info) {
  const auto sources = ready_storages(info[0]);
  std::vector<std::shared_ptr<Storage>> copies;
  for (const auto& source : sources) copies.push_back(new_storage(source->bytes));
  {
    std::vector<std::shared_lock<std::shared_mutex>> locks;
    for (Buffer* buffer : distinct_buffers(sources)) locks.emplace_back(buffer->guard);
    for (size_t i = 0; i < sources.size(); ++i) read_contents(*sources[i], copies[i]->data());
  }
  Napi::Array result = Napi::Array::New(info.Env(), copies.size());
  for (size_t i = 0; i < copies.size(); ++i)
    result.Set(static_cast<uint32_t>(i), storage_handle(info.Env(), copies[i]));
  return result;
}

/// All values are copied before any is written, so a bad one leaves everything as it was.
Napi::Value write(const Napi::CallbackInfo& info) {
  const auto targets = ready_storages(info[0]);
  const Napi::Array dtypes = list(info[1], "dtypes"), values = list(info[2], "values");
  if (dtypes.Length() != targets.size() || values.Length() != targets.size())
    throw Error(code::kInvalidArgument, "Expected as many values and dtypes as storages.");
  std::vector<std::shared_ptr<Storage>> staged;
  for (size_t i = 0; i < targets.size(); ++i) {
    const Napi::Value value = values.Get(static_cast<uint32_t>(i));
    if (is_handle<Storage>(value)) {
      const auto source = ready_storage(value);
      staged.push_back(new_storage(source->bytes));
      const std::shared_lock<std::shared_mutex> lock(source->buffer->guard);
      read_contents(*source, staged.back()->data());
    } else {
      const ArrayView view = array_view(value, "values");
      const DType type = dtype(dtypes.Get(static_cast<uint32_t>(i)));
      staged.push_back(new_storage(view.length * size_of(type)));
      convert_all(view, type, staged.back()->data());
    }
    if (staged.back()->bytes != targets[i]->bytes)
      throw Error(code::kShapeMismatch, "Expected " + std::to_string(targets[i]->bytes / 4) + " values, received " +
                                            std::to_string(staged.back()->bytes / 4) + ".");
  }
  std::vector<std::unique_lock<std::shared_mutex>> locks;
  for (Buffer* buffer : distinct_buffers(targets)) {
    locks.emplace_back(buffer->guard);
    buffer->version.fetch_add(1, std::memory_order_relaxed);
  }
  for (size_t i = 0; i < targets.size(); ++i)
    if (targets[i]->bytes) std::memcpy(targets[i]->data(), staged[i]->data(), targets[i]->bytes);
  return info.Env().Undefined();
}

Napi::Value fill(const Napi::CallbackInfo& info) {
  const auto targets = ready_storages(info[0]);
  const auto value = static_cast<float>(number(info[1], "value"));
  std::vector<std::unique_lock<std::shared_mutex>> locks;
  for (Buffer* buffer : distinct_buffers(targets)) {
    locks.emplace_back(buffer->guard);
    buffer->version.fetch_add(1, std::memory_order_relaxed);
  }
  for (const auto& target : targets)
    std::fill_n(reinterpret_cast<float*>(target->data()), target->bytes / sizeof(float), value);
  return info.Env().Undefined();
}

Napi::Value random(const Napi::CallbackInfo& info) {
  const auto storage = ready_storage(info[0]);
  const std::string kind = text(info[1], "kind");
  if (kind != "uniform" && kind != "normal") throw Error(code::kUnknownName, "Unknown distribution \"" + kind + "\".");
  const double a = number(info[2], "a"), b = number(info[3], "b");
  const auto seed = static_cast<uint64_t>(integer(info[4], "seed")),
             stream = static_cast<uint64_t>(integer(info[5], "stream"));
  const std::unique_lock<std::shared_mutex> lock(storage->buffer->guard);
  storage->buffer->version.fetch_add(1, std::memory_order_relaxed);
  auto* values = reinterpret_cast<float*>(storage->data());
  const auto size = static_cast<int64_t>(storage->bytes / sizeof(float));
  if (kind == "uniform")
    fill_uniform(values, size, a, b, seed, stream);
  else
    fill_normal(values, size, a, b, seed, stream);
  return info.Env().Undefined();
}

}  // namespace

void export_storage(Napi::Env env, Napi::Object exports) {
  DH_EXPORT("arena", { return arena(info); });
  DH_EXPORT("storageFrom", {
    const ArrayView view = array_view(info[0], "values");
    const DType type = dtype(info[1]);
    auto storage = new_storage(view.length * size_of(type));
    convert_all(view, type, storage->data());
    return storage_handle(info.Env(), std::move(storage));
  });
  DH_EXPORT("storageRead", { return read(info); });
  DH_EXPORT("storagesCopy", { return copy(info); });
  DH_EXPORT("storagesWrite", { return write(info); });
  DH_EXPORT("storagesFill", { return fill(info); });
  DH_EXPORT("storageBytes",
            { return Napi::Number::New(info.Env(), static_cast<double>(handle<Storage>(info[0])->bytes)); });
  DH_EXPORT("storageDevice", {
    const DeviceMemory* const home = handle<Storage>(info[0])->buffer->home();
    return Napi::String::New(info.Env(), home ? home->device() : "cpu");
  });
  DH_EXPORT("storageDispose", {
    dispose<Storage>(info[0]);
    return info.Env().Undefined();
  });
  DH_EXPORT("storageRandom", { return random(info); });
}

}  // namespace downhill::addon
