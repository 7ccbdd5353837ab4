// Sixteen lanes of four bytes on any instruction set, so that reductions give the same bits on all of them.
#pragma once
#include <cstdint>

#include "core/host_device.h"
#include "ops/reduce.h"

namespace downhill::cpu::DH_ISA {

using downhill::DH_ISA::MaxOf;
using downhill::DH_ISA::MinOf;
using downhill::DH_ISA::SumOf;

#if defined(__AVX512F__)
inline constexpr int kNative = 16;
#elif defined(__AVX__)
inline constexpr int kNative = 8;
#else
inline constexpr int kNative = 4;
#endif

template <typename T>
struct Lanes {
  static constexpr int kParts = 16 / kNative;
  typedef T Part __attribute__((vector_size(kNative * 4)));
  Part part[kParts];

  static Lanes load(const T* x) {
    Lanes r;
    for (int i = 0; i < kParts; ++i) __builtin_memcpy(&r.part[i], x + i * kNative, sizeof(Part));
    return r;
  }
  static Lanes fill(T value) {
    T x[16];
    for (int i = 0; i < 16; ++i) x[i] = value;
    return load(x);
  }
  /// The first n < 16 elements of x, and `rest` in the other lanes. Memory up to `readable` elements may be read.
  static Lanes load_some(const T* x, int64_t n, int64_t readable, T rest) {
    if (readable >= 16) {
      Lanes r = load(x);
      for (int i = 0; i < kParts; ++i) {
        const Part others = fill(rest).part[0];
        const Mask lane = first_lanes() + i * kNative;
        r.part[i] = lane < static_cast<int32_t>(n) ? r.part[i] : others;
      }
      return r;
    }
    T padded[16];
    for (int i = 0; i < 16; ++i) padded[i] = rest;
    for (int64_t i = 0; i < n; ++i) padded[i] = x[i];
    return load(padded);
  }
  typedef int32_t Mask __attribute__((vector_size(kNative * 4)));
  static Mask first_lanes() {
    Mask lane = {};
    for (int i = 0; i < kNative; ++i) lane[i] = i;
    return lane;
  }
  void store(T* x) const {
    for (int i = 0; i < kParts; ++i) __builtin_memcpy(x + i * kNative, &part[i], sizeof(Part));
  }
};

template <typename T>
Lanes<T> operator+(const Lanes<T>& a, const Lanes<T>& b) {
  Lanes<T> r;
  for (int i = 0; i < Lanes<T>::kParts; ++i) r.part[i] = a.part[i] + b.part[i];
  return r;
}
template <typename T>
Lanes<T> operator-(const Lanes<T>& a, const Lanes<T>& b) {
  Lanes<T> r;
  for (int i = 0; i < Lanes<T>::kParts; ++i) r.part[i] = a.part[i] - b.part[i];
  return r;
}
template <typename T>
Lanes<T> operator*(const Lanes<T>& a, const Lanes<T>& b) {
  Lanes<T> r;
  for (int i = 0; i < Lanes<T>::kParts; ++i) r.part[i] = a.part[i] * b.part[i];
  return r;
}

template <typename R, typename T>
Lanes<T> combine(const Lanes<T>& a, const Lanes<T>& b) {
  Lanes<T> r;
  for (int i = 0; i < Lanes<T>::kParts; ++i)
    r.part[i] = R::template apply<typename Lanes<T>::Part>(a.part[i], b.part[i]);
  return r;
}

/// One value of sixteen lanes: lane l with lane l + 8, then + 4, + 2, + 1.
template <typename R>
typename R::Type reduce_lanes(const Lanes<typename R::Type>& a) {
  using T = typename R::Type;
  using L = Lanes<T>;
  using Part = typename L::Part;
  Part part[L::kParts];
  for (int i = 0; i < L::kParts; ++i) part[i] = a.part[i];
  for (int width = L::kParts / 2; width > 0; width /= 2)
    for (int i = 0; i < width; ++i) part[i] = R::template apply<Part>(part[i], part[i + width]);
  Part v = part[0];
#if defined(__clang__)
  for (int width = kNative / 2; width > 0; width /= 2)
    for (int l = 0; l < width; ++l) v[l] = R::template apply<T>(v[l], v[l + width]);
#else
  for (int width = kNative / 2; width > 0; width /= 2)
    v = R::template apply<Part>(v, __builtin_shuffle(v, (L::first_lanes() + width) & (kNative - 1)));
#endif
  return v[0];
}

/// Four accumulators of sixteen lanes, which take 64 elements at a time; combined pairwise.
template <typename R>
struct Accumulators {
  using T = typename R::Type;
  Lanes<T> of[4];

  static Accumulators empty() {
    const Lanes<T> none = Lanes<T>::fill(R::kIdentity);
    return {{none, none, none, none}};
  }
  static Accumulators load(const T* x) { return {{lanes(x), lanes(x + 16), lanes(x + 32), lanes(x + 48)}}; }
  void store(T* x) const {
    for (int i = 0; i < 4; ++i) of[i].store(x + 16 * i);
  }
  void add(const T* x) {
    for (int i = 0; i < 4; ++i) of[i] = combine<R>(of[i], lanes(x + 16 * i));
  }
  Lanes<T> combined() const { return combine<R>(combine<R>(of[0], of[1]), combine<R>(of[2], of[3])); }

 private:
  static Lanes<T> lanes(const T* x) { return Lanes<T>::load(x); }
};

/// The last n < 64 elements of a row go to `a`, sixteen at a time.
template <typename R>
typename R::Type reduce_rest(Lanes<typename R::Type> a, const typename R::Type* x, int64_t n, int64_t readable) {
  using L = Lanes<typename R::Type>;
  int64_t i = 0;
  for (; i + 16 <= n; i += 16) a = combine<R>(a, L::load(x + i));
  if (i < n) a = combine<R>(a, L::load_some(x + i, n - i, readable - i, R::kIdentity));
  return reduce_lanes<R>(a);
}

/// Reduces x[0 … n): element i goes to lane i mod 16 of accumulator (i / 16) mod 4 while 64 are left, then to the first
/// accumulator; accumulators and lanes are combined pairwise. `readable` elements from x on lie in memory.
template <typename R>
typename R::Type reduce_row(const typename R::Type* x, int64_t n, int64_t readable = 0) {
  Lanes<typename R::Type> a = Lanes<typename R::Type>::fill(R::kIdentity);
  int64_t i = 0;
  if (n >= 64) {
    auto four = Accumulators<R>::empty();
    for (; i + 64 <= n; i += 64) four.add(x + i);
    a = four.combined();
  }
  return reduce_rest<R>(a, x + i, n - i, readable - i);
}

}  // namespace downhill::cpu::DH_ISA
