#include "addon/check.h"

#include <cmath>
#include <cstring>

namespace downhill::addon {

namespace {

[[noreturn]] void expected(const char* what, const char* type) {
  throw Error(code::kInvalidArgument, std::string(what) + " must be " + type + ".");
}

template <typename To>
void convert_to(const ArrayView& from, void* out) {
  with_element(from.element, static_cast<const std::byte*>(from.data), [&](const auto* in) {
    for (size_t i = 0; i < from.length; ++i) static_cast<To*>(out)[i] = downhill::convert<To>(in[i]);
  });
}

}  // namespace

double number(const Napi::Value& value, const char* what) {
  if (!value.IsNumber()) expected(what, "a number");
  return value.As<Napi::Number>().DoubleValue();
}

int64_t integer(const Napi::Value& value, const char* what) {
  const double n = number(value, what);
  if (!(std::fabs(n) <= 9007199254740992.0) || n != std::floor(n)) expected(what, "a whole number");
  return static_cast<int64_t>(n);
}

int64_t count(const Napi::Value& value, const char* what) {
  const int64_t n = integer(value, what);
  if (n < 0) expected(what, "a whole number that is not negative");
  return n;
}

bool boolean(const Napi::Value& value, const char* what) {
  if (!value.IsBoolean()) expected(what, "true or false");
  return value.As<Napi::Boolean>().Value();
}

std::string text(const Napi::Value& value, const char* what) {
  if (!value.IsString()) expected(what, "a string");
  return value.As<Napi::String>().Utf8Value();
}

Napi::Array list(const Napi::Value& value, const char* what) {
  if (!value.IsArray()) expected(what, "an array");
  return value.As<Napi::Array>();
}

Napi::Object object(const Napi::Value& value, const char* what) {
  if (!value.IsObject()) expected(what, "an object");
  return value.As<Napi::Object>();
}

std::vector<int64_t> integers(const Napi::Value& value, const char* what) {
  const Napi::Array array = list(value, what);
  std::vector<int64_t> result;
  result.reserve(array.Length());
  for (uint32_t i = 0; i < array.Length(); ++i) result.push_back(integer(array.Get(i), what));
  return result;
}

Shape shape(const Napi::Value& value) { return Shape(integers(value, "shape")); }

DType dtype(const Napi::Value& value) {
  const std::string name = text(value, "dtype");
  if (name == "float32") return DType::float32;
  if (name == "int32") return DType::int32;
  throw Error(code::kUnsupported, "Unsupported dtype \"" + name + "\"; expected 'float32' or 'int32'.");
}

ArrayView array_view(const Napi::Value& value, const char* what) {
  if (!value.IsTypedArray()) expected(what, "a typed array");
  napi_typedarray_type type;
  ArrayView view;
  void* data = nullptr;
  if (napi_get_typedarray_info(value.Env(), value, &type, &view.length, &data, nullptr, nullptr) != napi_ok)
    expected(what, "a typed array");
  view.data = data;
  switch (type) {
    case napi_float32_array:
      view.element = Element::float32;
      break;
    case napi_int32_array:
      view.element = Element::int32;
      break;
    case napi_uint8_array:
    case napi_uint8_clamped_array:
      view.element = Element::uint8;
      break;
    case napi_float64_array:
      view.element = Element::float64;
      break;
    default:
      expected(what, "a Float32Array, Float64Array, Int32Array or Uint8Array");
  }
  return view;
}

Attrs attributes(const Napi::Value& value) {
  const Napi::Object given = object(value, "attributes");
  const Napi::Array names = given.GetPropertyNames();
  Attrs attrs;
  for (uint32_t i = 0; i < names.Length(); ++i) {
    const std::string name = text(names.Get(i), "an attribute's name");
    const Napi::Value item = given.Get(name);
    if (item.IsArray())
      attrs.set(name.c_str(), integers(item, name.c_str()));
    else if (item.IsBoolean())
      attrs.set(name.c_str(), item.As<Napi::Boolean>().Value() ? 1.0 : 0.0);
    else if (item.IsString())
      attrs.set(name.c_str(), static_cast<double>(dtype(item)));
    else
      attrs.set(name.c_str(), number(item, name.c_str()));
  }
  return attrs;
}

Napi::Value to_js(Napi::Env env, const Shape& shape) {
  Napi::Array array = Napi::Array::New(env, shape.rank());
  for (int axis = 0; axis < shape.rank(); ++axis) array.Set(axis, static_cast<double>(shape[axis]));
  return array;
}

Napi::Value new_array(Napi::Env env, DType dtype, size_t length, void** data) {
  Napi::ArrayBuffer buffer = Napi::ArrayBuffer::New(env, length * size_of(dtype));
  *data = buffer.Data();
  if (dtype == DType::float32) return Napi::Float32Array::New(env, length, buffer, 0);
  return Napi::Int32Array::New(env, length, buffer, 0);
}

void convert_all(const ArrayView& from, DType to, void* out) {
  if (from.length == 0) return;
  if (from.element == element_of(to))
    std::memcpy(out, from.data, from.length * size_of(to));
  else if (to == DType::float32)
    convert_to<float>(from, out);
  else
    convert_to<int32_t>(from, out);
}

Napi::Error to_js_error(Napi::Env env, const char* code, const std::string& message) {
  Napi::Error error = Napi::Error::New(env, message);
  error.Set("code", Napi::String::New(env, code));
  return error;
}

}  // namespace downhill::addon
