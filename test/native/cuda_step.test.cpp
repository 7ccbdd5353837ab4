// What surrounds a program in a training step, on the emulator: batches as the CPU gathers them, logs, stops.
#include <algorithm>
#include <numeric>

#include "cuda_runner.h"
#include "data/gather.h"

using namespace downhill;
using namespace downhill::test;

namespace {

constexpr float kInf = std::numeric_limits<float>::infinity(), kNan = std::numeric_limits<float>::quiet_NaN();

/// Device memory with a StepState in it.
struct State {
  DeviceArray memory;
  explicit State(const cuda::StepState& state = {}) : memory(sizeof state, &state) {}
  cuda::StepState* get() const { return static_cast<cuda::StepState*>(memory.get()); }
  cuda::StepState read() const {
    cuda::StepState state;
    memory.download(&state);
    return state;
  }
};

template <typename T>
std::vector<T> values_of(int64_t count) {
  std::vector<T> values(static_cast<size_t>(count));
  for (T& value : values) value = static_cast<T>(std::uniform_real_distribution<double>(0, 200)(generator()));
  return values;
}
template <>
std::vector<double> values_of<double>(int64_t count) {
  std::vector<double> values(static_cast<size_t>(count));
  for (double& value : values) value = std::normal_distribution<double>(0, 1e3)(generator());
  const double special[] = {kNan, 1e300, -1e300, 3e9, -3e9, -0.0, 2147483647.5, 1e-320};
  for (size_t i = 0; i < std::size(special) && i < values.size(); ++i) values[i] = special[i];
  return values;
}

/// Rows of a column of T into a batch of that type, in an order and without one, wherever the arrays lie.
template <typename T>
void batches(Element element, DType dtype) {
  constexpr int64_t kRows = 23;
  for (const int64_t width : {1, 3, 4, 20, 784})
    for (const bool shuffled : {false, true})
      for (const int64_t shift : {0, 1}) {
        const std::vector<T> data = values_of<T>((kRows + shift) * width + shift);
        const Column column{"x", {}, element, width, dtype};
        std::vector<uint32_t> order(kRows - 2);  // of rows 2 … of the data set
        std::iota(order.begin(), order.end(), 0);
        std::shuffle(order.begin(), order.end(), generator());

        cuda::StepState begin;
        begin.position = 5;
        const State state(begin);
        const DeviceArray from(data.size() * sizeof(T), data.data()), order_there(order.size() * 4, order.data());
        const DeviceArray to(static_cast<size_t>(8 * width + shift) * 4);
        cuda::LoadBatchArgs args{};
        args.column = static_cast<const T*>(from.get()) + shift;
        args.order = shuffled ? static_cast<const uint32_t*>(order_there.get()) : nullptr;
        args.to = static_cast<float*>(to.get()) + shift;
        args.begin = 2, args.rows = 8, args.width = width;
        args.element = element, args.dtype = dtype, args.state = state.get();
        run_commands({cuda::command(args)});

        Column shifted = column;
        auto buffer = std::make_shared<Buffer>(data.size() * sizeof(T));
        std::memcpy(buffer->data(), data.data() + shift, (data.size() - static_cast<size_t>(shift)) * sizeof(T));
        shifted.storage = {buffer, 0, buffer->bytes(), nullptr};
        std::vector<uint32_t> expected(static_cast<size_t>(8 * width)), actual(static_cast<size_t>(8 * width + shift));
        if (shuffled)
          gather(shifted, 2, order.data() + 5, 8, reinterpret_cast<std::byte*>(expected.data()));
        else
          gather(shifted, 2 + 5, nullptr, 8, reinterpret_cast<std::byte*>(expected.data()));
        to.download(actual.data());
        CHECK(std::equal(expected.begin(), expected.end(), actual.begin() + shift), "%s, width %d, %s, shifted by %d",
              name_of(dtype), static_cast<int>(width), shuffled ? "shuffled" : "in order", static_cast<int>(shift));
      }
}

void every_batch() {
  for (const DType dtype : {DType::float32, DType::int32}) {
    batches<float>(Element::float32, dtype);
    batches<double>(Element::float64, dtype);
    batches<uint8_t>(Element::uint8, dtype);
    batches<int32_t>(Element::int32, dtype);
  }
}

/// Three steps: logs are kept row after row until the loss is not finite; from then on nothing happens.
void logs_and_stops() {
  for (const bool stop : {true, false})
    for (const float bad : {kNan, kInf, -kInf}) {
      const State state(cuda::StepState{40, 0, 100, 0, 0, 0, 0, 0});
      const float before[] = {1.5f, 7.0f}, failing[] = {bad, 8.0f};
      const DeviceArray finite(sizeof before, before), other(sizeof failing, failing), log(6 * sizeof(float));
      const auto log_of = [&](const DeviceArray& from) {
        cuda::LogArgs args{};
        const float* const scalars = static_cast<const float*>(from.get());
        args.from[0] = scalars, args.from[1] = scalars + 1;
        args.begin[1] = 1, args.begin[2] = 2, args.count = args.length = 2, args.stop_non_finite = stop;
        args.log = static_cast<float*>(log.get()), args.state = state.get();
        return cuda::command(args);
      };
      const DhCommand advance = cuda::command(cuda::AdvanceArgs{16, state.get()});
      run_commands({log_of(finite), advance, log_of(other), advance, log_of(finite), advance});
      const cuda::StepState after = state.read();
      float rows[6];
      log.download(rows);
      CHECK(rows[0] == 1.5f && rows[1] == 7 && rows[3] == 8 && !std::isfinite(rows[2]));
      CHECK(after.stopped == static_cast<uint32_t>(stop ? cuda::Stop::non_finite : cuda::Stop::none));
      CHECK(after.index == (stop ? 1 : 3) && after.counter == 40u + (stop ? 1 : 3) &&
            after.position == 100 + 16 * (stop ? 1 : 3));
      CHECK(stop ? std::isnan(bad) ? std::isnan(after.loss) : after.loss == bad : rows[4] == 1.5f && rows[5] == 7);
    }
}

/// A step that has failed neither logs nor goes on, and keeps its reason.
void stopped_steps() {
  cuda::StepState failed;
  failed.index = 1;
  failed.stopped = static_cast<uint32_t>(cuda::Stop::index_out_of_range);
  failed.value = 12;
  const State state(failed);
  const float scalars[] = {kNan}, zeros[] = {0, 0, 0};
  const DeviceArray from(sizeof scalars, scalars), log(sizeof zeros, zeros);
  cuda::LogArgs args{};
  args.from[0] = static_cast<const float*>(from.get());
  args.begin[1] = args.count = args.length = 1, args.stop_non_finite = true, args.log = static_cast<float*>(log.get()),
  args.state = state.get();
  run_commands({cuda::command(args), cuda::command(cuda::AdvanceArgs{3, state.get()})});
  const cuda::StepState after = state.read();
  CHECK(after.stopped == failed.stopped && after.value == 12 && after.index == 1 && after.position == 0);
  float rows[3];
  log.download(rows);
  CHECK(rows[1] == 0);
}

/// As many logs as there can be.
void many_logs() {
  std::vector<float> scalars(cuda::kMaxLogs), rows(2 * cuda::kMaxLogs);
  std::iota(scalars.begin(), scalars.end(), 1.0f);
  const State state;
  const DeviceArray from(scalars.size() * 4, scalars.data()), log(rows.size() * 4);
  cuda::LogArgs args{};
  for (int j = 0; j < cuda::kMaxLogs; ++j) {
    args.from[j] = static_cast<const float*>(from.get()) + j;
    args.begin[j + 1] = j + 1;
  }
  args.count = args.length = cuda::kMaxLogs, args.log = static_cast<float*>(log.get()), args.state = state.get();
  const DhCommand advance = cuda::command(cuda::AdvanceArgs{1, state.get()});
  run_commands({cuda::command(args), advance, cuda::command(args)});
  log.download(rows.data());
  for (int j = 0; j < 2 * cuda::kMaxLogs; ++j)
    CHECK(rows[static_cast<size_t>(j)] == static_cast<float>(j % cuda::kMaxLogs + 1));
}

/// Logs of several elements stand one after the other, whatever their number; nothing is written beside them.
void wide_logs() {
  for (const std::vector<int>& sizes : {std::vector<int>{1, 1, 400, 1, 37}, {1, 5}, {1, 255}, {1, 31}, {3, 1, 600}}) {
    const int total = std::accumulate(sizes.begin(), sizes.end(), 0);
    std::vector<float> values(static_cast<size_t>(total)), rows(static_cast<size_t>(3 * (total + 5)), -1);
    std::iota(values.begin(), values.end(), 1.0f);
    const State state;
    const DeviceArray from(values.size() * 4, values.data()), log(rows.size() * 4, rows.data());
    cuda::LogArgs args{};
    // Beside others in the row; the parts lie in the opposite order.
    constexpr int kBefore = 3;
    const int length = total + 5;
    args.begin[0] = kBefore, args.length = length;
    int at = total;
    for (size_t j = 0; j < sizes.size(); ++j) {
      at -= sizes[j];
      args.from[j] = static_cast<const float*>(from.get()) + at;
      args.begin[j + 1] = args.begin[j] + sizes[j];
    }
    args.count = static_cast<int>(sizes.size()), args.stop_non_finite = true;
    args.log = static_cast<float*>(log.get()), args.state = state.get();
    const DhCommand advance = cuda::command(cuda::AdvanceArgs{1, state.get()});
    run_commands({cuda::command(args), advance, cuda::command(args)});
    log.download(rows.data());
    for (int step = 0; step < 3; ++step) {
      for (const int beside : {0, kBefore - 1, length - 2, length - 1})
        CHECK(rows[static_cast<size_t>(step * length + beside)] == -1);
      for (size_t j = 0; j < sizes.size(); ++j)
        for (int i = 0; i < sizes[j]; ++i) {
          const float expected = static_cast<float>(args.from[j] - static_cast<const float*>(from.get()) + i + 1);
          CHECK(rows[static_cast<size_t>(step * length + args.begin[j] + i)] == (step < 2 ? expected : -1));
        }
    }
  }
}

}  // namespace

int main() {
  every_batch();
  logs_and_stops();
  stopped_steps();
  many_logs();
  wide_logs();
  return report("cuda_step");
}
