// Element types of tensors.
#pragma once
#include <cstddef>
#include <cstdint>

namespace downhill {

enum class DType : uint8_t { float32, int32 };
inline constexpr int kDTypeCount = 2;

inline const char* name_of(DType dtype) { return dtype == DType::float32 ? "float32" : "int32"; }
inline size_t size_of(DType) { return 4; }

}  // namespace downhill
