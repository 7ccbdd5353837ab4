// Normalization of rows: values and gradients beside double over many pieces, what the planner joins, and that one step
// has the bits of the single ops.
#include "graph/normalization.h"

#include <algorithm>
#include <tuple>

#include "autodiff/gradients.h"
#include "op_runner.h"
#include "plan/memory.h"

using namespace downhill;
using namespace downhill::test;

namespace {

constexpr double kEpsilon = 0.07;

Attrs attrs_of(bool scale, bool center = false) {
  Attrs attrs = Attrs().set("epsilon", kEpsilon);
  if (scale) attrs.set("scale", 1);
  if (center) attrs.set("center", 1);
  return attrs;
}

/// In double, of one shape.
struct Reference {
  std::vector<double> y, d_x, d_gamma, d_beta;

  Reference(const Array& x, const Array& d_y, const Array& gamma, const Array& beta, bool rms) {
    const int64_t n = gamma.size(), rows = n == 0 ? 0 : x.size() / n;
    const auto count = static_cast<double>(n);
    d_gamma.assign(static_cast<size_t>(n), 0), d_beta = d_gamma;
    y.resize(static_cast<size_t>(x.size())), d_x = y;
    for (int64_t r = 0; r < rows; ++r) {
      const int64_t first = r * n;
      double mean = 0, square = 0, mean_d = 0, along = 0;
      for (int64_t j = 0; j < n && !rms; ++j) mean += x[first + j] / count;
      for (int64_t j = 0; j < n; ++j) square += (x[first + j] - mean) * (x[first + j] - mean) / count;
      const double inverse = 1 / std::sqrt(square + kEpsilon);
      const auto normalized = [&](int64_t j) { return (x[first + j] - mean) * inverse; };
      for (int64_t j = 0; j < n; ++j) {
        const double d = d_y[first + j] * gamma[j];
        if (!rms) mean_d += d / count;
        along += d * normalized(j) / count;
      }
      for (int64_t j = 0; j < n; ++j) {
        const auto at = static_cast<size_t>(first + j);
        y[at] = normalized(j) * gamma[j] + (rms ? 0 : beta[j]);
        d_x[at] = (d_y[first + j] * gamma[j] - mean_d - normalized(j) * along) * inverse;
        d_gamma[static_cast<size_t>(j)] += d_y[first + j] * normalized(j);
        d_beta[static_cast<size_t>(j)] += d_y[first + j];
      }
    }
  }
};

/// Short rows, rests of vectors, one piece and many, rows longer than a piece, none at all.
const std::vector<Shape> kShapes = {{1, 1},    {3, 5},    {7, 16},   {5, 63},    {4, 64},    {9, 130}, {2, 3, 1000},
                                    {700, 40}, {3000, 3}, {70, 300}, {11, 9000}, {40, 2500}, {0, 5},   {17}};

void values() {
  for (const Shape& shape : kShapes)
    for (const bool rms : {false, true}) {
      const Shape row{shape[shape.rank() - 1]};
      const Array x = floats(shape, -1, 5), d_y = floats(shape), gamma = floats(row), beta = floats(row);
      const Reference wanted(x, d_y, gamma, beta, rms);
      const auto near = [&](const char* what, const Array& found, const std::vector<double>& expected,
                            double tolerance = 2e-5) {
        expect(
            std::string(what) + (rms ? " of rms" : ""), found,
            [&](int64_t i) { return expected[static_cast<size_t>(i)]; }, tolerance);
      };
      const Op forward = rms ? Op::rmsNormalization : Op::layerNormalization,
               of_x = rms ? Op::rmsNormalizationGrad : Op::layerNormalizationGrad,
               of_scale = rms ? Op::rmsNormalizationScaleGrad : Op::layerNormalizationScaleGrad;
      near("y",
           rms ? run_op(forward, {x, gamma}, attrs_of(true)) : run_op(forward, {x, gamma, beta}, attrs_of(true, true)),
           wanted.y);
      near("d_x", run_op(of_x, {x, d_y, gamma}, attrs_of(true)), wanted.d_x);
      near("d_gamma", run_op(of_scale, {x, d_y}, attrs_of(false)), wanted.d_gamma, 2e-4);  // of many terms
    }
}

/// A normalization whose input is made by a step, with all gradients; `follow`: what becomes of that of its input.
struct Block {
  Graph g;
  NodeId x, other, gamma, beta, d_y, y;
  std::vector<NodeId> gradients_;
  std::vector<Array> inputs;

  explicit Block(const Shape& shape, bool rms = false) {
    const Shape row{shape[shape.rank() - 1]};
    const auto input = [&](const Shape& of) {
      inputs.push_back(floats(of, -1, 3));
      return g.input(of, DType::float32);
    };
    x = input(shape), other = input(shape), gamma = input(row), beta = input(row), d_y = input(shape);
    const Op op = rms ? Op::rmsNormalization : Op::layerNormalization;
    y = rms ? g.add(op, {x, gamma}, attrs_of(true)) : g.add(op, {x, gamma, beta}, attrs_of(true, true));
    const std::vector<NodeId> wrt = rms ? std::vector<NodeId>{x, gamma} : std::vector<NodeId>{x, gamma, beta};
    gradients_ = gradients(g, y, wrt, d_y);
  }
  Plan plan(std::vector<NodeId> outputs, bool tails = true) const {
    PlanOptions options;
    options.outputs = std::move(outputs);
    options.tails = tails;
    return make_plan(g, options);
  }
};

std::vector<std::string> names_of(const Plan& plan) {
  std::vector<std::string> names;
  for (const Step& step : plan.steps) names.push_back(name_of(step));
  return names;
}

void expect_steps(const char* what, const Plan& plan, const std::vector<std::string>& expected) {
  CHECK(names_of(plan) == expected, "%s:\n%s", what, describe(plan).c_str());
}

void what_is_joined() {
  Block b({6, 4, 8});
  const auto [of_x, of_gamma, of_beta] = std::tie(b.gradients_[0], b.gradients_[1], b.gradients_[2]);
  expect_steps("all", b.plan({of_x, of_gamma, of_beta}), {"layerNormalizationGrad+scaleGrad+columnSums"});
  expect_steps("in another order", b.plan({of_beta, of_gamma, of_x}), {"layerNormalizationGrad+scaleGrad+columnSums"});
  expect_steps("of x and gamma", b.plan({of_x, of_gamma}), {"layerNormalizationGrad+scaleGrad"});
  expect_steps("of x and beta", b.plan({of_x, of_beta}), {"layerNormalizationGrad+columnSums"});
  expect_steps("of gamma and beta", b.plan({of_gamma, of_beta}), {"layerNormalizationScaleGrad+columnSums"});
  expect_steps("of beta", b.plan({of_beta}), {"sum"});
  expect_steps("of x, plain", b.plan({of_x}), {"layerNormalizationGrad"});
  const NodeId wide = b.g.add(Op::reshape, {b.d_y}, Attrs().set("shape", std::vector<int64_t>{48, 4})),
               sums = b.g.add(Op::sum, {wide}, Attrs().set("axes", std::vector<int64_t>{0}));
  expect_steps("sums of other columns", b.plan({of_x, sums}), {"layerNormalizationGrad", "sum"});
  const NodeId epsilon = b.g.add(Op::layerNormalizationScaleGrad, {b.x, b.d_y}, Attrs().set("epsilon", 1));
  expect_steps("another epsilon", b.plan({of_x, epsilon}), {"layerNormalizationGrad", "layerNormalizationScaleGrad"});
  const NodeId flat = b.g.add(Op::reshape, {b.d_y}, Attrs().set("shape", std::vector<int64_t>{24, 8})),
               a = b.g.input(Shape{24, 5}, DType::float32),
               product = b.g.add(Op::matmul, {a, flat}, Attrs().set("transposeA", 1));
  expect_steps("before the sums of a product", b.plan({product, of_x, of_gamma, of_beta}),
               {"layerNormalizationGrad+scaleGrad+columnSums", "matmul"});
}

/// Gradients are written over what dies: d_y, made by a step, and with a tail nothing that the tail still reads.
void memory() {
  Block b({6, 8});
  const NodeId d = b.g.add(Op::matmul, {b.other, b.g.input(Shape{8, 8}, DType::float32)}),
               gradient = b.g.add(Op::layerNormalizationGrad, {b.x, d, b.gamma}, attrs_of(true)),
               last = b.g.add(Op::softmax, {gradient}, Attrs().set("axis", -1));
  const Plan over = b.plan({last});
  CHECK(over.arena_bytes == 192, "%s", describe(over).c_str());
  const NodeId residual = b.g.add(Op::add, {gradient, d}),
               after = b.g.add(Op::softmax, {residual}, Attrs().set("axis", -1));
  const Plan kept = b.plan({after});
  CHECK(kept.steps.size() == 3 && kept.steps[1].tail.size() == 1 && kept.arena_bytes == 384, "%s",
        describe(kept).c_str());
}

/// Whether a step of gradients with a residual, and what it is made of, give the same bits.
void joined_steps_give_the_same_bits() {
  for (const Shape& shape : kShapes)
    for (const bool rms : {false, true}) {
      if (shape.size() == 0) continue;
      Block b(shape, rms);
      const NodeId made = b.g.add(Op::neg, {b.d_y}), of_x = gradients(b.g, b.y, {b.x}, made)[0],
                   of_gamma = gradients(b.g, b.y, {b.gamma}, made)[0], residual = b.g.add(Op::add, {of_x, b.other}),
                   forward = b.g.add(Op::dropout, {b.y}, Attrs().set("rate", 0.3).set("key", 5));
      std::vector<NodeId> all{residual, of_gamma, b.y, forward};
      if (!rms) all.push_back(gradients(b.g, b.y, {b.beta}, made)[0]);
      const Plan plan = b.plan(all);
      int joined = 0, tails = 0;
      for (const Step& step : plan.steps)
        joined += step.scale_gradient >= 0, tails += static_cast<int>(step.tail.size());
      CHECK(joined == 1 && tails == 2, "%s", describe(plan).c_str());
      for (const std::string& isa : cpu::available_isas()) {
        cpu::select_isa(isa);
        cpu::set_threads(1);
        std::vector<Array> single;
        for (NodeId id : all) single.push_back(run_plan(b.plan({id}, false), b.inputs, 4)[0]);
        for (int threads = 1; threads <= 3; ++threads) {
          cpu::set_threads(threads);
          const std::vector<Array> found = run_plan(plan, b.inputs, 4);
          if (!rms && threads == 1) {  // a lone sum is cut into other pieces
            expect("d_beta", found[4], [&](int64_t i) { return single[4][i]; });
            single[4] = found[4];
          }
          for (size_t i = 0; i < found.size(); ++i)
            CHECK(same_bits(found[i], single[i]), "%s, %s, %d threads: output %zu differs\n%s",
                  shape.to_string().c_str(), isa.c_str(), threads, i, describe(plan).c_str());
        }
      }
    }
}

/// A row of NaN or infinities stays its own; one of equal elements is beta.
void special_rows() {
  Array x = floats({4, 37}), gamma = floats({37}), beta = floats({37});
  std::fill(x.f.begin(), x.f.begin() + 37, 3.25F);
  x.f[37 + 36] = std::numeric_limits<float>::quiet_NaN();
  x.f[74] = std::numeric_limits<float>::infinity();
  const Array y = run_op(Op::layerNormalization, {x, gamma, beta}, attrs_of(true, true));
  for (int64_t j = 0; j < 37; ++j) {
    CHECK(y[j] == beta[j], "element %d", static_cast<int>(j));
    CHECK(std::isnan(y[37 + j]) && std::isnan(y[74 + j]) && std::isfinite(y[111 + j]), "element %d",
          static_cast<int>(j));
  }
}

}  // namespace

int main() {
  values();
  what_is_joined();
  memory();
  joined_steps_give_the_same_bits();
  special_rows();
  return report("normalization");
}
