#include <cstdio>

#include "backend/families.h"
#include "core/touched_rows.h"
#include "graph/attention.h"
#include "graph/normalization.h"
#include "plan/plan.h"
#include "plan/row_gradients.h"

namespace downhill {

namespace {

std::string scaled(double number, const char* unit) {
  const char* prefixes[] = {"", "k", "M", "G", "T"};
  int prefix = 0;
  while (number >= 1000 && prefix < 4) number /= 1000, ++prefix;
  char text[48];
  std::snprintf(text, sizeof text, prefix ? "%.1f %s%s" : "%.0f %s%s", number, prefixes[prefix], unit);
  return text;
}

std::string place_of(const Value& value) {
  switch (value.place) {
    case Place::arena:
      return "arena+" + std::to_string(value.offset);
    case Place::input:
      return "input " + std::to_string(value.index);
    case Place::output:
      return "output " + std::to_string(value.index);
    default:
      return "storage";
  }
}

}  // namespace

std::string name_of(const Step& step) {
  if (!step.chain.empty()) return "chain of " + std::to_string(step.chain.size());
  std::string text = downhill::name_of(step.op);
  if (step.op == Op::identity) text = "copy";
  if (step.epilogue.bias) text += "+bias";
  if (step.epilogue.activation != Op::identity) text += std::string("+") + downhill::name_of(step.epilogue.activation);
  for (const Step& part : step.tail) text += std::string("+") + downhill::name_of(part.op);
  if (step.scale_gradient >= 0) text += "+scaleGrad";
  if (step.column_sums >= 0) text += "+columnSums";
  return text;
}

/// A multiplication and an addition for each tap, channel and filter of each output, those outside the image included.
static double convolution_flops(const Plan& plan, const Step& step) {
  const auto shape = [&](int value) -> const Shape& { return plan.values[value].shape; };
  const bool transpose = step.op == Op::conv2dTranspose, filter = step.op == Op::conv2dFilterGrad;
  const Shape& y = transpose ? shape(step.inputs[0]) : shape(filter ? step.inputs[1] : step.output);
  const Shape& w = shape(filter ? step.output : step.inputs[1]);
  const double out = static_cast<double>(y.size());
  return 2 * out * static_cast<double>(w[0] * w[1] * w[2]) +
         out * (step.epilogue.bias + (step.epilogue.activation != Op::identity));
}

double flops_of(const Plan& plan, const Step& step) {
  if (!step.chain.empty()) {
    double sum = 0;
    for (const Step& part : step.chain) sum += flops_of(plan, part);
    return sum;
  }
  const double out = static_cast<double>(plan.values[step.output].shape.size());
  if (step.op == Op::matmul) {
    const Shape& a = plan.values[step.inputs[0]].shape;
    const int64_t k = a[a.rank() - (step.attrs.flag("transposeA") ? 2 : 1)];
    const double sums = step.column_sums < 0 ? 0 : static_cast<double>(plan.values[step.inputs[1]].shape.size());
    double after = out * (step.epilogue.bias + (step.epilogue.activation != Op::identity)) + sums;
    for (const Step& part : step.tail) after += flops_of(plan, part);
    return 2 * out * static_cast<double>(k) + after;
  }
  if (is_elementwise(step.op)) return out;
  if (is_normalization(step.op)) {
    const double x = static_cast<double>(plan.values[step.inputs[0]].shape.size());
    double sum = x * (is_normalization_gradient(step.op) ? 16 : 8) + 2 * x * (step.scale_gradient >= 0) +
                 x * (step.column_sums >= 0);
    for (const Step& part : step.tail) sum += flops_of(plan, part);
    return sum;
  }
  if (family_of(step.op) == Family::attention) {  // two products forward, five backward
    const AttentionSizes s = attention_sizes(step.op, static_cast<int>(step.inputs.size()), [&](int i) -> const Shape& {
      return plan.values[static_cast<size_t>(step.inputs[static_cast<size_t>(i)])].shape;
    });
    const double scores = static_cast<double>(s.scores().size());
    const int64_t each = step.op == Op::attention ? s.dim + s.value_dim : 3 * s.dim + 2 * s.value_dim;
    return 2 * scores * static_cast<double>(each);
  }
  if (family_of(step.op) == Family::recurrent) {  // the products with the recurrent kernel, forward or backward
    const Shape &sequence = plan.values[step.inputs[0]].shape, &kernel = plan.values[step.inputs[1]].shape;
    return 2 * static_cast<double>(sequence[0] * sequence[1]) * static_cast<double>(kernel.size()) + out;
  }
  if (step.op == Op::conv2d || step.op == Op::conv2dTranspose || step.op == Op::conv2dFilterGrad)
    return convolution_flops(plan, step);
  double in = 0;
  for (int input : step.inputs) in += static_cast<double>(plan.values[input].shape.size());
  switch (step.op) {
    case Op::sparseMatmul:  // of as many values as there is room for
    case Op::sparseMatmulGrad: {
      const Shape& b = plan.values[step.inputs[3]].shape;
      return 2 * static_cast<double>(plan.values[step.inputs[1]].shape.size()) * static_cast<double>(b[1]);
    }
    case Op::maxPool2d:
    case Op::averagePool2d:
    case Op::maxPool2dPick: {
      const std::vector<int64_t> pool = step.attrs.ints("poolSize");
      return out * static_cast<double>(pool[0] * pool[1]);
    }
    case Op::maxPool2dGrad:
    case Op::averagePool2dGrad: {
      const std::vector<int64_t> pool = step.attrs.ints("poolSize");
      const double windows = static_cast<double>(plan.values[step.inputs.back()].shape.size());
      return windows * static_cast<double>(pool[0] * pool[1]);
    }
    case Op::sum:
    case Op::max:
    case Op::min:
    case Op::argmax:
      return in;
    case Op::softmax:
    case Op::logSoftmax:
    case Op::logSumExp:
    case Op::softmaxCrossEntropy:
    case Op::softmaxCrossEntropyGrad:
    case Op::sparseSoftmaxCrossEntropy:
    case Op::sparseSoftmaxCrossEntropyGrad:
    case Op::softmaxGrad:
    case Op::logSoftmaxGrad:
      return 4 * static_cast<double>(plan.values[step.inputs[0]].shape.size());
    default:
      return 0;
  }
}

double bytes_of(const Plan& plan, const Step& step) {
  double bytes = 0;
  for (int output : step.outputs()) bytes += static_cast<double>(plan.values[output].bytes());
  for (int input : step.inputs) bytes += static_cast<double>(plan.values[input].bytes());
  return bytes;
}

Work work_of(const Plan& plan) {
  Work work;
  for (const Step& step : plan.steps) {
    work.flops += flops_of(plan, step);
    work.bytes += bytes_of(plan, step);
  }
  return work;
}

namespace {

/// Its ops that are computed again.
size_t repeated(const Step& step) {
  size_t count = step.chain.empty() && step.phase == Phase::again;
  for (const Step& part : step.chain) count += part.phase == Phase::again;
  for (const Step& part : step.tail) count += part.phase == Phase::again;
  return count;
}

}  // namespace

size_t recomputed_steps(const Plan& plan) {
  size_t count = 0;
  for (const Step& step : plan.steps) count += repeated(step);
  return count;
}

namespace {

std::string note_of(const Step& step) {
  const bool again = repeated(step) > 0;
  if (step.label.empty() && !again) return "";
  return "  # " + step.label + (again ? (step.label.empty() ? "again" : ", again") : "");
}

}  // namespace

std::string describe(const Plan& plan) {
  std::string text;
  for (size_t i = 0; i < plan.steps.size(); ++i) {
    const Step& step = plan.steps[i];
    std::string operands;
    for (int input : step.inputs) operands += (operands.empty() ? "" : " ") + plan.values[input].shape.to_string();
    std::string attrs = step.chain.empty() ? step.attrs.to_string() : "";
    if (!attrs.empty()) attrs = " {" + attrs + "}";
    std::string shapes, places;
    for (int output : step.outputs()) {
      const Value& value = plan.values[output];
      shapes += (shapes.empty() ? "" : " ") + value.shape.to_string();
      places += (places.empty() ? "" : ", ") + place_of(value);
    }
    if (writes_rows(plan, step))
      places +=
          plan.values[step.output].storage->rows->updated ? ", touched rows (also updated alone)" : ", touched rows";
    char head[80];
    std::snprintf(head, sizeof head, "%3zu  %-24s ", i, name_of(step).c_str());
    text += head + operands + " -> " + shapes + attrs + "  " + places + "  " + scaled(flops_of(plan, step), "FLOP") +
            "  " + scaled(bytes_of(plan, step), "B") + note_of(step) + "\n";
    if (!step.chain.empty()) text += "    ";
    for (const Step& part : step.chain) text += std::string(" ") + downhill::name_of(part.op);
    if (!step.chain.empty()) text += "\n";
  }
  const Work work = work_of(plan);
  text += std::to_string(plan.steps.size()) + " steps, " + scaled(work.flops, "FLOP") + ", " + scaled(work.bytes, "B") +
          " moved, arena " + scaled(static_cast<double>(plan.arena_bytes), "B") + "\n";
  return text;
}

}  // namespace downhill
