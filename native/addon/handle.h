// Handles: JavaScript externals that own a share of a native object. Each kind has a type tag of its own, so a handle
// of another kind, or a foreign object, is refused instead of trusted.
#pragma once
#include <napi.h>

#include <memory>
#include <string>

#include "core/error.h"

namespace downhill::addon {

template <typename T>
struct HandleKind;  // kName, kTag: one specialisation per type, in handles.h

template <typename T>
struct Box {
  std::shared_ptr<T> object;
  int64_t external_bytes = 0;  // reported to V8
};

/// Tells V8 of memory outside its heap. Never throws: finalizers run while an environment ends, too.
inline void adjust_external_memory(napi_env env, int64_t bytes) {
  int64_t total = 0;
  if (bytes) napi_adjust_external_memory(env, bytes, &total);
}

template <typename T>
Napi::Value make_handle(Napi::Env env, std::shared_ptr<T> object, int64_t external_bytes = 0) {
  auto* box = new Box<T>{std::move(object), external_bytes};
  auto external = Napi::External<Box<T>>::New(env, box, [](Napi::Env env, Box<T>* box) {
    adjust_external_memory(env, -box->external_bytes);
    delete box;
  });
  if (napi_type_tag_object(env, external, &HandleKind<T>::kTag) != napi_ok)
    throw Error(code::kInternal, "Cannot tag a handle.");
  adjust_external_memory(env, external_bytes);
  return external;
}

template <typename T>
bool is_handle(const Napi::Value& value) {
  bool matches = false;
  return value.IsExternal() &&
         napi_check_object_type_tag(value.Env(), value, &HandleKind<T>::kTag, &matches) == napi_ok && matches;
}

template <typename T>
Box<T>& box_of(const Napi::Value& value) {
  if (!is_handle<T>(value))
    throw Error(code::kInvalidArgument, std::string("Expected a ") + HandleKind<T>::kName + " handle.");
  return *value.As<Napi::External<Box<T>>>().Data();
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
