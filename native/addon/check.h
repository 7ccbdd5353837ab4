// Reads arguments from JavaScript. Nothing is trusted: each reader checks and throws Error.
#pragma once
#include <napi.h>

#include <cstdint>
#include <string>
#include <vector>

#include "core/dtype.h"
#include "core/error.h"
#include "core/shape.h"
#include "data/convert.h"
#include "ops/op.h"

namespace downhill::addon {

/// The memory of a typed array; valid while the array lives and its buffer is not detached.
struct ArrayView {
  const void* data = nullptr;
  size_t length = 0;  // elements
  Element element = Element::float32;
};

double number(const Napi::Value& value, const char* what);
int64_t integer(const Napi::Value& value, const char* what);  // any whole number up to 2^53
int64_t count(const Napi::Value& value, const char* what);    // ≥ 0
bool boolean(const Napi::Value& value, const char* what);
std::string text(const Napi::Value& value, const char* what);
Napi::Array list(const Napi::Value& value, const char* what);
Napi::Object object(const Napi::Value& value, const char* what);
std::vector<int64_t> integers(const Napi::Value& value, const char* what);
Shape shape(const Napi::Value& value);
DType dtype(const Napi::Value& value);
ArrayView array_view(const Napi::Value& value, const char* what);
Attrs attributes(const Napi::Value& value);

Napi::Value to_js(Napi::Env env, const Shape& shape);
/// A fresh typed array of `length` elements whose memory is at *data.
Napi::Value new_array(Napi::Env env, DType dtype, size_t length, void** data);

/// Copies elements, converted to `to`.
void convert_all(const ArrayView& from, DType to, void* out);

/// Runs body and turns an Error, or any other exception, into a JavaScript error with a `code`.
Napi::Error to_js_error(Napi::Env env, const char* code, const std::string& message);

template <typename F>
Napi::Value guarded(const Napi::CallbackInfo& info, F&& body) {
  try {
    return body();
  } catch (const Error& error) {
    throw to_js_error(info.Env(), error.code(), error.what());
  } catch (const Napi::Error&) {
    throw;
  } catch (const std::bad_alloc&) {
    throw to_js_error(info.Env(), code::kOutOfMemory,
                      "Out of memory. Use smaller batches or a smaller model, or dispose of tensors.");
  } catch (const std::exception& error) {
    throw to_js_error(info.Env(), code::kInternal, error.what());
  }
}

}  // namespace downhill::addon
