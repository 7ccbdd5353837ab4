// Functors of the elementwise rows with two and three operands: arithmetic, comparisons, selection.
#pragma once
#include "ops/unary.h"

namespace downhill::DH_ISA {

struct Add {
  DH_HOST_DEVICE float operator()(float a, float b) const { return a + b; }
  DH_HOST_DEVICE int32_t operator()(int32_t a, int32_t b) const { return wrap(raw(a) + raw(b)); }
};

struct Sub {
  DH_HOST_DEVICE float operator()(float a, float b) const { return a - b; }
  DH_HOST_DEVICE int32_t operator()(int32_t a, int32_t b) const { return wrap(raw(a) - raw(b)); }
};

struct Mul {
  DH_HOST_DEVICE float operator()(float a, float b) const { return a * b; }
  DH_HOST_DEVICE int32_t operator()(int32_t a, int32_t b) const { return wrap(raw(a) * raw(b)); }
};

struct Div {
  DH_HOST_DEVICE float operator()(float a, float b) const { return a / b; }
};

struct Pow {
  DH_HOST_DEVICE float operator()(float a, float b) const { return math::pow(a, b); }
};

/// NaN in either operand gives NaN, as in NumPy's maximum.
struct Maximum {
  DH_HOST_DEVICE float operator()(float a, float b) const { return a > b || a != a ? a : b; }
  DH_HOST_DEVICE int32_t operator()(int32_t a, int32_t b) const { return a > b ? a : b; }
};

struct Minimum {
  DH_HOST_DEVICE float operator()(float a, float b) const { return a < b || a != a ? a : b; }
  DH_HOST_DEVICE int32_t operator()(int32_t a, int32_t b) const { return a < b ? a : b; }
};

// -- comparisons: 1 or 0; a NaN is not equal to anything --------------------------------------------------------------
struct Equal {
  template <typename T>
  DH_HOST_DEVICE int32_t operator()(T a, T b) const {
    return a == b;
  }
};

struct NotEqual {
  template <typename T>
  DH_HOST_DEVICE int32_t operator()(T a, T b) const {
    return a != b;
  }
};

struct Less {
  template <typename T>
  DH_HOST_DEVICE int32_t operator()(T a, T b) const {
    return a < b;
  }
};

struct LessEqual {
  template <typename T>
  DH_HOST_DEVICE int32_t operator()(T a, T b) const {
    return a <= b;
  }
};

struct Greater {
  template <typename T>
  DH_HOST_DEVICE int32_t operator()(T a, T b) const {
    return a > b;
  }
};

struct GreaterEqual {
  template <typename T>
  DH_HOST_DEVICE int32_t operator()(T a, T b) const {
    return a >= b;
  }
};

/// condition != 0 ? a : b
struct Where {
  template <typename T>
  DH_HOST_DEVICE T operator()(T condition, T a, T b) const {
    return condition != T(0) ? a : b;
  }
};

}  // namespace downhill::DH_ISA
