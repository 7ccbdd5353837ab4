// What matmul.cpp, recurrent.cpp and conv.cpp give to the kernel tables of processors with instructions for bfloat16:
// DH_ISA is amx or avx512_bf16.
#pragma once
#include "backend/cpu/kernels/conv.h"
#include "backend/cpu/kernels/matmul.h"
#include "backend/cpu/kernels/recurrent.h"
#include "core/host_device.h"

namespace downhill::cpu {

namespace avx512 {
extern const MatmulKernels matmul_kernels;
extern const RecurrentKernels recurrent_kernels;
extern const ConvKernels conv_kernels;
}  // namespace avx512
namespace amx {
extern const MatmulKernels matmul_kernels;    // float32, from operands in three parts
extern const MatmulKernels bfloat16_kernels;  // of operands rounded to bfloat16
extern const RecurrentKernels recurrent_kernels;
extern const RecurrentKernels bfloat16_recurrent_kernels;
extern const ConvKernels conv_kernels;
extern const ConvKernels bfloat16_conv_kernels;
}  // namespace amx
namespace avx512_bf16 {
extern const MatmulKernels bfloat16_kernels;
extern const RecurrentKernels bfloat16_recurrent_kernels;
extern const ConvKernels bfloat16_conv_kernels;
}  // namespace avx512_bf16

}  // namespace downhill::cpu
