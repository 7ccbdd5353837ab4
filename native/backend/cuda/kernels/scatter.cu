// gather's transpose: sums of the rows with the same index, in the order in which they stand. The indices are sorted
// together with their positions (least significant digits first, which keeps equal ones in order); then every element
// of the result has one owner, which adds up its row's list.
#include "backend/cuda/commands.h"
#include "backend/cuda/device/block.cuh"
#include "backend/cuda/device/row_tiles.cuh"

namespace downhill::cuda {

namespace {

constexpr int kWarps = kBlockThreads / kWarpSize;
constexpr int kDigitBits = 8;
constexpr unsigned kScanThreads = 1024;
static_assert(kBlockThreads == kScatterDigits, "a thread per digit");

struct Sum {
  __device__ uint32_t operator()(uint32_t a, uint32_t b) const { return a + b; }
};

/// One pass over a digit. Keys of the first pass are the indices, those outside [0, n) being n; positions their own.
struct Pass {
  const int32_t* indices;  // null: keys, positions
  const uint32_t *keys, *positions;
  uint32_t *keys_out, *positions_out;
  uint32_t* histogram;  // (digits, tiles)
  uint32_t count, n, tiles;
  int shift;

  __device__ uint32_t key(uint32_t i) const {
    if (!indices) return keys[i];
    const uint32_t index = static_cast<uint32_t>(indices[i]);
    return index < n ? index : n;
  }
  __device__ uint32_t position(uint32_t i) const { return indices ? i : positions[i]; }
  __device__ uint32_t digit(uint32_t key) const { return key >> shift & (kScatterDigits - 1); }
};

__global__ void __launch_bounds__(kBlockThreads) count_digits_kernel(Pass pass) {
  __shared__ uint32_t histogram[kScatterDigits];
  histogram[threadIdx.x] = 0;
  __syncthreads();
  const uint32_t begin = blockIdx.x * static_cast<uint32_t>(kScatterTile);
  for (uint32_t i = threadIdx.x; i < kScatterTile && begin + i < pass.count; i += kBlockThreads)
    atomicAdd(&histogram[pass.digit(pass.key(begin + i))], 1u);
  __syncthreads();
  pass.histogram[threadIdx.x * pass.tiles + blockIdx.x] = histogram[threadIdx.x];
}

/// x[i] ← the sum of x[0 … i - 1], by one block.
__global__ void __launch_bounds__(kScanThreads) exclusive_scan_kernel(uint32_t* x, uint32_t n) {
  uint32_t before = 0;
  for (uint32_t begin = 0; begin < n; begin += kScanThreads) {
    const uint32_t i = begin + threadIdx.x;
    uint32_t total;
    const uint32_t sum = block_exclusive_scan(i < n ? x[i] : 0u, Sum{}, 0u, total);
    if (i < n) x[i] = before + sum;
    before += total;
  }
}

/// Lanes of the warp with the same digit as this one; `valid` lanes only.
__device__ __forceinline__ uint32_t peers_of(uint32_t digit, bool valid) {
  uint32_t peers = __ballot_sync(kFullMask, valid);
  for (int bit = 0; bit < kDigitBits; ++bit) {
    const bool set = (digit >> bit & 1u) != 0;
    const uint32_t lanes = __ballot_sync(kFullMask, set);
    peers &= set ? lanes : ~lanes;
  }
  return peers;
}

__global__ void __launch_bounds__(kBlockThreads) place_kernel(Pass pass) {
  __shared__ uint32_t next[kScatterDigits];           // where the next key with that digit goes
  __shared__ uint32_t begin[kWarps][kScatterDigits];  // … of each warp
  const uint32_t tid = threadIdx.x, lane = tid % kWarpSize, warp = tid / kWarpSize;
  next[tid] = pass.histogram[tid * pass.tiles + blockIdx.x];
  for (uint32_t from = 0; from < kScatterTile; from += kBlockThreads) {
    for (int w = 0; w < kWarps; ++w) begin[w][tid] = 0;
    __syncthreads();
    const uint32_t i = blockIdx.x * static_cast<uint32_t>(kScatterTile) + from + tid;
    const bool valid = i < pass.count;
    const uint32_t key = valid ? pass.key(i) : 0, digit = pass.digit(key);
    const uint32_t peers = peers_of(digit, valid);
    const int rank = __popc(peers & ((1u << lane) - 1u));
    if (valid && rank == 0) begin[warp][digit] = static_cast<uint32_t>(__popc(peers));
    __syncthreads();
    for (int w = 0; w < kWarps; ++w) {  // of digit `tid`
      const uint32_t count = begin[w][tid];
      begin[w][tid] = next[tid];
      next[tid] += count;
    }
    __syncthreads();
    if (valid) {
      const uint32_t to = begin[warp][digit] + static_cast<uint32_t>(rank);
      pass.keys_out[to] = key;
      pass.positions_out[to] = pass.position(i);
    }
    __syncthreads();
  }
}

/// Few keys are sorted at once: each counts those that belong before it.
__global__ void __launch_bounds__(kBlockThreads) rank_kernel(Pass pass) {
  __shared__ uint32_t keys[kScatterTile];
  for (uint32_t i = threadIdx.x; i < pass.count; i += kBlockThreads) keys[i] = pass.key(i);
  __syncthreads();
  const uint32_t i = blockIdx.x * kBlockThreads + threadIdx.x;
  if (i >= pass.count) return;
  const uint32_t key = keys[i];
  uint32_t rank = 0;
  for (uint32_t j = 0; j < pass.count; ++j) rank += keys[j] < key || (keys[j] == key && j < i) ? 1 : 0;
  pass.keys_out[rank] = key;
  pass.positions_out[rank] = i;
}

/// starts[r] ← the first place of a key that is not below r, for r in [0, n].
__global__ void __launch_bounds__(kBlockThreads)
    row_starts_kernel(const uint32_t* keys, uint32_t count, uint32_t* starts, int64_t n) {
  const int64_t row = int64_t{blockIdx.x} * kBlockThreads + threadIdx.x;
  if (row > n) return;
  uint32_t low = 0, high = count;
  while (low < high) {
    const uint32_t middle = low + (high - low) / 2;
    if (keys[middle] < row)
      low = middle + 1;
    else
      high = middle;
  }
  starts[row] = low;
}

/// Rows (outer, n) of this piece.
template <typename T>
struct Sums {
  const T* x;
  T* y;
  const uint32_t *starts, *positions;
  RowTiles tiles;
  FastDivide n;
  int64_t x_outer, y_outer;
  bool first;  // run of indices: sums start from 0
};

template <typename T>
__global__ void __launch_bounds__(kBlockThreads) add_rows_kernel(Sums<T> args) {
  const int64_t row = args.tiles.row(), inner = args.tiles.columns;
  if (row >= args.tiles.rows) return;
  const uint32_t o = args.n(static_cast<uint32_t>(row)), r = static_cast<uint32_t>(row) - o * args.n.divisor();
  const uint32_t begin = args.starts[r], end = args.starts[r + 1];
  if (!args.first && begin == end) return;
  const T* const x = args.x + o * args.x_outer;
  T* const y = args.y + o * args.y_outer + r * inner;
  args.tiles.columns_of([&](int64_t column) {
    T sum = args.first ? T{} : y[column];
    for (uint32_t i = begin; i < end; ++i) sum += x[args.positions[i] * inner + column];
    y[column] = sum;
  });
}

class Scatter {
 public:
  Scatter(const ScatterAddArgs& args, const ScatterScratch& sizes, Stream stream)
      : args_(args), stream_(stream), sizes_(sizes) {
    uint32_t* at = static_cast<uint32_t*>(args.scratch);
    for (uint32_t** part : {&keys_[0], &keys_[1], &positions_[0], &positions_[1]}) {
      *part = at;
      at += sizes_.run;
    }
    histogram_ = at;
    starts_ = at + kScatterDigits * sizes_.tiles;
  }

  void run() {
    if (args_.outer == 0 || args_.n == 0 || args_.inner == 0) return;
    int64_t begin = 0;
    do {
      const int64_t count = args_.count - begin < sizes_.run ? args_.count - begin : sizes_.run;
      const int sorted = sort(begin, static_cast<uint32_t>(count));
      launch(row_starts_kernel, static_cast<unsigned>(blocks_for(args_.n + 1, kBlockThreads)), kBlockThreads, 0,
             stream_, keys_[sorted], static_cast<uint32_t>(count), starts_, args_.n);
      if (args_.dtype == DType::float32)
        add<float>(begin, positions_[sorted]);
      else
        add<uint32_t>(begin, positions_[sorted]);  // wraps around
      begin += count;
    } while (begin < args_.count);
  }

 private:
  /// Returns which of the two lists is in order.
  int sort(int64_t begin, uint32_t count) {
    Pass pass{};
    pass.count = count;
    constexpr int64_t kMostRows = int64_t{1} << 31;  // that have an index
    pass.n = static_cast<uint32_t>(args_.n < kMostRows ? args_.n : kMostRows);
    pass.tiles = static_cast<uint32_t>(blocks_for(count, kScatterTile));
    pass.histogram = histogram_;
    if (count == 0) return 0;
    if (pass.tiles == 1) {
      pass.indices = args_.indices + begin;
      pass.keys_out = keys_[0];
      pass.positions_out = positions_[0];
      launch(rank_kernel, static_cast<unsigned>(blocks_for(count, kBlockThreads)), kBlockThreads, 0, stream_, pass);
      return 0;
    }
    int list = 0;
    for (pass.shift = 0; pass.shift == 0 || (pass.shift < 32 && pass.n >> pass.shift != 0); pass.shift += kDigitBits) {
      pass.indices = pass.shift == 0 ? args_.indices + begin : nullptr;
      pass.keys = keys_[list];
      pass.positions = positions_[list];
      list ^= 1;
      pass.keys_out = keys_[list];
      pass.positions_out = positions_[list];
      launch(count_digits_kernel, pass.tiles, kBlockThreads, 0, stream_, pass);
      launch(exclusive_scan_kernel, 1, kScanThreads, 0, stream_, histogram_,
             static_cast<uint32_t>(kScatterDigits) * pass.tiles);
      launch(place_kernel, pass.tiles, kBlockThreads, 0, stream_, pass);
    }
    return list;
  }

  template <typename T>
  void add(int64_t begin, const uint32_t* positions) {
    const int64_t inner = args_.inner, x_outer = args_.count * inner, y_outer = args_.n * inner;
    for_row_pieces(args_.outer, args_.n, [&](int64_t o, int64_t outer, int64_t row, int64_t n) {
      const RowTiles tiles(outer * n, inner);
      const Sums<T> piece{static_cast<const T*>(args_.x) + o * x_outer + begin * inner,
                          static_cast<T*>(args_.y) + o * y_outer + row * inner,
                          starts_ + row,
                          positions,
                          tiles,
                          FastDivide(static_cast<uint32_t>(n)),
                          x_outer,
                          y_outer,
                          begin == 0};
      launch(add_rows_kernel<T>, tiles.blocks(), kBlockThreads, 0, stream_, piece);
    });
  }

  const ScatterAddArgs& args_;
  const Stream stream_;
  const ScatterScratch sizes_;
  uint32_t *keys_[2], *positions_[2], *histogram_, *starts_;
};

}  // namespace

void launch_scatter_add(const ScatterAddArgs& args, Stream stream) {
  Scatter(args, ScatterScratch(args.n, args.count), stream).run();
}

}  // namespace downhill::cuda
