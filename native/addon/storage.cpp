#include "core/storage.h"

#include <algorithm>
#include <cmath>
#include <cstring>

#include "addon/check.h"
#include "addon/exports.h"
#include "addon/handles.h"
#include "backend/device.h"
#include "core/touched_rows.h"
#include "data/orthogonal.h"
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
  const Napi::Value rows = info[2];  // of gradients that may be written by rows: whether updates go by them
  Napi::Array views = Napi::Array::New(info.Env(), sizes.size());
  size_t offset = 0;
  for (size_t i = 0; i < sizes.size(); ++i) {
    auto view = std::make_shared<Storage>();
    view->buffer = buffer;
    view->offset = offset;
    view->bytes = static_cast<size_t>(sizes[i]);
    if (rows.IsArray()) {
      view->rows = std::make_shared<TouchedRows>();
      view->rows->updated = boolean(rows.As<Napi::Array>().Get(static_cast<uint32_t>(i)), "rows");
    }
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

/// From one host buffer to another, without a copy in between (weights take their initial values so); false where it
/// is not that.
bool copy_directly(const Storage& from, Storage& to) {
  if (from.buffer == to.buffer || from.bytes != to.bytes || from.buffer->home()) return false;
  std::shared_lock<std::shared_mutex> reading(from.buffer->guard, std::defer_lock);
  std::unique_lock<std::shared_mutex> writing(to.buffer->guard, std::defer_lock);
  std::lock(reading, writing);
  const std::byte* const source = from.read(nullptr);
  std::byte* const target = to.data();
  to.buffer->version.fetch_add(1, std::memory_order_relaxed);
  if (to.bytes) std::memcpy(target, source, to.bytes);
  return true;
}

/// All values are copied before any is written, so a bad one leaves everything as it was.
Napi::Value write(const Napi::CallbackInfo& info) {
  const auto targets = ready_storages(info[0]);
  const Napi::Array dtypes = list(info[1], "dtypes"), values = list(info[2], "values");
  if (dtypes.Length() != targets.size() || values.Length() != targets.size())
    throw Error(code::kInvalidArgument, "Expected as many values and dtypes as storages.");
  if (targets.size() == 1 && is_handle<Storage>(values.Get(uint32_t{0})) &&
      copy_directly(*ready_storage(values.Get(uint32_t{0})), *targets[0]))
    return info.Env().Undefined();
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

DrawKey draw_key(const Napi::Value& seed, const Napi::Value& stream) {
  return {static_cast<uint64_t>(integer(seed, "seed")), static_cast<uint64_t>(integer(stream, "stream"))};
}

/// fill(values), with the lock held, for a storage of `size` floats.
template <typename Fill>
void overwrite(const std::shared_ptr<Storage>& storage, int64_t size, Fill fill) {
  if (storage->bytes != static_cast<size_t>(size) * sizeof(float))
    throw Error(code::kShapeMismatch, "Expected a storage of " + std::to_string(size) + " values, received one of " +
                                          std::to_string(storage->bytes / sizeof(float)) + ".");
  const std::unique_lock<std::shared_mutex> lock(storage->buffer->guard);
  storage->buffer->version.fetch_add(1, std::memory_order_relaxed);
  fill(reinterpret_cast<float*>(storage->data()));
}

Napi::Value random(const Napi::CallbackInfo& info) {
  const auto storage = ready_storage(info[0]);
  const std::string kind = text(info[1], "kind");
  const auto fill = kind == "uniform"           ? fill_uniform
                    : kind == "normal"          ? fill_normal
                    : kind == "truncatedNormal" ? fill_truncated_normal
                                                : nullptr;
  if (!fill) throw Error(code::kUnknownName, "Unknown distribution \"" + kind + "\".");
  const double a = number(info[2], "a"), b = number(info[3], "b");
  const DrawKey key = draw_key(info[4], info[5]);
  const auto size = static_cast<int64_t>(storage->bytes / sizeof(float));
  overwrite(storage, size, [&](float* values) { fill(values, size, a, b, key); });
  return info.Env().Undefined();
}

/// Rows and columns of a matrix whose size is a storage's.
Shape matrix_shape(const Napi::Value& rows, const Napi::Value& columns) {
  const Shape dims{count(rows, "rows"), count(columns, "columns")};
  if (dims[1] > 0 && dims[0] > (int64_t{1} << 46) / dims[1])
    throw Error(code::kOutOfRange,
                "A matrix of " + std::to_string(dims[0]) + " × " + std::to_string(dims[1]) + " values is too large.");
  return dims;
}

Napi::Value orthogonal(const Napi::CallbackInfo& info) {
  const auto storage = ready_storage(info[0]);
  const Shape dims = matrix_shape(info[1], info[2]);
  const double gain = number(info[3], "gain");
  const DrawKey key = draw_key(info[4], info[5]);
  overwrite(storage, dims[0] * dims[1], [&](float* values) { fill_orthogonal(values, dims[0], dims[1], gain, key); });
  return info.Env().Undefined();
}

Napi::Value sparse(const Napi::CallbackInfo& info) {
  const auto storage = ready_storage(info[0]);
  const Shape dims = matrix_shape(info[1], info[2]);
  const int64_t connections = count(info[3], "connections");
  if (connections > dims[0] || dims[0] > int64_t{0xffffffff})
    throw Error(code::kOutOfRange, "Expected at most as many connections as inputs, and at most 2^32 - 1 inputs.");
  const double deviation = number(info[4], "deviation");
  const DrawKey key = draw_key(info[5], info[6]);
  overwrite(storage, dims[0] * dims[1],
            [&](float* values) { fill_sparse(values, dims[0], dims[1], connections, deviation, key); });
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
  DH_EXPORT("storageOrthogonal", { return orthogonal(info); });
  DH_EXPORT("storageSparse", { return sparse(info); });
}

}  // namespace downhill::addon
