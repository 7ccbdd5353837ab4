// Scaled dot-product attention with running maxima and sums (Dao et al. 2022, arXiv:2205.14135): only blocks of scores
// exist. Backward, probabilities come again from the scores and what is kept of each query.
#include "backend/cpu/kernels/attention_blocks.h"
#include "backend/cpu/kernels/attention_entry.h"
#include "backend/cpu/pool.h"
#include "ops/noise.h"

namespace downhill::cpu::DH_ISA {
namespace {

using downhill::DH_ISA::Dropout;

constexpr int64_t kChunks = 64;  // at most: each has memory of its own
constexpr int64_t kEnough = 16;  // examples times heads from which each goes to one thread as a whole
constexpr int64_t kScores = kKeys * kQueries;

/// Memory of one chunk, in floats.
struct Room {
  int64_t queries = 0, d = 0;             // transposed
  int64_t scores = 0, d_scores = 0;       // (kKeys, kQueries)
  int64_t q = 0, k = 0, v = 0, rows = 0;  // padded copies, where rows are no whole vectors
  int64_t total = 0;

  explicit Room(const AttentionCall& args) {
    const auto take = [&](int64_t floats) {
      const int64_t at = total;
      total += ceil_div(floats, 16) * 16;
      return at;
    };
    queries = take(args.dim * kQueries);
    scores = take(kScores);
    if (!args.backward) {
      v = take(room_for(kKeys, args.value_dim));
      return;
    }
    d = take(args.value_dim * kQueries);
    d_scores = take(kScores);
    q = take(room_for(kQueries, args.dim));
    k = take(room_for(kKeys, args.dim));
    rows = take(room_for(kQueries, args.value_dim));
  }
};

Block block_of(const AttentionArgs& args, int64_t query) {
  Block block{query, smaller(kQueries, args.queries - query), 0, 0, 0};
  block.lanes = whole(block.queries);
  return block;
}

void forward_block(const AttentionArgs& args, int64_t index, int64_t query, const Room& room, float* own) {
  const Head at(args, index);
  Block block = block_of(args, query);
  float *const queries = own + room.queries, *const scores = own + room.scores;
  transpose_queries(at.q + query * args.q.row, args.q.row, args.dim, block, args.scale, queries);
  const int64_t y_row = args.y_row, lanes = block.lanes;
  float* const y = args.y + (at.example * args.queries + query) * y_row;
  float* const out = y + at.head * args.value_dim;
  alignas(64) float top[kQueries], total[kQueries], shift[kQueries], keep[kQueries];
  for (int64_t l = 0; l < kQueries; ++l) top[l] = formula::kHidden, total[l] = 0.0f, shift[l] = 0.0f;

  const int64_t end = visible(args, query, block.queries);
  for (int64_t key = 0; key < end; key += kKeys) {
    block.key = key, block.keys = smaller(kKeys, end - key);
    product(at.k + key * args.k.row, args.k.row, 1, block.keys, {queries, kQueries}, args.dim, scores, kQueries, lanes,
            false);
    hide(args, at, block, scores);
    alignas(64) float most[kQueries];
    for (int64_t l = 0; l < lanes; ++l) most[l] = top[l];
    for (int64_t j = 0; j < block.keys; ++j)
      for (int64_t l = 0; l < lanes; ++l)
        most[l] = downhill::DH_ISA::math::select(scores[j * kQueries + l] > most[l], scores[j * kQueries + l], most[l]);
    for (int64_t l = 0; l < lanes; ++l) {
      shift[l] = formula::shift_of(most[l]);
      keep[l] = formula::exponential(top[l], shift[l]);
      total[l] *= keep[l];
      top[l] = most[l];
    }
    for (int64_t j = 0; j < block.keys; ++j) {
      float* const s = scores + j * kQueries;
#pragma GCC ivdep
      for (int64_t l = 0; l < lanes; ++l) {
        s[l] = formula::exponential(s[l], shift[l]);
        total[l] += s[l];
      }
    }
    if (args.rate > 0) {
      const Dropout drop(args.rate);
      draw_numbers(args, at, block, [&](int64_t l, int64_t j, float number) {
        scores[j * kQueries + l] = drop(scores[j * kQueries + l], number);
      });
    }
    if (key > 0) {
      for (int64_t r = 0; r < block.queries; ++r)
        for (int64_t c = 0; c < args.value_dim; ++c) out[r * y_row + c] *= keep[r];
    }
    const Rows values = readable(at.v + key * args.v.row, args.v.row, block.keys, args.value_dim, own + room.v);
    product(scores, 1, kQueries, block.queries, values, block.keys, out, y_row, args.value_dim, key > 0);
  }

  for (int64_t r = 0; r < block.queries; ++r) {
    const float factor = formula::factor_of(total[r]);
    for (int64_t c = 0; c < args.value_dim; ++c) out[r * y_row + c] = end > 0 ? out[r * y_row + c] * factor : 0.0f;
    y[r * y_row + args.shift + at.head] = shift[r];
    y[r * y_row + args.factor + at.head] = factor;
  }
}

/// What is wanted of a pass backward over queries and keys of one head.
struct Wanted {
  int64_t query, queries_end, key, keys_end;
  bool of_queries, of_keys;  // gradients of q; of k and v
};

void set_zero(const AttentionRows& to, int64_t first, int64_t rows, int64_t column, int64_t columns) {
  for (int64_t r = first; r < first + rows; ++r)
    for (int64_t c = 0; c < columns; ++c) to.at[r * to.row + column + c] = 0.0f;
}

void backward_blocks(const AttentionArgs& args, int64_t index, const Wanted& wanted, const Room& room, float* own) {
  const Head at(args, index);
  float *const queries = own + room.queries, *const d_queries = own + room.d;
  float *const p = own + room.scores, *const d_p = own + room.d_scores;
  const int64_t y_row = args.y_row, width = args.results();
  const int64_t first_key = at.example * args.keys, column = at.head * args.dim, values = at.head * args.value_dim;
  if (wanted.of_keys) {
    set_zero(args.d_k, first_key + wanted.key, wanted.keys_end - wanted.key, column, args.dim);
    set_zero(args.d_v, first_key + wanted.key, wanted.keys_end - wanted.key, values, args.value_dim);
  }
  for (int64_t query = wanted.query; query < wanted.queries_end; query += kQueries) {
    Block block = block_of(args, query);
    const int64_t row = at.example * args.queries + query, lanes = block.lanes;
    if (wanted.of_queries) set_zero(args.d_q, row, block.queries, column, args.dim);
    const int64_t end = smaller(wanted.keys_end, visible(args, query, block.queries));
    if (wanted.key >= end) continue;

    const float *const q = at.q + query * args.q.row, *const d = args.d + row * width + values;
    transpose_queries(q, args.q.row, args.dim, block, args.scale, queries);
    transpose_queries(d, width, args.value_dim, block, 1.0f, d_queries);
    alignas(64) float delta[kQueries] = {}, shift[kQueries] = {}, factor[kQueries] = {};
    for (int64_t r = 0; r < block.queries; ++r) {
      const float* const y = args.y + (row + r) * y_row;
      float sum = 0.0f;
      for (int64_t c = 0; c < args.value_dim; ++c) sum += y[values + c] * d[r * width + c];
      delta[r] = sum, shift[r] = y[args.shift + at.head], factor[r] = y[args.factor + at.head];
    }
    Rows q_rows{}, d_rows{};
    if (wanted.of_keys) {
      q_rows = readable(q, args.q.row, block.queries, args.dim, own + room.q);
      d_rows = readable(d, width, block.queries, args.value_dim, own + room.rows);
    }
    for (int64_t key = wanted.key; key < end; key += kKeys) {
      block.key = key, block.keys = smaller(kKeys, end - key);
      const Rows transposed{queries, kQueries}, d_transposed{d_queries, kQueries};
      product(at.k + key * args.k.row, args.k.row, 1, block.keys, transposed, args.dim, p, kQueries, lanes, false);
      product(at.v + key * args.v.row, args.v.row, 1, block.keys, d_transposed, args.value_dim, d_p, kQueries, lanes,
              false);
      hide(args, at, block, p);
      for (int64_t j = 0; j < block.keys; ++j) {
        float* const s = p + j * kQueries;
#pragma GCC ivdep
        for (int64_t l = 0; l < lanes; ++l) s[l] = formula::probability(s[l], shift[l], factor[l]);
      }
      if (args.rate > 0) {
        const Dropout drop(args.rate);
        draw_numbers(args, at, block, [&](int64_t l, int64_t j, float number) {
          float &one = p[j * kQueries + l], &d_one = d_p[j * kQueries + l];
          d_one = formula::product_gradient(one, drop(d_one, number), delta[l], args.scale);
          one = drop(one, number);
        });
      } else {
        for (int64_t j = 0; j < block.keys; ++j) {
          float *const s = p + j * kQueries, *const d_s = d_p + j * kQueries;
#pragma GCC ivdep
          for (int64_t l = 0; l < lanes; ++l) d_s[l] = formula::product_gradient(s[l], d_s[l], delta[l], args.scale);
        }
      }
      if (wanted.of_keys) {
        const int64_t to = first_key + key;
        product(p, kQueries, 1, block.keys, d_rows, block.queries, args.d_v.at + to * args.d_v.row + values,
                args.d_v.row, args.value_dim, true);
        product(d_p, kQueries, 1, block.keys, q_rows, block.queries, args.d_k.at + to * args.d_k.row + column,
                args.d_k.row, args.dim, true);
      }
      if (wanted.of_queries) {
        const Rows k_rows = readable(at.k + key * args.k.row, args.k.row, block.keys, args.dim, own + room.k);
        product(d_p, 1, kQueries, block.queries, k_rows, block.keys, args.d_q.at + row * args.d_q.row + column,
                args.d_q.row, args.dim, true);
      }
    }
  }
}

/// body(task, memory) for all tasks: a chunk takes its tasks one after the other, in the same memory.
template <typename F>
void for_tasks(const AttentionArgs& args, int64_t tasks, const Room& room, F&& body) {
  const int64_t chunks = smaller(tasks, kChunks);
  parallel_for(chunks, [&](int64_t chunk) {
    float* const own = reinterpret_cast<float*>(args.scratch) + chunk * room.total;
    for (int64_t task = tasks * chunk / chunks; task < tasks * (chunk + 1) / chunks; ++task) body(task, own);
  });
}

void forward(const AttentionArgs& args) {
  const int64_t heads = args.n * args.heads, blocks = ceil_div(args.queries, kQueries);
  const Room room(args);
  for_tasks(args, heads * blocks, room,
            [&](int64_t task, float* own) { forward_block(args, task / blocks, task % blocks * kQueries, room, own); });
}

void backward(const AttentionArgs& args) {
  const int64_t heads = args.n * args.heads;
  const int64_t query_blocks = ceil_div(args.queries, kQueries), key_blocks = ceil_div(args.keys, kKeys);
  const Room room(args);
  if (heads >= kEnough || (query_blocks <= 1 && key_blocks <= 1)) {
    for_tasks(args, heads, room, [&](int64_t task, float* own) {
      backward_blocks(args, task, {0, args.queries, 0, args.keys, true, true}, room, own);
    });
    return;
  }
  // Few heads: blocks of keys and blocks of queries by themselves, with the scores of each made twice.
  const int64_t blocks = query_blocks + key_blocks;
  for_tasks(args, heads * blocks, room, [&](int64_t task, float* own) {
    const int64_t block = task % blocks, key = block * kKeys, query = (block - key_blocks) * kQueries;
    const Wanted wanted = block < key_blocks
                              ? Wanted{0, args.queries, key, smaller(key + kKeys, args.keys), false, true}
                              : Wanted{query, smaller(query + kQueries, args.queries), 0, args.keys, true, false};
    backward_blocks(args, task / blocks, wanted, room, own);
  });
}

size_t scratch_bytes(const AttentionCall& args) {
  const int64_t blocks = ceil_div(args.queries, kQueries) + ceil_div(args.keys, kKeys);
  const int64_t chunks = smaller(args.n * args.heads * blocks, kChunks);
  return static_cast<size_t>(chunks * Room(args).total) * sizeof(float);
}

}  // namespace

extern const AttentionKernels attention_kernels = {scratch_bytes, forward, backward};

}  // namespace downhill::cpu::DH_ISA
