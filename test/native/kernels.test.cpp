// Elementwise, reducing and row kernels and products against references in double, on random shapes.
#include <algorithm>

#include "op_runner.h"

using namespace downhill;
using namespace downhill::test;

namespace {

const double kInf = std::numeric_limits<double>::infinity();
const double kNan = std::numeric_limits<double>::quiet_NaN();
double sigmoid(double x) { return 1 / (1 + std::exp(-x)); }
double relu(double x) { return x > 0 || x != x ? x : 0; }
constexpr double kAlpha = 1.6732632423543772, kScale = 1.0507009873554805;

Array with_specials(Array a) {
  const float specials[] = {0.0f,
                            -0.0f,
                            1.0f,
                            -1.0f,
                            1e-30f,
                            30.0f,
                            -30.0f,
                            100.0f,
                            -100.0f,
                            std::numeric_limits<float>::infinity(),
                            -std::numeric_limits<float>::infinity(),
                            std::numeric_limits<float>::quiet_NaN()};
  for (size_t i = 0; i < std::size(specials) && i < a.f.size(); ++i) a.f[i] = specials[i];
  return a;
}

void unary() {
  struct Case {
    Op op;
    std::function<double(double)> f;
    Attrs attrs = {};
  };
  const auto gelu = [](double x) { return x < -20 ? 0 : 0.5 * x * std::erfc(-x * M_SQRT1_2); };
  const auto gelu_tanh = [](double x) {
    return x < -20 ? 0 : 0.5 * x * (1 + std::tanh(std::sqrt(2 / M_PI) * (x + 0.044715 * x * x * x)));
  };
  const Case cases[] = {
      {Op::neg, [](double x) { return -x; }},
      {Op::abs, [](double x) { return std::fabs(x); }},
      {Op::sign, [](double x) { return x > 0   ? 1
                                       : x < 0 ? -1
                                               : x; }},
      {Op::square, [](double x) { return x * x; }},
      {Op::exp, [](double x) { return std::exp(x); }},
      {Op::log, [](double x) { return std::log(x); }},
      {Op::sqrt, [](double x) { return std::sqrt(x); }},
      {Op::rsqrt, [](double x) { return 1 / std::sqrt(x); }},
      {Op::erf, [](double x) { return std::erf(x); }},
      {Op::clip, [](double x) { return x != x ? x : std::min(std::max(x, -0.5), 1.5); },
       Attrs().set("low", -0.5).set("high", 1.5)},
      {Op::relu, relu},
      {Op::leakyRelu, [](double x) { return x > 0 ? x : 0.25 * x; }, Attrs().set("alpha", 0.25)},
      {Op::elu, [](double x) { return x > 0 ? x : 1.5 * std::expm1(x); }, Attrs().set("alpha", 1.5)},
      {Op::selu, [](double x) { return kScale * (x > 0 ? x : kAlpha * std::expm1(x)); }},
      {Op::gelu, gelu, Attrs().set("approximate", 0)},
      {Op::gelu, gelu_tanh, Attrs().set("approximate", 1)},
      {Op::silu, [](double x) { return x == -kInf ? 0 : x * sigmoid(x); }},
      {Op::sigmoid, sigmoid},
      {Op::tanh, [](double x) { return std::tanh(x); }},
      {Op::softplus, [](double x) { return std::log1p(std::exp(-std::fabs(x))) + relu(x); }},
      {Op::softsign, [](double x) { return std::isinf(x) ? (x > 0 ? 1 : -1) : x / (1 + std::fabs(x)); }},
  };
  for (const Case& c : cases)
    for (const Shape& shape : {Shape{}, Shape{1}, Shape{13}, Shape{3, 50}, Shape{20011}, Shape{0, 4}}) {
      const Array x = with_specials(floats(shape));
      expect(name_of(c.op), run_op(c.op, {x}, c.attrs), [&](int64_t i) { return c.f(x[i]); });
    }
  const Array n = ints({1000});
  expect("clip int32", run_op(Op::clip, {n}, Attrs().set("low", -3.5).set("high", 7.2)),
         [&](int64_t i) { return std::min(std::max(n[i], -3.0), 7.0); });
  for (Op op : {Op::neg, Op::abs, Op::sign, Op::square, Op::relu})
    expect(std::string(name_of(op)) + " int32", run_op(op, {n}), [&](int64_t i) {
      const double x = n[i];
      return op == Op::neg      ? -x
             : op == Op::abs    ? std::fabs(x)
             : op == Op::sign   ? (x > 0) - (x < 0)
             : op == Op::square ? x * x
                                : relu(x);
    });
}

void binary() {
  using F = std::function<double(double, double)>;
  struct Case {
    Op op;
    F f;
    bool ints;
    Attrs attrs = {};
  };
  const auto numeric = [](double (*f)(double)) {  // the slope of f, as the reference of its gradient
    return [f](double x, double d) { return d * (f(x + 1e-5) - f(x - 1e-5)) / 2e-5; };
  };
  const Case cases[] = {
      {Op::add, [](double a, double b) { return a + b; }, true},
      {Op::sub, [](double a, double b) { return a - b; }, true},
      {Op::mul, [](double a, double b) { return a * b; }, true},
      {Op::div, [](double a, double b) { return a / b; }, false},
      {Op::pow, [](double a, double b) { return std::pow(a, b); }, false},
      {Op::maximum, [](double a, double b) { return a != a || b != b ? kNan : std::max(a, b); }, true},
      {Op::minimum, [](double a, double b) { return a != a || b != b ? kNan : std::min(a, b); }, true},
      {Op::equal, [](double a, double b) { return a == b; }, true},
      {Op::notEqual, [](double a, double b) { return a != b; }, true},
      {Op::less, [](double a, double b) { return a < b; }, true},
      {Op::lessEqual, [](double a, double b) { return a <= b; }, true},
      {Op::greater, [](double a, double b) { return a > b; }, true},
      {Op::greaterEqual, [](double a, double b) { return a >= b; }, true},
      {Op::reluGrad, [](double y, double d) { return y > 0 ? d : 0; }, false},
      {Op::leakyReluGrad, [](double x, double d) { return x > 0 ? d : 0.25 * d; }, false, Attrs().set("alpha", 0.25)},
      {Op::eluGrad, [](double x, double d) { return x > 0 ? d : d * 1.5 * std::exp(x); }, false,
       Attrs().set("alpha", 1.5)},
      {Op::seluGrad, [](double x, double d) { return d * kScale * (x > 0 ? 1 : kAlpha * std::exp(x)); }, false},
      {Op::geluGrad, numeric([](double x) { return 0.5 * x * std::erfc(-x * M_SQRT1_2); }), false,
       Attrs().set("approximate", 0)},
      {Op::geluGrad,
       numeric([](double x) { return 0.5 * x * (1 + std::tanh(std::sqrt(2 / M_PI) * (x + 0.044715 * x * x * x))); }),
       false, Attrs().set("approximate", 1)},
      {Op::siluGrad, numeric([](double x) { return x * sigmoid(x); }), false},
      {Op::sigmoidGrad, [](double y, double d) { return d * y * (1 - y); }, false},
      {Op::tanhGrad, [](double y, double d) { return d * (1 - y * y); }, false},
      {Op::softplusGrad, [](double x, double d) { return d * sigmoid(x); }, false},
      {Op::softsignGrad, [](double x, double d) { return d / ((1 + std::fabs(x)) * (1 + std::fabs(x))); }, false},
  };
  for (const Case& c : cases) {
    for (int round = 0; round < 8; ++round) {
      Shape a = round == 0   ? Shape{130, 100}
                : round == 1 ? Shape{20000}
                : round == 2 ? Shape{3, 0}
                             : random_shape(),
            b = a;
      if (round > 2)
        for (int axis = 0; axis < a.rank(); ++axis) (pick(0, 1) ? a : b)[axis] = pick(0, 2) ? a[axis] : 1;
      if (round == 0) b = Shape{100};
      if (round > 2 && pick(0, 1) && b.rank() > 0) {  // a missing leading dimension
        const std::vector<int64_t> dims = b.to_vector();
        b = Shape(std::vector<int64_t>(dims.begin() + 1, dims.end()));
      }
      if (pick(0, 1)) std::swap(a, b);
      Shape out;
      CHECK(broadcast(a, b, &out));
      const auto reference = [&](const Array& x, const Array& y) {
        return [&](int64_t i) { return c.f(x[position_of(a, index_of(out, i))], y[position_of(b, index_of(out, i))]); };
      };
      const bool gradient = std::strstr(name_of(c.op), "Grad") != nullptr;
      const Array x = gradient ? floats(a) : with_specials(floats(a)), y = floats(b);
      expect(name_of(c.op), run_op(c.op, {x, y}, c.attrs), reference(x, y), 1e-5);
      if (!c.ints) continue;
      const Array m = ints(a, -3, 3), n = ints(b, -3, 3);
      expect(std::string(name_of(c.op)) + " int32", run_op(c.op, {m, n}, c.attrs), reference(m, n));
    }
  }
  const Array condition = ints({5, 1, 7}, 0, 1), a = ints({5, 6, 7}), b = ints({6, 1});
  expect("where", run_op(Op::where, {condition, a, b}),
         [&](int64_t i) { return condition[i / 42 * 7 + i % 7] ? a[i] : b[i / 7 % 6]; });
  const Array low = ints({2}, INT32_MIN, INT32_MIN), one = ints({}, -1, -1);
  expect("wrapping", run_op(Op::add, {low, one}), [](int64_t) { return double{INT32_MAX}; });
}

void reductions() {
  const Shape large[] = {{100003}, {3, 40001}, {70001, 5}, {2, 900, 1100}, {40000, 3, 2}, {3, 0, 2}};
  for (int round = 0; round < 60; ++round) {
    const Shape shape = round < 6 ? large[round] : random_shape(5, 9);
    std::vector<int64_t> axes;
    std::vector<char> reduced(static_cast<size_t>(shape.rank()), 0);
    for (int axis = 0; axis < shape.rank(); ++axis)
      if (round < 5 ? axis == round % shape.rank() : pick(0, 1)) axes.push_back(axis), reduced[axis] = 1;
    if (axes.empty()) std::fill(reduced.begin(), reduced.end(), 1);
    const Attrs attrs = Attrs().set("axes", axes).set("keepDims", 1);
    Shape out = shape;
    for (int axis = 0; axis < shape.rank(); ++axis)
      if (reduced[axis]) out[axis] = 1;
    const Array x = floats(shape), n = ints(shape);
    for (Op op : {Op::sum, Op::max, Op::min}) {
      if (op != Op::sum && shape.size() == 0) continue;
      for (const Array* in : {&x, &n}) {
        std::vector<double> expected(static_cast<size_t>(out.size()), op == Op::sum ? 0 : op == Op::max ? -kInf : kInf);
        for (int64_t i = 0; i < in->size(); ++i) {
          double& e = expected[position_of(out, index_of(shape, i))];
          e = op == Op::sum ? e + (*in)[i] : op == Op::max ? std::max(e, (*in)[i]) : std::min(e, (*in)[i]);
        }
        expect(name_of(op), run_op(op, {*in}, attrs), [&](int64_t i) { return expected[i]; }, op == Op::sum ? 3e-5 : 0);
      }
    }
    if (shape.rank() == 0 || shape.size() == 0) continue;
    const int axis = pick(0, shape.rank() - 1);
    for (const Array* in : {&x, &n}) {
      int64_t inner = 1;
      for (int i = axis + 1; i < shape.rank(); ++i) inner *= shape[i];
      expect("argmax", run_op(Op::argmax, {*in}, Attrs().set("axis", axis)), [&](int64_t i) {
        int64_t best = 0;
        const auto at = [&](int64_t j) { return (*in)[(i / inner * shape[axis] + j) * inner + i % inner]; };
        for (int64_t j = 1; j < shape[axis]; ++j)
          if (at(j) > at(best)) best = j;
        return static_cast<double>(best);
      });
    }
  }
  Array x = floats({3, 70});
  x.f[75] = x.f[90] = static_cast<float>(kNan);
  const Attrs last = Attrs().set("axes", std::vector<int64_t>{1}), first = Attrs().set("axes", std::vector<int64_t>{0});
  CHECK(std::isnan(run_op(Op::max, {x}, last)[1]) && std::isnan(run_op(Op::min, {x}, first)[5]) &&
            !std::isnan(run_op(Op::max, {x}, last)[0]),
        "NaN wins");
  CHECK(run_op(Op::argmax, {x}, Attrs().set("axis", 1))[1] == 5 &&
            run_op(Op::argmax, {x}, Attrs().set("axis", 0))[20] == 1,
        "the first NaN wins");
}

void rows() {
  for (int round = 0; round < 30; ++round) {
    const Shape shape = round == 0   ? Shape{128, 10}
                        : round == 1 ? Shape{3, 5000}
                        : round == 2 ? Shape{4, 700, 3}
                                     : [] {
                                         Shape s = random_shape(3, 40);
                                         s.push_back(pick(1, 40));
                                         return s;
                                       }();
    const int axis = round == 2 ? 1 : round < 2 ? 1 : pick(0, shape.rank() - 1);
    int64_t inner = 1;
    for (int i = axis + 1; i < shape.rank(); ++i) inner *= shape[i];
    const int64_t n = shape[axis];
    const Array x = floats(shape, -20, 20), d = floats(shape);
    // Position of element j of the row that element i belongs to.
    const auto at = [&](int64_t i, int64_t j) { return (i / inner / n * n + j) * inner + i % inner; };
    const auto log_sum = [&](int64_t i) {
      double top = -kInf, total = 0;
      for (int64_t j = 0; j < n; ++j) top = std::max(top, x[at(i, j)]);
      for (int64_t j = 0; j < n; ++j) total += std::exp(x[at(i, j)] - top);
      return top + std::log(total);
    };
    const Attrs attrs = Attrs().set("axis", axis);
    const Array p = run_op(Op::softmax, {x}, attrs), q = run_op(Op::logSoftmax, {x}, attrs);
    expect("softmax", p, [&](int64_t i) { return std::exp(x[i] - log_sum(i)); });
    expect("logSoftmax", q, [&](int64_t i) { return x[i] - log_sum(i); });
    expect("logSumExp", run_op(Op::logSumExp, {x}, Attrs().set("axes", std::vector<int64_t>{axis})),
           [&](int64_t i) { return log_sum(i / inner * n * inner + i % inner); });
    const auto dot = [&](int64_t i, bool with_p) {
      double total = 0;
      for (int64_t j = 0; j < n; ++j) total += d[at(i, j)] * (with_p ? p[at(i, j)] : 1);
      return total;
    };
    expect(
        "softmaxGrad", run_op(Op::softmaxGrad, {p, d}, attrs), [&](int64_t i) { return p[i] * (d[i] - dot(i, true)); },
        1e-5);
    expect(
        "logSoftmaxGrad", run_op(Op::logSoftmaxGrad, {q, d}, attrs),
        [&](int64_t i) { return d[i] - std::exp(q[i]) * dot(i, false); }, 3e-5);
    if (axis + 1 != shape.rank()) continue;
    std::vector<int64_t> dims = shape.to_vector();
    dims.pop_back();
    const Array t = floats(shape, 0, 1), labels = ints(Shape(dims), 0, static_cast<int>(n) - 1),
                d_loss = floats(Shape(dims));
    const auto weight = [&](int64_t r) {
      double total = 0;
      for (int64_t j = 0; j < n; ++j) total += t[r * n + j];
      return total;
    };
    expect(
        "softmaxCrossEntropy", run_op(Op::softmaxCrossEntropy, {x, t}),
        [&](int64_t r) {
          double total = 0;
          for (int64_t j = 0; j < n; ++j) total += t[r * n + j] * (log_sum(r * n) - x[r * n + j]);
          return total;
        },
        1e-5);
    expect(
        "softmaxCrossEntropyGrad", run_op(Op::softmaxCrossEntropyGrad, {x, t, d_loss}),
        [&](int64_t i) { return d_loss[i / n] * (std::exp(x[i] - log_sum(i)) * weight(i / n) - t[i]); }, 1e-5);
    expect("sparseSoftmaxCrossEntropy", run_op(Op::sparseSoftmaxCrossEntropy, {x, labels}),
           [&](int64_t r) { return log_sum(r * n) - x[r * n + labels.i[r]]; });
    expect("sparseSoftmaxCrossEntropyGrad", run_op(Op::sparseSoftmaxCrossEntropyGrad, {x, labels, d_loss}),
           [&](int64_t i) { return d_loss[i / n] * (std::exp(x[i] - log_sum(i)) - (labels.i[i / n] == i % n)); });
  }
  Array x = floats({2, 20});
  for (int j = 0; j < 20; ++j) x.f[j] = static_cast<float>(-kInf);
  CHECK(std::isnan(run_op(Op::softmax, {x})[3]) && !std::isnan(run_op(Op::softmax, {x})[23]), "a row of -inf");
  CHECK(run_op(Op::logSumExp, {x}, Attrs().set("axes", std::vector<int64_t>{1}))[0] == -kInf, "a row of -inf");
  expect("no classes at all", run_op(Op::logSumExp, {floats({0, 5})}, Attrs().set("axes", std::vector<int64_t>{1})),
         [](int64_t) { return 0.0; });
}

void products() {
  const Shape batches[][2] = {{{}, {}},         {{3}, {3}},   {{3}, {}},     {{}, {4}},
                              {{2, 1}, {1, 3}}, {{40}, {40}}, {{2, 3}, {3}}, {{0}, {}}};
  for (int round = 0; round < 48; ++round) {
    const bool ta = round & 1, tb = round & 2;
    const auto& batch = batches[round / 4 % 8];
    const int64_t m = pick(1, 20), n = pick(1, 40), k = round == 5 ? 0 : pick(1, 70);
    std::vector<int64_t> a = batch[0].to_vector(), b = batch[1].to_vector();
    a.insert(a.end(), {ta ? k : m, ta ? m : k});
    b.insert(b.end(), {tb ? n : k, tb ? k : n});
    const Array x = floats(Shape(a), -1, 1), y = floats(Shape(b), -1, 1);
    Shape out;
    CHECK(broadcast(batch[0], batch[1], &out));
    const Array c = run_op(Op::matmul, {x, y}, Attrs().set("transposeA", ta).set("transposeB", tb));
    expect(
        "matmul", c,
        [&](int64_t i) {
          const std::vector<int64_t> index = index_of(out, i / (m * n));
          const int64_t row = i / n % m, column = i % n, px = position_of(batch[0], index) * m * k,
                        py = position_of(batch[1], index) * k * n;
          double total = 0;
          for (int64_t j = 0; j < k; ++j)
            total += x[px + (ta ? j * m + row : row * k + j)] * y[py + (tb ? column * k + j : j * n + column)];
          return total;
        },
        1e-5);
  }
}

/// A product that takes an activation's gradient with it gives the bits of the two steps one after the other.
void products_with_gradients() {
  const std::vector<std::vector<Shape>> shapes = {
      {{7, 5}, {5, 9}, {7, 9}},       {{130, 70}, {70, 200}, {130, 200}}, {{3, 1, 6, 4}, {2, 4, 5}, {3, 2, 6, 5}},
      {{3, 4}, {2, 4, 0}, {2, 3, 0}}, {{4, 9000}, {9000, 6}, {4, 6}},     {{4, 0}, {0, 6}, {4, 6}}};
  for (int i = 0; i < kOpCount; ++i) {
    const Op op = static_cast<Op>(i);
    if (!is_activation_gradient(op)) continue;
    Attrs attrs;
    if (*row_of(op).attributes) attrs = op == Op::geluGrad ? Attrs().set("approximate", 1) : Attrs().set("alpha", 0.75);
    for (const std::vector<Shape>& operands : shapes) {
      const std::vector<Array> in = {floats(operands[0], -1, 1), floats(operands[1], -1, 1), floats(operands[2])};
      Graph graph;
      std::vector<NodeId> ids;
      for (const Array& array : in) ids.push_back(graph.input(array.shape, array.dtype));
      PlanOptions options;
      options.outputs = {graph.add(op, {ids[2], graph.add(Op::matmul, {ids[0], ids[1]})}, attrs)};
      for (const std::string& isa : cpu::available_isas()) {
        cpu::select_isa(isa);
        const std::unique_ptr<Program> program = cpu::compile(make_plan(graph, options));
        CHECK(program->plan().steps.size() == 1, "%s", describe(program->plan()).c_str());
        const Array fused = run_program(*program, in, 0);
        const Array product = run_program(*program_of(Op::matmul, {in[0], in[1]}, {}), {in[0], in[1]}, 0);
        const Array apart = run_program(*program_of(op, {in[2], product}, attrs), {in[2], product}, 0);
        CHECK(fused.f.size() == apart.f.size() &&
                  (fused.f.empty() || std::memcmp(fused.f.data(), apart.f.data(), fused.f.size() * sizeof(float)) == 0),
              "%s, shape %s, on %s", name_of(op), fused.shape.to_string().c_str(), isa.c_str());
      }
    }
  }
}

}  // namespace

int main() {
  unary();
  binary();
  reductions();
  rows();
  products();
  products_with_gradients();
  return report("kernels");
}
