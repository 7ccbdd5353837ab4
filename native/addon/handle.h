// Handles: JavaScript externals that own a share of a native object, by way of a box. A handle of another kind, or a
// foreign object, is refused instead of trusted: a box lies where boxes do (boxes.h), and knows its kind.
#pragma once
#include <napi.h>

#include <memory>
#include <string>

#include "addon/boxes.h"
#include "core/error.h"

namespace downhill::addon {

template <typename T>
struct HandleKind;  // kName: one specialisation per type, in handles.h

template <typename T>
struct Box {
  const void* kind;  // HandleKind<T>::kName
  std::shared_ptr<T> object;
  int64_t external_bytes = 0;  // reported to V8
};

/// Tells V8 of memory outside its heap. Never throws: finalizers run while an environment ends, too.
inline void adjust_external_memory(napi_env env, int64_t bytes) {
  int64_t total = 0;
  if (bytes) napi_adjust_external_memory(env, bytes, &total);
}

template <typename T>
void finalize(napi_env env, void* data, void*) {
  auto* const box = static_cast<Box<T>*>(data);
  adjust_external_memory(env, -box->external_bytes);
  box->~Box<T>();
  boxes::give(box);
}

template <typename T>
Napi::Value make_handle(Napi::Env env, std::shared_ptr<T> object, int64_t external_bytes = 0) {
  static_assert(sizeof(Box<T>) <= boxes::kBytes);
  auto* const box = new (boxes::take()) Box<T>{HandleKind<T>::kName, std::move(object), external_bytes};
  napi_value external = nullptr;
  if (napi_create_external(env, box, finalize<T>, nullptr, &external) != napi_ok) {
    box->~Box<T>();
    boxes::give(box);
    throw Error(code::kInternal, "Cannot make a handle.");
  }
  adjust_external_memory(env, external_bytes);
  return {env, external};
}

/// Null: the value is no handle of that kind.
template <typename T>
Box<T>* find_box(const Napi::Value& value) {
  void* data = nullptr;
  if (napi_get_value_external(value.Env(), value, &data) != napi_ok || !boxes::holds(data)) return nullptr;
  auto* const box = static_cast<Box<T>*>(data);
  return box->kind == HandleKind<T>::kName ? box : nullptr;
}

template <typename T>
bool is_handle(const Napi::Value& value) {
  return find_box<T>(value) != nullptr;
}

template <typename T>
Box<T>& box_of(const Napi::Value& value) {
  Box<T>* const box = find_box<T>(value);
  if (!box) throw Error(code::kInvalidArgument, std::string("Expected a ") + HandleKind<T>::kName + " handle.");
  return *box;
}

template <typename T>
std::shared_ptr<T> handle(const Napi::Value& value) {
  std::shared_ptr<T> object = box_of<T>(value).object;
  if (!object)
    throw Error(code::kDisposed,
                std::string("This ") + HandleKind<T>::kName + " has been disposed of and cannot be used any more.");
  return object;
}

/// Gives the object back before garbage collection does.
template <typename T>
void dispose(const Napi::Value& value) {
  Box<T>& box = box_of<T>(value);
  adjust_external_memory(value.Env(), -box.external_bytes);
  box.external_bytes = 0;
  box.object.reset();
}

}  // namespace downhill::addon
