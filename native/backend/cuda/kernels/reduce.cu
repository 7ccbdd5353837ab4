// Sums, extremes and argmax. The order of combinations follows from the shape, never from timing or addresses.
#include "backend/cuda/commands/reduce.h"

#include "backend/cuda/device/block.cuh"
#include "backend/cuda/device/vector.cuh"
#include "backend/cuda/kernels/grid.cuh"
#include "ops/reduce.h"

namespace downhill::cuda {

namespace {

namespace functors = downhill::DH_ISA;

template <typename R>
struct Combine {
  __device__ typename R::Type operator()(typename R::Type a, typename R::Type b) const { return R::apply(a, b); }
};

/// ReduceShape::groups
template <typename R>
__global__ void __launch_bounds__(kReduceThreads) reduce_groups(ReduceArgs args, int lanes) {
  using T = typename R::Type;
  const int64_t pieces = pieces_of(args.n, args.piece), results = args.outer * pieces * args.inner;
  const int64_t per_block = kReduceThreads / lanes;
  const int lane = static_cast<int>(threadIdx.x) % lanes;
  for (int64_t first = blockIdx.x * per_block; first < results; first += gridDim.x * per_block) {
    const int64_t result = first + static_cast<int>(threadIdx.x) / lanes;
    T value = R::kIdentity;
    if (result < results) {
      const Division place = divide(result, args.inner), part = divide(place.quotient, pieces);
      const int64_t i = place.remainder, o = part.quotient, begin = part.remainder * args.piece, left = args.n - begin;
      const int64_t count = left < args.piece ? left : args.piece;
      const T* const x = static_cast<const T*>(args.x) + (o * args.n + begin) * args.inner + i;
      for (int64_t j = lane; j < count; j += lanes) value = R::apply(value, x[j * args.inner]);
    }
    for (int distance = lanes / 2; distance > 0; distance /= 2) value = R::apply(value, shuffle_xor(value, distance));
    if (lane == 0 && result < results) static_cast<T*>(args.y)[result] = value;
  }
}

/// ReduceShape::rows: quad q of a piece goes to thread q mod kReduceThreads.
template <typename R>
__global__ void __launch_bounds__(kReduceThreads) reduce_rows(ReduceArgs args) {
  using T = typename R::Type;
  const int64_t pieces = pieces_of(args.n, args.piece), results = args.outer * pieces;
  for (int64_t result = blockIdx.x; result < results; result += gridDim.x) {
    const Division part = divide(result, pieces);
    const int64_t begin = part.remainder * args.piece, left = args.n - begin;
    const int64_t count = left < args.piece ? left : args.piece;
    const T* const x = static_cast<const T*>(args.x) + part.quotient * args.n + begin;
    const bool aligned = is_aligned(x);
    T value[kQuad] = {R::kIdentity, R::kIdentity, R::kIdentity, R::kIdentity};
    const int64_t whole = count / kQuad * kQuad;
    for (int64_t j = threadIdx.x * kQuad; j < whole; j += kReduceThreads * kQuad) {
      T quad[kQuad];
      load_quad(x + j, aligned, kQuad, quad);
      for (int k = 0; k < kQuad; ++k) value[k] = R::apply(value[k], quad[k]);
    }
    if (whole + threadIdx.x < count) value[0] = R::apply(value[0], x[whole + threadIdx.x]);
    const T of_thread = R::apply(R::apply(value[0], value[1]), R::apply(value[2], value[3]));
    const T total = block_reduce(of_thread, Combine<R>(), R::kIdentity);
    if (threadIdx.x == 0) static_cast<T*>(args.y)[result] = total;
  }
}

/// ReduceShape::columns: row r of a piece goes to line r mod lines of the block.
template <typename R, int kVector>
__global__ void __launch_bounds__(kReduceThreads) reduce_columns(ReduceArgs args, int width) {
  using T = typename R::Type;
  __shared__ T shared[kReduceThreads][kVector];
  const int lines = kReduceThreads / width, line = static_cast<int>(threadIdx.x) / width;
  const int64_t columns = int64_t{width} * kVector, tiles = (args.inner + columns - 1) / columns;
  const int64_t pieces = pieces_of(args.n, args.piece), tasks = args.outer * pieces * tiles;
  for (int64_t task = blockIdx.x; task < tasks; task += gridDim.x) {
    const Division place = divide(task, tiles), part = divide(place.quotient, pieces);
    const int64_t begin = part.remainder * args.piece, left = args.n - begin;
    const int64_t count = left < args.piece ? left : args.piece;
    const int64_t i = (place.remainder * width + static_cast<int>(threadIdx.x) % width) * kVector;
    T value[kVector];
    for (int k = 0; k < kVector; ++k) value[k] = R::kIdentity;
    if (i < args.inner) {
      const T* const x = static_cast<const T*>(args.x) + (part.quotient * args.n + begin) * args.inner + i;
      const bool aligned = is_aligned(x);
      for (int64_t j = line; j < count; j += lines) {
        if constexpr (kVector == kQuad) {
          T quad[kQuad];
          load_quad(x + j * args.inner, aligned, kQuad, quad);
          for (int k = 0; k < kQuad; ++k) value[k] = R::apply(value[k], quad[k]);
        } else {
          value[0] = R::apply(value[0], x[j * args.inner]);
        }
      }
    }
    for (int k = 0; k < kVector; ++k) shared[threadIdx.x][k] = value[k];
    for (int half = lines / 2; half > 0; half /= 2) {
      __syncthreads();
      if (line < half)
        for (int k = 0; k < kVector; ++k)
          shared[threadIdx.x][k] =
              R::apply(shared[threadIdx.x][k], shared[static_cast<int>(threadIdx.x) + half * width][k]);
    }
    __syncthreads();
    if (line == 0 && i < args.inner)
      for (int k = 0; k < kVector; ++k)
        static_cast<T*>(args.y)[place.quotient * args.inner + i + k] = shared[threadIdx.x][k];
    __syncthreads();
  }
}

template <typename R>
void launch_reduction(const ReduceArgs& args, Stream stream) {
  const int64_t parts = args.outer * pieces_of(args.n, args.piece);
  if (parts * args.inner == 0) return;
  switch (reduce_shape(args.outer, args.n, args.inner)) {
    case ReduceShape::groups: {
      const int lanes = reduce_group(args.n, args.inner);
      const unsigned blocks = grid_for(parts * args.inner, kReduceThreads / lanes);
      return launch(reduce_groups<R>, blocks, kReduceThreads, 0, stream, args, lanes);
    }
    case ReduceShape::rows:
      return launch(reduce_rows<R>, grid_for(parts, 1), kReduceThreads, 0, stream, args);
    case ReduceShape::columns: {
      const ColumnTile tile = column_tile(args.inner);
      const int64_t columns = int64_t{tile.width} * tile.vector, tiles = (args.inner + columns - 1) / columns;
      const auto kernel = tile.vector == kQuad ? reduce_columns<R, kQuad> : reduce_columns<R, 1>;
      return launch(kernel, grid_for(parts * tiles, 1), kReduceThreads, 0, stream, args, tile.width);
    }
  }
}

template <template <typename> class R, typename Int>
void launch_typed(const ReduceArgs& args, Stream stream) {
  if (args.dtype == DType::float32)
    launch_reduction<R<float>>(args, stream);
  else
    launch_reduction<R<Int>>(args, stream);
}

/// Groups of lanes as in reduce_groups; a lane keeps its best candidate.
template <typename T>
__global__ void __launch_bounds__(kReduceThreads) argmax_groups(ArgmaxArgs args, int lanes) {
  const int64_t pieces = pieces_of(args.count, args.piece), results = args.outer * pieces * args.inner;
  const int64_t per_block = kReduceThreads / lanes;
  const int lane = static_cast<int>(threadIdx.x) % lanes;
  for (int64_t first = blockIdx.x * per_block; first < results; first += gridDim.x * per_block) {
    const int64_t result = first + static_cast<int>(threadIdx.x) / lanes;
    T best = T(0);
    int32_t where = -1;  // none yet
    if (result < results) {
      const Division place = divide(result, args.inner), part = divide(place.quotient, pieces);
      const int64_t i = place.remainder, o = part.quotient, begin = part.remainder * args.piece,
                    left = args.count - begin;
      const int64_t end = begin + (left < args.piece ? left : args.piece);
      const T* const x = static_cast<const T*>(args.x) + o * args.n * args.inner + i;
      const int32_t* const candidates = args.candidates ? args.candidates + o * args.count * args.inner + i : nullptr;
      for (int64_t j = begin + lane; j < end; j += lanes) {
        const int32_t at = candidates ? candidates[j * args.inner] : static_cast<int32_t>(j);
        const T value = x[at * args.inner];
        if (where >= 0 && !functors::ArgmaxOf::replaces(value, at, best, where)) continue;
        best = value;
        where = at;
      }
    }
    for (int distance = lanes / 2; distance > 0; distance /= 2) {
      const T other = shuffle_xor(best, distance);
      const int32_t at = shuffle_xor(where, distance);
      if (at < 0 || (where >= 0 && !functors::ArgmaxOf::replaces(other, at, best, where))) continue;
      best = other;
      where = at;
    }
    if (lane == 0 && result < results) args.y[result] = where;
  }
}

}  // namespace

void launch_reduce(const ReduceArgs& args, Stream stream) {
  switch (args.reduction) {
    case Reduction::sum:
      return launch_typed<functors::SumOf, uint32_t>(args, stream);
    case Reduction::max:
      return launch_typed<functors::MaxOf, int32_t>(args, stream);
    case Reduction::min:
      return launch_typed<functors::MinOf, int32_t>(args, stream);
  }
}

void launch_argmax(const ArgmaxArgs& args, Stream stream) {
  const int64_t results = args.outer * pieces_of(args.count, args.piece) * args.inner;
  if (results == 0 || args.n == 0) return;
  const int lanes = reduce_group(args.count, args.inner);
  const auto kernel = args.dtype == DType::float32 ? argmax_groups<float> : argmax_groups<int32_t>;
  launch(kernel, grid_for(results, kReduceThreads / lanes), kReduceThreads, 0, stream, args, lanes);
}

}  // namespace downhill::cuda
