// Times of kernels on a device, without Node: programs of a few ops, captured in a graph and replayed.
//   bench_gpu_kernels DEVICE [memory|rows|matmul] [tiny] [milliseconds per sample]
//       DEVICE: cuda, cuda:1, simt; memory: copies, launches, updates; tiny: sizes for the emulator
// The device's library is looked for beside this program. One line of JSON per case: microseconds (median and best of the samples), FLOPs and
// bytes of one run, or why there is no time. bench/gpu/run.ts reads them.
#include <algorithm>
#include <cctype>
#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <functional>
#include <memory>
#include <random>
#include <string>
#include <vector>

#include "autodiff/gradients.h"
#include "backend/cuda/host/program.h"
#include "backend/cuda/host/update.h"
#include "optim/updater.h"

using namespace downhill;
using cuda::CudaDevice;
using cuda::CudaGraph;
using cuda::CudaStream;

namespace {

using Clock = std::chrono::steady_clock;

struct Settings {
  bool tiny = false;
  std::string family;  // empty: all
  double sample_seconds = 0.03;
  int samples = 7;
};

double seconds_since(Clock::time_point start) { return std::chrono::duration<double>(Clock::now() - start).count(); }

struct Times {
  double median = 0, best = 0;  // microseconds of one run
};

/// Microseconds of one of the `repeats` runs that a launch of the graph makes.
Times time_graph(CudaStream& stream, const CudaGraph& graph, int repeats, const Settings& settings) {
  const auto run = [&](int times) {
    const Clock::time_point start = Clock::now();
    stream.launch(graph.get(), times);
    stream.synchronize();
    return seconds_since(start);
  };
  double once = run(1);
  for (int i = 0; i < 2 && once < settings.sample_seconds; ++i) once = std::min(once, run(1));
  const int times = std::clamp(static_cast<int>(settings.sample_seconds / std::max(once, 1e-7)), 1, 20000);
  run(std::max(1, times / 4));
  std::vector<double> samples;
  for (int i = 0; i < settings.samples; ++i) samples.push_back(run(times) * 1e6 / times / repeats);
  std::sort(samples.begin(), samples.end());
  return {samples[samples.size() / 2], samples.front()};
}

void print(const std::string& name, const Times& times, double flops, double bytes) {
  std::printf("{\"case\":\"%s\",\"microseconds\":%.4f,\"best\":%.4f,\"flops\":%.0f,\"bytes\":%.0f}\n", name.c_str(),
              times.median, times.best, flops, bytes);
  std::fflush(stdout);
}

void print_failure(const std::string& name, const char* what) {
  std::string text(what);
  for (char& c : text)
    if (c == '"' || c == '\\' || c == '\n') c = '\'';
  std::printf("{\"case\":\"%s\",\"error\":\"%s\"}\n", name.c_str(), text.c_str());
  std::fflush(stdout);
}

/// Memory of the device, with random numbers in [-1, 1) or labels.
class Operand {
 public:
  Operand(CudaDevice& device, const Shape& shape, DType dtype, int labels)
      : buffer_(static_cast<size_t>(shape.size()) * size_of(dtype), device.memory()), memory_(device.memory()) {
    // A block of values, repeated: making a gigabyte of them takes longer than all measurements.
    constexpr size_t kBlock = 1 << 20;
    std::vector<std::byte> values(std::min(buffer_.bytes(), kBlock * 4));
    std::mt19937 random(7);
    for (size_t i = 0; i < values.size() / 4; ++i) {
      const float real = static_cast<float>(random()) * 0x1p-31f - 1;
      const auto label = static_cast<int32_t>(random() % static_cast<uint32_t>(std::max(labels, 1)));
      std::memcpy(&values[i * 4], dtype == DType::float32 ? static_cast<const void*>(&real) : &label, 4);
    }
    std::byte* const to = buffer_.overwrite(memory_);
    for (size_t at = 0; at < buffer_.bytes(); at += values.size())
      memory_->upload(to + at, values.data(), std::min(values.size(), buffer_.bytes() - at));
  }
  void* get() { return buffer_.write(memory_); }

 private:
  Buffer buffer_;
  DeviceMemory* memory_;
};

struct Case {
  std::string name;
  Precision precision = Precision::float32;
  int repeats = 1;  // in one graph, so that the launch of short ones does not count
  double flops = 0, bytes = 0;
  int labels = 0;  // of int32 inputs
  std::function<std::vector<NodeId>(Graph&)> outputs;
};

void measure(CudaDevice& device, const Case& one, const Settings& settings) {
  Graph graph;
  PlanOptions options;
  options.outputs = one.outputs(graph);
  cuda::CudaProgram program(device, make_plan(graph, options), one.precision);
  const Plan& plan = program.plan();

  std::vector<std::unique_ptr<Operand>> operands;
  std::vector<const void*> inputs;
  std::vector<void*> outputs;
  const auto make = [&](int value) {
    const Value& made = plan.values[static_cast<size_t>(value)];
    operands.push_back(std::make_unique<Operand>(device, made.shape, made.dtype, one.labels));
    return operands.back()->get();
  };
  for (const int input : plan.inputs) inputs.push_back(input < 0 ? nullptr : make(input));
  for (const int output : plan.outputs) outputs.push_back(make(output));
  Workspace workspace;
  std::byte* const arena =
      program.workspace_bytes() ? workspace.reserve(program.workspace_bytes(), device.memory()) : nullptr;
  Buffer state(sizeof(cuda::StepState), device.memory());

  Bindings bindings;
  bindings.inputs = inputs.data();
  bindings.outputs = outputs.data();
  std::vector<void*> at;
  program.bind(bindings, arena, at);
  std::vector<DhCommand> commands;
  for (int i = 0; i < one.repeats; ++i)
    program.lower_steps(at, arena, reinterpret_cast<cuda::StepState*>(state.write(device.memory())), commands);
  CudaStream stream(device);
  const CudaGraph captured(device, commands);
  print(one.name, time_graph(stream, captured, one.repeats, settings), one.flops, one.bytes);
}

// ---- the cases ------------------------------------------------------------------------------------------------------

struct Kind {
  const char* name;
  Precision precision;
};
const Kind kKinds[] = {
    {"float32", Precision::float32}, {"tf32", Precision::tf32}, {"bfloat16", Precision::bfloat16}};

std::string text(int64_t number) { return std::to_string(number); }

/// epilogue: "", "-bias-relu", or "-sums", those of b's columns.
Case product(const Kind& kind, int64_t m, int64_t k, int64_t n, const char* transposes, const std::string& epilogue,
             int repeats) {
  const bool ta = transposes[0] == 't', tb = transposes[1] == 't';
  Case one;
  one.name = "matmul-" + text(m) + "x" + text(k) + "x" + text(n) + (ta || tb ? std::string("-") + transposes : "") +
             epilogue + "-" + kind.name;
  one.precision = kind.precision;
  one.repeats = repeats;
  one.flops = 2.0 * static_cast<double>(m) * static_cast<double>(k) * static_cast<double>(n);
  one.bytes = 4.0 * static_cast<double>(m * k + k * n + m * n);
  one.outputs = [=](Graph& graph) {
    const NodeId a = graph.input(ta ? Shape{k, m} : Shape{m, k}, DType::float32);
    const NodeId b = graph.input(tb ? Shape{n, k} : Shape{k, n}, DType::float32);
    Attrs attrs;
    attrs.set("transposeA", ta).set("transposeB", tb);
    NodeId y = graph.add(Op::matmul, {a, b}, attrs);
    if (epilogue == "-sums") {
      Attrs axes;
      axes.set("axes", std::vector<int64_t>{0});
      return std::vector<NodeId>{y, graph.add(Op::sum, {b}, axes)};
    }
    if (epilogue == "-bias-relu") y = graph.add(Op::relu, {graph.add(Op::add, {y, graph.input(Shape{n}, DType::float32)})});
    return std::vector<NodeId>{y};
  };
  return one;
}

/// Of (rows, columns): softmax; or cross-entropy of labels, its value and gradient.
Case rows_of(const char* what, int64_t rows, int64_t columns) {
  Case one;
  one.name = std::string(what) + "-" + text(rows) + "x" + text(columns);
  one.labels = static_cast<int>(columns);
  const double size = 4.0 * static_cast<double>(rows * columns);
  const bool softmax = std::strcmp(what, "softmax") == 0;
  one.bytes = 2 * size;
  one.outputs = [=](Graph& graph) {
    const NodeId x = graph.input(Shape{rows, columns}, DType::float32);
    if (softmax) {
      Attrs attrs;
      attrs.set("axis", -1);
      return std::vector<NodeId>{graph.add(Op::softmax, {x}, attrs)};
    }
    const NodeId labels = graph.input(Shape{rows}, DType::int32);
    const NodeId loss = graph.add(Op::sparseSoftmaxCrossEntropy, {x, labels});
    return gradients(graph, graph.add(Op::sum, {loss}), {x});
  };
  return one;
}

void measure_products(CudaDevice& device, const Settings& settings) {
  std::vector<Case> cases;
  for (const Kind& kind : kKinds) {
    if (settings.tiny) {
      cases.push_back(product(kind, 64, 64, 64, "nn", "", 1));
      cases.push_back(product(kind, 33, 40, 20, "nn", "-bias-relu", 2));
      cases.push_back(product(kind, 33, 40, 20, "tn", "-sums", 2));
      continue;
    }
    cases.push_back(product(kind, 4096, 4096, 4096, "nn", "", 1));
    if (kind.precision == Precision::bfloat16) cases.push_back(product(kind, 8192, 8192, 8192, "nn", "", 1));
    cases.push_back(product(kind, 128, 784, 1000, "nn", "-bias-relu", 50));
    cases.push_back(product(kind, 128, 1000, 1000, "nn", "-bias-relu", 50));
    cases.push_back(product(kind, 128, 1000, 1000, "nt", "", 50));
    for (const char* sums : {"", "-sums"}) cases.push_back(product(kind, 784, 128, 1000, "tn", sums, 50));
    cases.push_back(product(kind, 128, 1000, 10, "nn", "-bias-relu", 50));
  }
  for (const Case& one : cases) try {
      measure(device, one, settings);
    } catch (const Error& error) {
      print_failure(one.name, error.what());
    }
}

void measure_rows(CudaDevice& device, const Settings& settings) {
  const int64_t elements = settings.tiny ? 1 << 12 : 1 << 27;
  for (const int64_t columns : {1 << 10, 1 << 12, 1 << 14, 1 << 16})
    for (const char* what : {"softmax", "cross-entropy"}) {
      const Case one = rows_of(what, std::max<int64_t>(elements / columns, 1), settings.tiny ? columns / 64 : columns);
      try {
        measure(device, one, settings);
      } catch (const Error& error) {
        print_failure(one.name, error.what());
      }
    }
}

/// The device's own copies: what everything that is bound by memory is measured by. Bytes read and written.
void measure_copy(CudaDevice& device, const Settings& settings) {
  const size_t bytes = settings.tiny ? 1 << 16 : size_t{1} << 30;
  Buffer from(bytes, device.memory()), to(bytes, device.memory());
  CudaStream stream(device);
  const auto run = [&](int times) {
    const Clock::time_point start = Clock::now();
    for (int i = 0; i < times; ++i) stream.copy(to.overwrite(device.memory()), from.read(device.memory()), bytes);
    stream.synchronize();
    return seconds_since(start) * 1e6 / times;
  };
  const int times = settings.tiny ? 2 : 20;
  run(times);
  std::vector<double> samples;
  for (int i = 0; i < settings.samples; ++i) samples.push_back(run(times));
  std::sort(samples.begin(), samples.end());
  print("copy", {samples[samples.size() / 2], samples.front()}, 0, 2.0 * static_cast<double>(bytes));
}

/// One update of many parameters.
void measure_update(CudaDevice& device, const char* rule, const Settings& settings) {
  const int64_t size = settings.tiny ? 1000 : 100'000'000;
  const int slots = slots_of(rule_of(rule));
  const auto storage = [&] {
    const size_t bytes = static_cast<size_t>(size) * 4;
    return Storage{std::make_shared<Buffer>(bytes, device.memory()), 0, bytes, nullptr};
  };
  UpdateSegment segment{storage(), storage(), {}, 0};
  for (int i = 0; i < slots; ++i) segment.slots.push_back(storage());
  Updater updater(rule_of(rule), {segment}, {Hyper{}});
  cuda::UpdateCommands update(device, updater, 1);
  CudaStream stream(device);
  update.bind();
  update.stage(stream, 1);
  Buffer state(sizeof(cuda::StepState), device.memory());
  std::vector<DhCommand> commands;
  update.add(commands, reinterpret_cast<cuda::StepState*>(state.write(device.memory())));
  stream.synchronize();
  const CudaGraph graph(device, commands);
  // Reads parameter, gradient and slots, writes parameter and slots.
  print(std::string("update-") + rule, time_graph(stream, graph, 1, settings), 0,
        4.0 * static_cast<double>(size) * (3 + 2 * slots));
}

/// What a launch costs: a graph of `count` of the smallest command, waited for once per sample only; and the host's part
/// alone.
void measure_launch(CudaDevice& device, int count, const Settings& settings) {
  Buffer state(sizeof(cuda::StepState), device.memory());
  cuda::AdvanceArgs advance{};
  advance.state = reinterpret_cast<cuda::StepState*>(state.write(device.memory()));
  const std::vector<DhCommand> commands(static_cast<size_t>(count), cuda::command(advance));
  CudaStream stream(device);
  const CudaGraph graph(device, commands);
  print("launch-" + text(count), time_graph(stream, graph, 1, settings), 0, 0);
  std::vector<double> samples;
  const int times = settings.tiny ? 10 : 200; // fewer than what a stream takes before it makes the host wait
  for (int i = 0; i < settings.samples; ++i) {
    const Clock::time_point start = Clock::now();
    stream.launch(graph.get(), times);
    samples.push_back(seconds_since(start) * 1e6 / times);
    stream.synchronize();
  }
  std::sort(samples.begin(), samples.end());
  print("launch-host-" + text(count), {samples[samples.size() / 2], samples.front()}, 0, 0);
}

/// Each family by itself: what fails does not stop the others.
void attempt(const char* name, const std::function<void()>& body) {
  try {
    body();
  } catch (const Error& error) {
    print_failure(name, error.what());
  }
}

}  // namespace

int main(int argc, char** argv) {
  Settings settings;
  const std::string id = argc > 1 ? argv[1] : "";
  for (int i = 2; i < argc; ++i) {
    if (std::strcmp(argv[i], "tiny") == 0) {
      settings.tiny = true;
      settings.samples = 3;
      settings.sample_seconds = 0.005;
    } else if (std::isalpha(static_cast<unsigned char>(argv[i][0]))) {
      settings.family = argv[i];
    } else {
      settings.sample_seconds = std::atof(argv[i]) / 1000;
    }
  }
  try {
    auto* const device = dynamic_cast<CudaDevice*>(&devices::get(id));
    if (!device) throw Error(code::kUnsupported, "Usage: bench_gpu_kernels cuda|simt [memory|rows|matmul] [tiny] [ms per sample]");
    const auto wanted = [&](const char* family) { return settings.family.empty() || settings.family == family; };
    if (wanted("memory")) {
      attempt("copy", [&] { measure_copy(*device, settings); });
      attempt("launch", [&] {
        measure_launch(*device, 1, settings);
        measure_launch(*device, 25, settings);
      });
      for (const char* rule : {"sgd", "adam"}) attempt("update", [&] { measure_update(*device, rule, settings); });
    }
    if (wanted("rows")) measure_rows(*device, settings);
    if (wanted("matmul")) measure_products(*device, settings);
  } catch (const Error& error) {
    std::fprintf(stderr, "%s: %s\n", error.code(), error.what());
    return 1;
  }
  return 0;
}
