#include "graph/infer_windows.h"

#include <algorithm>

namespace downhill::windows {

namespace {

constexpr int64_t kMost = int64_t{1} << 28;  // of a stride, a dilation, a size, the pixels of a padded image or window

std::string list_text(const std::vector<int64_t>& values) {
  std::string text;
  for (const int64_t value : values) text += (text.empty() ? "[" : ", ") + std::to_string(value);
  return text.empty() ? "[]" : text + "]";
}

/// Two positive numbers, y and x; `otherwise` where the attribute is absent.
void read_pair(Op op, Attrs& attrs, const char* name, const std::vector<int64_t>& otherwise, int64_t (&to)[2]) {
  std::vector<int64_t> values = attrs.has(name) ? attrs.ints(name) : otherwise;
  if (values.size() != 2 || values[0] < 1 || values[1] < 1 || values[0] > kMost || values[1] > kMost)
    invalid(op, std::string(name) + " must be two integers from 1 to 2^28; received " + list_text(values) + ".");
  to[0] = values[0], to[1] = values[1];
  attrs.set(name, std::move(values));
}

/// Spatial sizes of an image and the window that slides over it; `out` follows from them.
struct Sizes {
  int64_t in[2], kernel[2], out[2] = {};
};

/// Checks strides, dilation and padding, turns "same" into numbers, and gives the size of the output.
void slide(Op op, Attrs& attrs, bool dilates, Sizes& sizes, const Inputs& inputs) {
  int64_t stride[2], dilation[2] = {1, 1};
  read_pair(op, attrs, "strides", {1, 1}, stride);
  if (dilates) read_pair(op, attrs, "dilation", {1, 1}, dilation);
  std::vector<int64_t> padding = attrs.has("padding") ? attrs.ints("padding") : std::vector<int64_t>(4, 0);
  const bool same = padding.size() == 1 && padding[0] == -1;
  if (!same && (padding.size() != 4 ||
                std::any_of(padding.begin(), padding.end(), [](int64_t p) { return p < 0 || p > kMost; })))
    invalid(op, "padding must be 'valid', 'same' or [[top, bottom], [left, right]], each from 0 to 2^28; received " +
                    list_text(padding) + ".");
  if (same) padding.assign(4, 0);
  for (int i = 0; i < 2; ++i) {
    if (sizes.kernel[i] > kMost / dilation[i])
      invalid(op, "a kernel of " + std::to_string(sizes.kernel[i]) + " with dilation " + std::to_string(dilation[i]) +
                      " is larger than 2^28: use a smaller dilation.");
    const int64_t span = (sizes.kernel[i] - 1) * dilation[i] + 1;
    if (same) {
      const int64_t out = (sizes.in[i] + stride[i] - 1) / stride[i];
      const int64_t total = std::max<int64_t>((out - 1) * stride[i] + span - sizes.in[i], 0);
      padding[2 * i] = total / 2;
      padding[2 * i + 1] = total - total / 2;
    }
    const int64_t room = sizes.in[i] + padding[2 * i] + padding[2 * i + 1] - span;
    if (room < 0)
      mismatch(op,
               "a window of " + std::to_string(span) + (dilates && dilation[i] > 1 ? " (dilated)" : "") +
                   " does not fit into the " + (i == 0 ? "height" : "width") + " of " +
                   std::to_string(sizes.in[i] + padding[2 * i] + padding[2 * i + 1]) +
                   " (with padding): use padding 'same', a smaller window or larger images.",
               inputs);
    sizes.out[i] = room / stride[i] + 1;
  }
  const auto padded = [&](int i) { return sizes.in[i] + padding[2 * i] + padding[2 * i + 1]; };
  if (dilates && padded(0) > 0 && padded(1) > kMost / padded(0))
    invalid(op, "images of " + std::to_string(padded(0)) + " by " + std::to_string(padded(1)) +
                    " pixels, padding included, are larger than 2^28 pixels: use less padding or a smaller dilation.");
  attrs.set("padding", std::move(padding));
}

void need_images(Op op, const Inputs& inputs, const char* expected) {
  for (const Node* input : inputs)
    if (input->shape.rank() != 4) mismatch(op, expected, inputs);
}

int64_t read_groups(Op op, Attrs& attrs) {
  const int64_t groups = attrs.integer("groups", 1);
  if (groups < 1 || groups > kMost)
    invalid(op, "groups must be from 1 to 2^28; received " + std::to_string(groups) + ".");
  attrs.set("groups", static_cast<double>(groups));
  return groups;
}

void read_size(Op op, Attrs& attrs, int64_t (&to)[2]) { read_pair(op, attrs, "size", {}, to); }

std::string pair_text(const int64_t (&pair)[2]) {
  return "[" + std::to_string(pair[0]) + ", " + std::to_string(pair[1]) + "]";
}

}  // namespace

Inferred shape_conv(Op op, const Inputs& inputs, Attrs& attrs) {
  need_images(op, inputs, "expected x [n, height, width, channels] and a kernel [height, width, channels, filters].");
  const Shape &x = inputs[0]->shape, &w = inputs[1]->shape;
  const int64_t groups = read_groups(op, attrs);
  if (w[0] < 1 || w[1] < 1) mismatch(op, "the kernel must not be empty.", inputs);
  if (w[2] > kMost / groups || x[3] != w[2] * groups)
    mismatch(op,
             "x must have the kernel's channels" +
                 (groups > 1 ? " times " + std::to_string(groups) + " groups" : std::string()) + ", " +
                 std::to_string(w[2]) + (groups > 1 ? " · " + std::to_string(groups) : std::string()) + ".",
             inputs);
  if (w[3] % groups != 0)
    mismatch(op, "the filters must be a multiple of the " + std::to_string(groups) + " groups.", inputs);
  Sizes sizes{{x[1], x[2]}, {w[0], w[1]}};
  slide(op, attrs, true, sizes, inputs);
  return {Shape({x[0], sizes.out[0], sizes.out[1], w[3]}), DType::float32};
}

Inferred shape_conv_transpose(Op op, const Inputs& inputs, Attrs& attrs) {
  need_images(op, inputs, "expected x [n, height, width, filters] and a kernel [height, width, channels, filters].");
  const Shape &y = inputs[0]->shape, &w = inputs[1]->shape;
  const int64_t groups = read_groups(op, attrs);
  if (w[0] < 1 || w[1] < 1) mismatch(op, "the kernel must not be empty.", inputs);
  if (y[3] != w[3]) mismatch(op, "x must have as many channels as the kernel has filters.", inputs);
  if (w[3] % groups != 0)
    mismatch(op, "the filters must be a multiple of the " + std::to_string(groups) + " groups.", inputs);
  Sizes sizes{{}, {w[0], w[1]}};
  read_size(op, attrs, sizes.in);
  slide(op, attrs, true, sizes, inputs);
  if (sizes.out[0] != y[1] || sizes.out[1] != y[2])
    mismatch(op,
             "images of " + pair_text(sizes.in) + " would give " + pair_text(sizes.out) +
                 " under this kernel, which must be the height and width of x.",
             inputs);
  if (w[2] > kMost / groups) mismatch(op, "the kernel has too many channels for its groups.", inputs);
  return {Shape({y[0], sizes.in[0], sizes.in[1], w[2] * groups}), DType::float32};
}

Inferred shape_conv_filter(Op op, const Inputs& inputs, Attrs& attrs) {
  need_images(op, inputs, "expected x [n, height, width, channels] and d_y [n, height, width, filters].");
  const Shape &x = inputs[0]->shape, &y = inputs[1]->shape;
  const int64_t groups = read_groups(op, attrs);
  Sizes sizes{{x[1], x[2]}, {}};
  read_size(op, attrs, sizes.kernel);
  slide(op, attrs, true, sizes, inputs);
  if (x[3] % groups != 0 || y[3] % groups != 0 || x[0] != y[0] || sizes.out[0] != y[1] || sizes.out[1] != y[2])
    mismatch(op, "d_y must have the shape of the convolution.", inputs);
  return {Shape({sizes.kernel[0], sizes.kernel[1], x[3] / groups, y[3]}), DType::float32};
}

namespace {

/// The output of pooling images of that size.
Shape pooled(Op op, const Shape& x, Attrs& attrs, const Inputs& inputs) {
  Sizes sizes{{x[1], x[2]}, {}};
  read_pair(op, attrs, "poolSize", {2, 2}, sizes.kernel);
  if (!attrs.has("strides")) attrs.set("strides", attrs.ints("poolSize"));
  slide(op, attrs, false, sizes, inputs);
  const std::vector<int64_t> padding = attrs.ints("padding");
  if (sizes.kernel[0] > kMost / sizes.kernel[1])
    invalid(op, "poolSize " + pair_text(sizes.kernel) + " has more than 2^28 pixels.");
  for (int i = 0; i < 2; ++i) {
    if (padding[2 * i] >= sizes.kernel[i] || padding[2 * i + 1] >= sizes.kernel[i])
      invalid(op, "padding must be smaller than the pool, so that no window lies outside; received " +
                      list_text(padding) + " for poolSize " + pair_text(sizes.kernel) + ".");
    if (sizes.in[i] == 0 && sizes.out[i] > 0)
      mismatch(op, "images without height or width have nothing to pool: use padding 'valid'.", inputs);
  }
  return Shape({x[0], sizes.out[0], sizes.out[1], x[3]});
}

}  // namespace

Inferred shape_pool(Op op, const Inputs& inputs, Attrs& attrs) {
  need_images(op, inputs, "expected x [n, height, width, channels].");
  return {pooled(op, inputs[0]->shape, attrs, inputs), DType::float32};
}

Inferred shape_pool_scatter(Op op, const Inputs& inputs, Attrs& attrs) {
  need_images(op, inputs, "expected x and d_y [n, height, width, channels].");
  if (pooled(op, inputs[0]->shape, attrs, inputs) != inputs[1]->shape)
    mismatch(op, "d_y must have the shape of the pooled x.", inputs);
  return {inputs[0]->shape, DType::float32};
}

Inferred shape_pool_pick(Op op, const Inputs& inputs, Attrs& attrs) {
  need_images(op, inputs, "expected x and z [n, height, width, channels].");
  if (inputs[0]->shape != inputs[1]->shape) mismatch(op, "expected equal shapes.", inputs);
  return {pooled(op, inputs[0]->shape, attrs, inputs), DType::float32};
}

Inferred shape_pool_spread(Op op, const Inputs& inputs, Attrs& attrs) {
  need_images(op, inputs, "expected d_y [n, height, width, channels].");
  const Shape& y = inputs[0]->shape;
  int64_t size[2];
  read_size(op, attrs, size);
  const Shape x({y[0], size[0], size[1], y[3]});
  if (pooled(op, x, attrs, inputs) != y) mismatch(op, "d_y must have the shape of the pooled images.", inputs);
  return {x, DType::float32};
}

}  // namespace downhill::windows
