#include "training/limited.h"

#include <string>

#include "core/error.h"
#include "plan/limited.h"
#include "training/session.h"

namespace downhill {

namespace {

/// What a workspace and a batch are made of there.
size_t aligned(size_t bytes, Device& device) {
  const size_t to = device.memory() ? 256 : kAlignment;
  return (bytes + to - 1) / to * to;
}

std::string text(size_t bytes) { return std::to_string(bytes); }

}  // namespace

size_t batch_bytes(const Program& program) {
  const Plan& plan = program.plan();
  size_t bytes = 0;
  for (const int input : plan.inputs)
    if (input >= 0) bytes += aligned(plan.values[static_cast<size_t>(input)].bytes(), program.device());
  return !program.device().memory() && gathers_ahead(bytes) ? 2 * bytes : bytes;
}

std::unique_ptr<Program> compile_within(Device& device, const Graph& graph, const PlanOptions& options,
                                        Precision precision, size_t limit, size_t other) {
  std::unique_ptr<Program> program = device.compile(make_plan(graph, options), precision);
  const size_t batches = batch_bytes(*program);
  if (other + batches + program->workspace_bytes() <= limit) return program;
  const size_t scratch = program->workspace_bytes() - aligned(program->plan().arena_bytes, device);
  const size_t beside = other + batches + scratch;
  const auto arena_of = [&](const Plan& plan) { return aligned(device.arena_of(plan), device); };
  Limited found = plan_within(graph, options, limit > beside ? limit - beside : 0, arena_of);
  if (found.fits) return device.compile(std::move(found.plan), precision);
  throw Error(code::kMemoryLimit,
              "A training step of this model and batch size takes at least " + text(beside + found.bytes) +
                  " bytes, with its layers computed again for the backward pass: " + text(other) +
                  " for parameters, gradients and the optimizer, " + text(batches) + " for the batch, " +
                  text(found.bytes + scratch) + " for what the step computes. memoryLimit is " + text(limit) +
                  ". Take smaller batches (gradientAccumulationSteps makes one update of several), an optimizer with "
                  "fewer slots, or a higher limit.");
}

}  // namespace downhill
