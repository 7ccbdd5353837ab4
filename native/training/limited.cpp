#include "training/limited.h"

#include <algorithm>
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
  const LimitedPlans plans(graph, options);
  std::unique_ptr<Program> least = device.compile(plans.own(), precision);
  const size_t batches = batch_bytes(*least), beside = other + batches;
  const auto fits = [&](const Program& program) { return beside + program.workspace_bytes() <= limit; };
  if (fits(*least)) return least;

  const auto arena_of = [&](const Plan& plan) { return aligned(device.arena_of(plan), device); };
  // What ops need beside their results shows when a plan is compiled; it rarely differs between plans.
  size_t scratch = least->workspace_bytes() - aligned(least->plan().arena_bytes, device);
  for (bool more = true; more;) {
    const size_t taken = beside + scratch;
    std::optional<Limited> found = plans.within(limit > taken ? limit - taken : 0, arena_of);
    if (!found) break;
    std::unique_ptr<Program> program = device.compile(std::move(found->plan), precision);
    if (fits(*program)) return program;
    const size_t needed = program->workspace_bytes() - aligned(program->plan().arena_bytes, device);
    more = found->fits && needed > scratch;
    scratch = needed;
    if (program->workspace_bytes() < least->workspace_bytes()) least = std::move(program);
  }
  const size_t workspace = least->workspace_bytes();
  throw Error(code::kMemoryLimit,
              "A training step of this model and batch size takes at least " + text(beside + workspace) +
                  " bytes, with its layers computed again for the backward pass: " + text(other) +
                  " for parameters, gradients and the optimizer, " + text(batches) + " for the batch, " +
                  text(workspace) + " for what the step computes. memoryLimit is " + text(limit) +
                  ". Take smaller batches (gradientAccumulationSteps makes one update of several), an optimizer with "
                  "fewer slots, or a higher limit.");
}

}  // namespace downhill
