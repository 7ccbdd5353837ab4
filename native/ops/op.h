// The ops as an enum, their attributes, and what the table says of each.
#pragma once
#include <cstdint>
#include <initializer_list>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "core/dtype.h"

namespace downhill {

enum class Op : uint8_t {
#define UNARY(name, functor, types, attributes, gradient) name,
#define BINARY(name, functor, types, attributes, gradient) name,
#define TERNARY(name, functor, types, attributes, gradient) name,
#define OP(name, arity, shape, attributes, gradient) name,
#define COMPOSITE(name, arity, attributes) name,
#include "ops/ops.def"
  count_
};
inline constexpr int kOpCount = static_cast<int>(Op::count_);

/// Attributes of a node, by name. Small; order as in the table's row once validated.
class Attrs {
 public:
  struct Value {
    std::vector<int64_t> ints;  // type ints
    double number = 0;          // types int, float, flag, dtype
    bool is_list = false;
    bool operator==(const Value& o) const { return is_list == o.is_list && number == o.number && ints == o.ints; }
  };

  Attrs() = default;
  Attrs(std::initializer_list<std::pair<const char*, Value>> items);

  Attrs& set(const char* name, double number);
  Attrs& set(const char* name, std::vector<int64_t> ints);
  bool has(std::string_view name) const { return find(name) != nullptr; }
  double number(std::string_view name, double otherwise = 0) const;
  int64_t integer(std::string_view name, int64_t otherwise = 0) const;
  bool flag(std::string_view name) const { return number(name) != 0; }
  std::vector<int64_t> ints(std::string_view name) const;  // empty when absent
  const std::vector<std::pair<std::string, Value>>& items() const { return items_; }
  std::string to_string() const;  // "axes=[0], keepDims" or ""
  bool operator==(const Attrs& other) const { return items_ == other.items_; }

 private:
  const Value* find(std::string_view name) const;
  std::vector<std::pair<std::string, Value>> items_;
};

enum class OpKind : uint8_t { unary, binary, ternary, other, composite };
enum class OpTypes : uint8_t { none, F, FI, C };

struct OpRow {
  Op op;
  const char* name;
  OpKind kind;
  int arity;  // -1: one or more
  OpTypes types;
  const char* attributes;
  const char* gradient;
};

const OpRow& row_of(Op op);
inline const char* name_of(Op op) { return row_of(op).name; }
/// The op of that name; throws UNKNOWN_NAME.
Op op_of(std::string_view name);
/// Attributes of an elementwise row in its order; at most two.
void read_params(Op op, const Attrs& attrs, float* params);
inline bool is_elementwise(Op op) { return row_of(op).kind <= OpKind::ternary; }
inline bool is_reduction(Op op) { return op == Op::sum || op == Op::max || op == Op::min; }

inline bool is_noise(Op op) { return op == Op::dropout || op == Op::gaussianDropout || op == Op::gaussianNoise; }

/// Attributes of a row of ops/noise.h: how much, as its functor takes it, and the key of its draws.
struct NoiseParams {
  float amount = 0;
  uint64_t key = 0;
};
NoiseParams noise_params(Op op, const Attrs& attrs);

/// By op: the elementwise rows d_y · f'(…) of two operands, of which d_y is the second.
inline constexpr bool kActivationGradient[kOpCount] = {
#define UNARY(name, functor, types, attributes, gradient) false,
#define BINARY(name, functor, types, attributes, gradient) std::string_view(#gradient) == "expand",
#define TERNARY(name, functor, types, attributes, gradient) false,
#define OP(name, arity, shape, attributes, gradient) false,
#define COMPOSITE(name, arity, attributes) false,
#include "ops/ops.def"
};
inline bool is_activation_gradient(Op op) { return kActivationGradient[static_cast<int>(op)]; }

}  // namespace downhill
