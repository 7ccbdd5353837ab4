// Steps on sparse rows (CSR). Indices are checked before anything is read or written through them.
#include <algorithm>
#include <cstring>

#include "backend/cpu/program.h"
#include "backend/cpu/steps/row_gradients.h"
#include "core/error.h"

namespace downhill::cpu {

namespace {

constexpr int64_t kTask = 1 << 16;  // multiplications of one task: shorter ones gain nothing from a second thread

/// What all of them have: the matrix, and how its rows are cut into tasks.
struct Sparse {
  int indptr, indices, values;  // -1: it has none
  int64_t rows, columns, room;  // for values
  IndexDomain domain;
  const SparseKernels* kernels;
  bool check, given;  // its indices are inputs of the program

  Sparse(const Build& build, int64_t columns, bool has_values)
      : indptr(build.id(0)),
        indices(build.id(1)),
        values(has_values ? build.id(2) : -1),
        rows(build.in(0).shape.size() - 1),
        columns(columns),
        room(build.in(1).shape.size()),
        domain(index_domain(build.plan, build.step)),
        kernels(&build.table.sparse),
        check(!checked_before(build.plan, build.step)),
        given(build.in(0).place == Place::input && build.in(1).place == Place::input) {}

  SparseRows at(const Run& run) const {
    const SparseRows a{static_cast<const int32_t*>(run.at[indptr]), static_cast<const int32_t*>(run.at[indices]),
                       values < 0 ? nullptr : static_cast<const float*>(run.at[values]), rows, columns};
    if (!check || (given && run.sparse_checked)) return a;
    const int64_t position = kernels->first_wrong(a, room);
    if (position >= 0) throw domain.error(position < room ? a.indices[position] : a.indptr[position - room], position);
    return a;
  }

  /// Runs body(begin, end) over the rows; each value costs `width` multiplications.
  template <typename F>
  void for_rows(int64_t width, F&& body) const {
    const int64_t row = std::max<int64_t>(room / std::max<int64_t>(rows, 1), 1) * std::max<int64_t>(width, 1);
    for_pieces(rows, std::max<int64_t>(kTask / row, 1), body);
  }
};

std::unique_ptr<Launch> compile_product(const Build& build) {
  const Sparse sparse(build, build.step.attrs.integer("columns"), true);
  const int b = build.id(3), y = build.step.output;
  const int64_t n = build.out().shape[1];
  return launch([=](const Run& run) {
    const SparseRows a = sparse.at(run);
    const float* const from = static_cast<const float*>(run.at[b]);
    float* const to = static_cast<float*>(run.at[y]);
    sparse.for_rows(n, [&](int64_t begin, int64_t end) { sparse.kernels->product(a, from, to, n, begin, end); });
  });
}

/// Ranges of columns with about as many values each.
void choose_columns(const SparseRows& a, int64_t unit, int64_t ranges, int64_t* bounds) {
  choose_ranges(a.indices + a.indptr[0], a.indptr[a.rows] - a.indptr[0], a.columns, unit, ranges, bounds);
}

std::unique_ptr<Launch> compile_transposed(const Build& build) {
  const Sparse sparse(build, build.step.attrs.integer("columns"), true);
  const int b = build.id(3), y = build.step.output;
  const int64_t n = build.out().shape[1];
  const int64_t ranges = std::clamp<int64_t>(sparse.room * n / kTask, 1, kMostRanges);
  return launch([=](const Run& run) {
    const SparseRows a = sparse.at(run);
    const float* const from = static_cast<const float*>(run.at[b]);
    float* const to = static_cast<float*>(run.at[y]);
    int64_t bounds[kMostRanges + 1];
    choose_columns(a, 1, ranges, bounds);
    for_pieces(ranges, 1, [&](int64_t begin, int64_t end) {
      sparse.kernels->transposed(a, from, to, n, bounds[begin], bounds[end]);
    });
  });
}

/// The same for a gradient of which only the columns that occur are written.
std::unique_ptr<Launch> compile_transposed_rows(const Build& build) {
  const Sparse sparse(build, build.step.attrs.integer("columns"), true);
  const int b = build.id(3), y = build.step.output;
  const int64_t n = build.out().shape[1];
  const int64_t ranges = std::clamp<int64_t>(sparse.room * n / kTask, 1, kMostRanges);
  TouchedRows* const list = build.out().storage->rows.get();
  return launch([=](const Run& run) {
    const SparseRows a = sparse.at(run);
    const float* const from = static_cast<const float*>(run.at[b]);
    float* const to = static_cast<float*>(run.at[y]);
    int64_t bounds[kMostRanges + 1];
    choose_columns(a, kMarkBits, ranges, bounds);
    const RowWriter writer(*list, to, a.columns, n, sparse.room);
    for_pieces(ranges, 1, [&](int64_t first, int64_t) {
      const int64_t begin = bounds[first], end = bounds[first + 1];
      writer.clear(begin, end);
      sparse.kernels->add_transposed(a, from, to, n, begin, end);
      for (int64_t r = 0; r < a.rows; ++r) {
        const int32_t* const last = a.indices + a.indptr[r + 1];
        for (const int32_t* c = std::lower_bound(a.indices + a.indptr[r], last, begin); c < last && *c < end; ++c)
          writer.mark(*c);
      }
    });
    writer.finish();
  });
}

std::unique_ptr<Launch> compile_dots(const Build& build) {
  const Sparse sparse(build, build.in(3).shape[0], false);
  const int left = build.id(2), right = build.id(3), y = build.step.output;
  const int64_t n = build.in(2).shape[1];
  return launch([=](const Run& run) {
    const SparseRows a = sparse.at(run);
    const float *const x = static_cast<const float*>(run.at[left]), *const z = static_cast<const float*>(run.at[right]);
    float* const to = static_cast<float*>(run.at[y]);
    std::fill(to, to + a.indptr[0], 0.0f);
    std::fill(to + a.indptr[a.rows], to + sparse.room, 0.0f);
    sparse.for_rows(n, [&](int64_t begin, int64_t end) { sparse.kernels->dots(a, x, z, to, n, begin, end); });
  });
}

std::unique_ptr<Launch> compile_sparse_dropout(const Build& build) {
  const Attrs& attrs = build.step.attrs;
  const Sparse sparse(build, attrs.integer("columns"), true);
  const int y = build.step.output;
  const float rate = static_cast<float>(attrs.number("rate"));
  const auto key = static_cast<uint64_t>(attrs.integer("key"));
  constexpr int64_t kDraw = 8;  // as dear as so many multiplications
  return launch([=](const Run& run) {
    const SparseRows a = sparse.at(run);
    float* const to = static_cast<float*>(run.at[y]);
    sparse.for_rows(
        kDraw, [&](int64_t begin, int64_t end) { sparse.kernels->dropout(a, to, rate, key, run.step, begin, end); });
  });
}

}  // namespace

std::unique_ptr<Launch> compile_sparse(const Build& build) {
  switch (build.step.op) {
    case Op::sparseMatmulGrad:
      return compile_dots(build);
    case Op::sparseDropout:
      return compile_sparse_dropout(build);
    default:
      if (writes_rows(build.plan, build.step)) return compile_transposed_rows(build);
      return build.step.attrs.flag("transposeA") ? compile_transposed(build) : compile_product(build);
  }
}

}  // namespace downhill::cpu
