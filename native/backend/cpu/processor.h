// What this processor has, and what of it is known to be fast.
#pragma once

namespace downhill::cpu {

bool has_avx2();
bool has_avx512();
/// AMX's tiles and products of bfloat16, and leave of the system to use them: it is asked the first time.
bool may_use_amx();
bool has_avx512_bf16();
/// Whether dot products of bfloat16 pairs are known to be faster than float32: a table, see docs/numerics.md.
bool avx512_bf16_is_fast();

}  // namespace downhill::cpu
