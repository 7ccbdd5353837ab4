// Scalar float functions for host and device. Free of branches and table look-ups, so that plain loops over them
// vectorise; built from IEEE operations alone (fused ones only where named), so that every instruction set gives the
// same bits. Errors: docs/numerics.md.
#pragma once
#include <cstdint>

#include "core/host_device.h"

namespace downhill::DH_ISA::math {

// -- bits -----------------------------------------------------------------------------------------------------------
DH_HOST_DEVICE uint32_t bits_of(float x) {
  uint32_t u;
  __builtin_memcpy(&u, &x, sizeof u);
  return u;
}
DH_HOST_DEVICE float float_of(uint32_t u) {
  float x;
  __builtin_memcpy(&x, &u, sizeof x);
  return x;
}
DH_HOST_DEVICE uint64_t bits_of(double x) {
  uint64_t u;
  __builtin_memcpy(&u, &x, sizeof u);
  return u;
}
DH_HOST_DEVICE double double_of(uint64_t u) {
  double x;
  __builtin_memcpy(&x, &u, sizeof x);
  return x;
}

inline constexpr float kInf = __builtin_huge_valf();

DH_HOST_DEVICE float nan() { return float_of(0x7fc00000u); }
DH_HOST_DEVICE bool is_nan(float x) { return x != x; }
DH_HOST_DEVICE float abs(float x) { return float_of(bits_of(x) & 0x7fffffffu); }
DH_HOST_DEVICE float copy_sign(float magnitude, float sign) {
  return float_of((bits_of(magnitude) & 0x7fffffffu) | (bits_of(sign) & 0x80000000u));
}
DH_HOST_DEVICE float sqrt(float x) { return __builtin_sqrtf(x); }
DH_HOST_DEVICE float rsqrt(float x) { return 1.0f / __builtin_sqrtf(x); }

/// condition ? a : b on the bits. A conditional expression would do, but compilers turn several in a row into branches,
/// and a loop with branches does not vectorise.
DH_HOST_DEVICE float select(bool condition, float a, float b) {
  const uint32_t mask = 0u - static_cast<uint32_t>(condition);
  return float_of((bits_of(a) & mask) | (bits_of(b) & ~mask));
}

/// a b + c, rounded once where kFused; the baseline then calls the C library.
template <bool kFused>
DH_HOST_DEVICE float multiply_add(float a, float b, float c) {
  if constexpr (kFused) return __builtin_fmaf(a, b, c);
  return a * b + c;
}

/// 2^k for an integer k in [-126, 127]; any other k gives some float, never undefined behaviour.
DH_HOST_DEVICE float power_of_two(int32_t k) { return float_of((static_cast<uint32_t>(k) + 127u) << 23); }

/// x = k ln 2 + r with |r| <= ln 2 / 2, for |x| < 2^13. The two-part ln 2 keeps r exact to about 2^-33.
struct Reduced {
  int32_t k;
  float r;
};
DH_HOST_DEVICE Reduced reduce_by_log2(float x) {
  constexpr float kRound = 12582912.0f;  // 1.5 · 2^23: adding it rounds to an integer in the low bits
  const float t = x * 1.44269504f + kRound;
  const float k = t - kRound;
  return {static_cast<int32_t>(bits_of(t) - 0x4b400000u), (x - k * 0.693359375f) + k * 2.12194440e-4f};
}

// -- exp and log ----------------------------------------------------------------------------------------------------
/// e^r for |r| <= ln 2 / 2.
template <bool kFused = false>
DH_HOST_DEVICE float exp_near_zero(float r) {
  float p = 1.395060353e-3f;
  p = multiply_add<kFused>(p, r, 8.368953594e-3f);
  p = multiply_add<kFused>(p, r, 4.166620412e-2f);
  p = multiply_add<kFused>(p, r, 1.666651831e-1f);
  p = multiply_add<kFused>(p, r, 5.000000096e-1f);
  return multiply_add<kFused>(p * r, r, r) + 1.0f;
}

/// p · 2^k by two factors, as 2^k itself may be out of range.
DH_HOST_DEVICE float times_power_of_two(float p, int32_t k) {
  const int32_t half = k >> 1;
  return p * power_of_two(half) *
         power_of_two(static_cast<int32_t>(static_cast<uint32_t>(k) - static_cast<uint32_t>(half)));
}

/// e^x. Overflows to inf above 88.7228, reaches 0 through the denormals below -103.97.
DH_HOST_DEVICE float exp(float x) {
  const float low = x < -104.0f ? -104.0f : x;
  const Reduced a = reduce_by_log2(low > 89.0f ? 89.0f : low);
  return times_power_of_two(exp_near_zero(a.r), a.k);
}

/// e^x - 1, without cancellation near 0.
DH_HOST_DEVICE float expm1(float x) {
  const float low = x < -20.0f ? -20.0f : x;
  const Reduced a = reduce_by_log2(low > 89.0f ? 89.0f : low);
  const float r = a.r;
  float p = 1.394655393e-3f;
  p = p * r + 8.366643906e-3f;
  p = p * r + 4.166628064e-2f;
  p = p * r + 1.666654255e-1f;
  p = p * r + 5.000000062e-1f;
  p = p * r * r + r;
  const float s =
      power_of_two(static_cast<int32_t>(static_cast<uint32_t>(a.k) - 1u));  // half of 2^k, which may overflow
  const float y = (s * p + (s - 0.5f)) * 2.0f;
  return abs(x) < 1e-10f ? x : y;
}

/// x = (1 + f) 2^e with 1 + f in [√½, √2), for finite x > 0.
struct Mantissa {
  float e, f;
};
DH_HOST_DEVICE Mantissa split(float x) {
  const bool tiny = x < 1.17549435e-38f;
  const uint32_t u = bits_of(tiny ? x * 8388608.0f : x) - 0x3f3504f3u;
  return {static_cast<float>((static_cast<int32_t>(u) >> 23) - (tiny ? 23 : 0)),
          float_of((u & 0x7fffffu) + 0x3f3504f3u) - 1.0f};
}

/// q in log(1 + f) = f - f²/2 + f³ q, for 1 + f in [√½, √2).
template <bool kFused = false>
DH_HOST_DEVICE float log_remainder(float f) {
  float q = -7.859762261e-2f;
  q = multiply_add<kFused>(q, f, 1.288174489e-1f);
  q = multiply_add<kFused>(q, f, -1.312873730e-1f);
  q = multiply_add<kFused>(q, f, 1.418117578e-1f);
  q = multiply_add<kFused>(q, f, -1.662455481e-1f);
  q = multiply_add<kFused>(q, f, 2.000228710e-1f);
  q = multiply_add<kFused>(q, f, -2.500081038e-1f);
  return multiply_add<kFused>(q, f, 3.333331671e-1f);
}

/// Natural logarithm. log(±0) = -inf, log(x < 0) = NaN.
DH_HOST_DEVICE float log(float x) {
  const Mantissa m = split(x);
  const float f = m.f, f2 = f * f;
  float y = log_remainder(f) * f * f2 - m.e * 2.12194440e-4f;
  y = ((y - 0.5f * f2) + f) + m.e * 0.693359375f;
  y = x < kInf ? y : x;  // inf and NaN
  y = x < 0.0f ? nan() : y;
  return x == 0.0f ? -kInf : y;
}

/// log(1 + x): the logarithm of the rounded sum, corrected by what the rounding lost.
DH_HOST_DEVICE float log1p(float x) {
  const float u = 1.0f + x;
  const float lost = select(x < 1.0f, x - (u - 1.0f), 1.0f - (u - x));
  const float y = log(u) + lost / u;
  const float z = select((u > 0.0f) & (u < kInf), y, log(u));
  return select(abs(x) < 1e-10f, x, z);
}

// -- functions of neural networks -----------------------------------------------------------------------------------
/// Odd polynomial up to 0.625, then 1 - 2 / (1 + e^2|x|) by the exponential that cannot overflow.
DH_HOST_DEVICE float tanh(float x) {
  const float a = abs(x), t = x * x, e = exp(-2.0f * a);
  float p = -5.704784715e-3f;
  p = p * t + 2.063888813e-2f;
  p = p * t - 5.373964665e-2f;
  p = p * t + 1.333144125e-1f;
  p = p * t - 3.333328190e-1f;
  return copy_sign(select(a < 0.625f, p * t * a + a, 1.0f - 2.0f * (e / (1.0f + e))), x);
}

/// 1 / (1 + e^-x), by the exponential that cannot overflow.
DH_HOST_DEVICE float sigmoid(float x) {
  const float e = exp(-abs(x));
  return (x >= 0.0f ? 1.0f : e) / (1.0f + e);
}

/// log(1 + e^x)
DH_HOST_DEVICE float softplus(float x) { return log1p(exp(-abs(x))) + (x < 0.0f ? 0.0f : x); }

/// Error function: odd polynomial up to 1, then 1 - exp of a polynomial fitted to -log erfc.
DH_HOST_DEVICE float erf(float x) {
  const float t = x * x;
  float p = 7.889123246e-5f;
  p = p * t - 8.020842332e-4f;
  p = p * t + 5.189535449e-3f;
  p = p * t - 2.685444464e-2f;
  p = p * t + 1.128360018e-1f;
  p = p * t - 3.761262714e-1f;
  p = p * t + 1.283791671e-1f;
  const float a = abs(x), b = a > 4.0f ? 4.0f : a;
  float z = -1.863789389e-4f;
  z = z * b + 2.947655787e-3f;
  z = z * b - 2.183805383e-2f;
  z = z * b + 1.031067331e-1f;
  z = z * b + 6.381448577e-1f;
  z = z * b + 1.127089175e+0f;
  z = z * b + 3.415267485e-4f;
  return a < 1.0f ? p * x + x : copy_sign(1.0f - exp(-z), x);
}

/// x^y as in C: the logarithm and the exponential are taken in double, whose error is far below a float's.
DH_HOST_DEVICE float pow(float x, float y) {
  const float a = abs(x);
  // log2 a = e + (2 / ln 2) atanh s, s = (m - 1) / (m + 1), m in [√½, √2). A double holds denormal floats as normals.
  const uint64_t u = bits_of(static_cast<double>(a)) - 0x3fe6a09e667f3bcdu;
  const double e = static_cast<double>(static_cast<int32_t>(static_cast<uint32_t>(u >> 32)) >> 20);
  const double m = double_of((u & 0xfffffffffffffu) + 0x3fe6a09e667f3bcdu);
  const double s = (m - 1.0) / (m + 1.0), s2 = s * s;
  double q = 1.0 / 15;
  q = q * s2 + 1.0 / 13;
  q = q * s2 + 1.0 / 11;
  q = q * s2 + 1.0 / 9;
  q = q * s2 + 1.0 / 7;
  q = q * s2 + 1.0 / 5;
  q = q * s2 + 1.0 / 3;
  q = q * s2 * s + s;
  const float log_limit = a == 0.0f ? -kInf : a;  // log2 of 0, inf and NaN
  const double log2a = (a > 0.0f) & (a < kInf) ? e + q * 2.8853900817779268 : static_cast<double>(log_limit);
  // 2^w by rounding and a Taylor series of the remainder.
  const double product = log2a * static_cast<double>(y);
  const double low = product < -200.0 ? -200.0 : product, w = low > 200.0 ? 200.0 : low;
  constexpr double kRound = 6755399441055744.0;  // 1.5 · 2^52
  const double k = (w + kRound) - kRound, r = (w - k) * 0.69314718055994531;
  double p = 1.0 / 40320;
  p = p * r + 1.0 / 5040;
  p = p * r + 1.0 / 720;
  p = p * r + 1.0 / 120;
  p = p * r + 1.0 / 24;
  p = p * r + 1.0 / 6;
  p = p * r + 0.5;
  p = p * r + 1.0;
  p = p * r + 1.0;
  const uint64_t exponent = bits_of(w + kRound) - 0x4338000000000000u + 1023u;
  float z = static_cast<float>(p * double_of(exponent << 52));
  // Integers: at 2^24 and above every float is even; below, adding and taking away 2^23 shows the fraction and parity.
  const float b = abs(y), rounded = b < 8388608.0f ? (b + 8388608.0f) - 8388608.0f : b;
  const float half = 0.5f * b, rounded_half = half < 8388608.0f ? (half + 8388608.0f) - 8388608.0f : half;
  const bool integer = rounded == b, odd = integer & (rounded_half != half);
  const bool negative = (bits_of(x) >> 31) != 0;
  z = negative & odd ? -z : z;
  z = (x < 0.0f) & (x > -kInf) & !integer ? nan() : z;
  z = is_nan(x) | is_nan(y) ? nan() : z;
  z = (x == -1.0f) & (b == kInf) ? 1.0f : z;
  return (x == 1.0f) | (y == 0.0f) ? 1.0f : z;
}

/// x^y for x >= 0 and y >= 0, in float alone: faster than pow, and less exact the larger y is. 0 below 2^-125, NaN
/// where x is infinite or NaN.
DH_HOST_DEVICE float pow_of_positive(float x, float y) {
  constexpr float kRound = 12582912.0f;  // 1.5 · 2^23
  const Mantissa m = split(x);
  const float f = m.f, f2 = f * f;
  const float log_m = multiply_add<true>(log_remainder<true>(f) * f, f2, multiply_add<true>(-0.5f, f2, f));
  const float scaled = log_m * y;
  // y log2 x = k + c + scaled / ln 2
  const float w = multiply_add<true>(y, m.e, scaled * 1.44269504f);
  const float t = (w > 128.0f ? 128.0f : w) + kRound, k = t - kRound;
  const float c = multiply_add<true>(y, m.e, -k);
  const float p = exp_near_zero<true>(multiply_add<true>(c, 0.693147181f, scaled));
  const float z = (p + p) * power_of_two(static_cast<int32_t>(bits_of(t) - 0x4b400001u));  // p · 2^k
  return select(x == 0.0f, y == 0.0f ? 1.0f : 0.0f, select(w < -125.0f, 0.0f, z) + x * 0.0f);
}

/// Sine and cosine of 2π t, t in [0, 1].
DH_HOST_DEVICE void sin_cos_turns(float t, float& sine, float& cosine) {
  constexpr float kRound = 12582912.0f;
  const float shifted = t * 4.0f + kRound;  // quarter turns
  const uint32_t quarter = bits_of(shifted);
  const float r = (t * 4.0f - (shifted - kRound)) * 1.57079633f, r2 = r * r;
  float s = -1.951665579e-4f;
  s = s * r2 + 8.332173543e-3f;
  s = s * r2 - 1.666665487e-1f;
  s = s * r2 * r + r;
  float c = 2.443772999e-5f;
  c = c * r2 - 1.388736145e-3f;
  c = c * r2 + 4.166664675e-2f;
  c = c * r2 * r2 - 0.5f * r2 + 1.0f;
  const float a = (quarter & 1u) ? c : s, b = (quarter & 1u) ? s : c;
  sine = (quarter & 2u) ? -a : a;
  cosine = ((quarter + 1u) & 2u) ? -b : b;
}

}  // namespace downhill::DH_ISA::math
