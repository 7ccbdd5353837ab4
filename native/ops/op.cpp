#include "ops/op.h"

#include <cmath>
#include <cstdio>
#include <cstring>

#include "core/error.h"

namespace downhill {

namespace {

constexpr OpRow kRows[] = {
#define UNARY(name, functor, types, attributes, gradient) \
  {Op::name, #name, OpKind::unary, 1, OpTypes::types, attributes, #gradient},
#define BINARY(name, functor, types, attributes, gradient) \
  {Op::name, #name, OpKind::binary, 2, OpTypes::types, attributes, #gradient},
#define TERNARY(name, functor, types, attributes, gradient) \
  {Op::name, #name, OpKind::ternary, 3, OpTypes::types, attributes, #gradient},
#define OP(name, arity, shape, attributes, gradient) \
  {Op::name, #name, OpKind::other, arity, OpTypes::none, attributes, #gradient},
#define COMPOSITE(name, arity, attributes) \
  {Op::name, #name, OpKind::composite, arity, OpTypes::none, attributes, "none"},
#include "ops/ops.def"
};

std::string print(double number) {
  char text[32];
  std::snprintf(text, sizeof text, std::floor(number) == number && std::fabs(number) < 1e15 ? "%.0f" : "%.9g", number);
  return text;
}

}  // namespace

Attrs::Attrs(std::initializer_list<std::pair<const char*, Value>> items) {
  for (const auto& item : items) items_.emplace_back(item.first, item.second);
}

Attrs& Attrs::set(const char* name, double number) {
  for (auto& item : items_)
    if (item.first == name) return item.second = Value{{}, number, false}, *this;
  items_.emplace_back(name, Value{{}, number, false});
  return *this;
}

Attrs& Attrs::set(const char* name, std::vector<int64_t> ints) {
  for (auto& item : items_)
    if (item.first == name) return item.second = Value{std::move(ints), 0, true}, *this;
  items_.emplace_back(name, Value{std::move(ints), 0, true});
  return *this;
}

const Attrs::Value* Attrs::find(std::string_view name) const {
  for (const auto& item : items_)
    if (item.first == name) return &item.second;
  return nullptr;
}

double Attrs::number(std::string_view name, double otherwise) const {
  const Value* value = find(name);
  return value ? value->number : otherwise;
}

int64_t Attrs::integer(std::string_view name, int64_t otherwise) const {
  const Value* value = find(name);
  return value ? static_cast<int64_t>(value->number) : otherwise;
}

std::vector<int64_t> Attrs::ints(std::string_view name) const {
  const Value* value = find(name);
  return value ? value->ints : std::vector<int64_t>{};
}

std::string Attrs::to_string() const {
  std::string text;
  for (const auto& [name, value] : items_) {
    text += (text.empty() ? "" : ", ") + name + "=";
    if (!value.is_list) {
      text += print(value.number);
      continue;
    }
    text += "[";
    for (size_t i = 0; i < value.ints.size(); ++i) text += (i ? ", " : "") + std::to_string(value.ints[i]);
    text += "]";
  }
  return text;
}

const OpRow& row_of(Op op) { return kRows[static_cast<int>(op)]; }

Op op_of(std::string_view name) {
  for (const OpRow& row : kRows)
    if (name == row.name) return row.op;
  throw Error(code::kUnknownName, "Unknown op \"" + std::string(name) + "\".");
}

void read_params(Op op, const Attrs& attrs, float* params) {
  // The row names its attributes as "low:float high:float".
  const char* at = row_of(op).attributes;
  while (*at) {
    const char* colon = std::strchr(at, ':');
    *params++ = static_cast<float>(attrs.number(std::string_view(at, static_cast<size_t>(colon - at))));
    at = std::strchr(colon, ' ');
    if (!at) return;
    ++at;
  }
}

NoiseParams noise_params(Op op, const Attrs& attrs) {
  const char* const amount = op == Op::gaussianNoise ? "stddev" : "rate";
  return {static_cast<float>(attrs.number(amount)), static_cast<uint64_t>(attrs.integer("key"))};
}

}  // namespace downhill
