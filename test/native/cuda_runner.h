// Runs plans of one op through their commands on the emulator's library, and compares with the CPU.
#pragma once
#include "backend/cuda/host/device.h"
#include "op_runner.h"

namespace downhill::test {

inline cuda::CudaDevice& emulator() { return dynamic_cast<cuda::CudaDevice&>(devices::get("simt")); }

/// Device memory of exactly that many bytes: the emulator notices writes behind it.
class DeviceArray {
 public:
  explicit DeviceArray(size_t bytes, const void* contents = nullptr) : bytes_(bytes) {
    emulator().call(emulator().api().allocate, emulator().context(), bytes_, &memory_);
    if (!contents || bytes_ == 0) return;
    cuda::CudaStream stream(emulator());
    stream.upload(memory_, contents, bytes_);
    stream.synchronize();
  }
  DeviceArray(const DeviceArray&) = delete;
  DeviceArray& operator=(const DeviceArray&) = delete;
  ~DeviceArray() { emulator().api().release(emulator().context(), memory_); }
  void* get() const { return memory_; }
  void download(void* to) const {
    if (bytes_ == 0) return;
    cuda::CudaStream stream(emulator());
    stream.download(to, memory_, bytes_);
    stream.synchronize();
  }

 private:
  size_t bytes_;
  void* memory_ = nullptr;
};

inline void run_commands(const std::vector<DhCommand>& commands) {
  cuda::CudaStream stream(emulator());
  stream.run(commands);
  stream.synchronize();
}

/// The commands of a plan's steps; at and scratch by value and step, null while only sizes are asked for. Returns the
/// most scratch that a step needs.
inline size_t lower_plan(const Plan& plan, const std::vector<void*>& at, void* scratch, cuda::StepState* state,
                         std::vector<DhCommand>& commands, Precision precision = Precision::float32) {
  size_t most = 0;
  for (size_t i = 0; i < plan.steps.size(); ++i) {
    cuda::Lowering lowering{
        plan,  plan.steps[i],       static_cast<int>(i), at.data(), static_cast<std::byte*>(scratch),
        state, emulator().target(), precision,           commands};
    lower(lowering);
    most = std::max(most, lowering.scratch_bytes);
  }
  return most;
}

/// The op's result on the emulator. `state`: of the step, changed by it.
inline Array run_on_emulator(Op op, const std::vector<Array>& inputs, const Attrs& attrs, cuda::StepState& state,
                             Precision precision = Precision::float32) {
  const std::unique_ptr<Program> program = program_of(op, inputs, attrs);
  const Plan& plan = program->plan();
  const Value& out = plan.values[static_cast<size_t>(plan.outputs[0])];
  std::vector<std::unique_ptr<DeviceArray>> memory;
  std::vector<void*> at(plan.values.size(), nullptr);
  std::vector<DhCommand> commands;
  const size_t scratch_bytes = lower_plan(plan, at, nullptr, nullptr, commands, precision);
  commands.clear();
  for (size_t i = 0; i < plan.values.size(); ++i) {
    const Value& value = plan.values[i];
    if (value.alias_of >= 0) {
      at[i] = at[static_cast<size_t>(value.alias_of)];
      continue;
    }
    const void* contents = value.place == Place::input     ? inputs[static_cast<size_t>(value.index)].data()
                           : value.place == Place::storage ? value.storage->host()
                                                           : nullptr;
    memory.push_back(std::make_unique<DeviceArray>(value.bytes(), contents));
    at[i] = memory.back()->get();
  }
  const DeviceArray scratch(scratch_bytes), state_there(sizeof state, &state);
  lower_plan(plan, at, scratch.get(), static_cast<cuda::StepState*>(state_there.get()), commands, precision);
  run_commands(commands);
  Array result = empty(out.shape, out.dtype);
  const void* const there = at[static_cast<size_t>(plan.outputs[0])];
  for (const auto& array : memory)
    if (array->get() == there) array->download(result.data());
  state_there.download(&state);
  return result;
}

inline Array run_on_emulator(Op op, const std::vector<Array>& inputs, const Attrs& attrs = {}) {
  cuda::StepState state;
  return run_on_emulator(op, inputs, attrs, state);
}

inline Array run_on_cpu(Op op, const std::vector<Array>& inputs, const Attrs& attrs = {}, uint64_t step = 0) {
  return run_program(*program_of(op, inputs, attrs), inputs, step);
}

/// The same bits, or NaN on both sides.
inline void expect_same(const std::string& what, const Array& actual, const Array& expected) {
  CHECK(actual.shape == expected.shape && actual.dtype == expected.dtype, "%s", what.c_str());
  for (int64_t i = 0; i < actual.size(); ++i) {
    const char *a = static_cast<const char*>(actual.data()) + 4 * i,
               *b = static_cast<const char*>(expected.data()) + 4 * i;
    if (std::memcmp(a, b, 4) == 0 || (std::isnan(actual[i]) && std::isnan(expected[i]))) continue;
    CHECK(false, "%s, shape %s: element %lld is %.9g, on the CPU %.9g", what.c_str(), actual.shape.to_string().c_str(),
          static_cast<long long>(i), actual[i], expected[i]);
    return;
  }
}

/// The op on the emulator gives the CPU's bits.
inline void expect_as_on_cpu(Op op, const std::vector<Array>& inputs, const Attrs& attrs = {}) {
  expect_same(name_of(op), run_on_emulator(op, inputs, attrs), run_on_cpu(op, inputs, attrs));
}

}  // namespace downhill::test
