#include "optim/update_programs.h"

#include <cstring>
#include <string>

#include "backend/backend.h"
#include "core/error.h"
#include "optim/update_scalars.h"
#include "plan/indices.h"

namespace downhill {

namespace {

void check_plan(const Plan& plan) {
  if (!plan.inputs.empty() || !plan.outputs.empty())
    throw Error(code::kInternal, "A program of an update has no inputs and outputs.");
  for (const Step& step : plan.steps)
    if (index_domain(plan, step).count > 0)
      throw Error(code::kUnsupported, std::string(name_of(step.op)) +
                                          " cannot be part of an update or a constraint: an index out of range would "
                                          "leave it half done. Write it with ops that take no indices.");
}

void check_scalars(const UpdateScalars& scalars, const std::vector<Rule>& rules) {
  const bool head = scalars.group == kHeadScalars;
  if (!head && (scalars.group < 0 || static_cast<size_t>(scalars.group) >= rules.size()))
    throw Error(code::kOutOfRange, "There is no group " + std::to_string(scalars.group) + ".");
  const int expected = head ? 3 : scalars_of(rules[static_cast<size_t>(scalars.group)]);
  if (static_cast<int>(scalars.at.size()) != expected)
    throw Error(code::kInternal, "Expected places for " + std::to_string(expected) + " scalars, received " +
                                     std::to_string(scalars.at.size()) + ".");
  for (size_t i = 0; i < scalars.at.size(); ++i) {
    const Storage &first = scalars.at[0], &place = scalars.at[i];
    if (place.bytes != sizeof(float) || place.buffer != first.buffer || place.offset != first.offset + i * kAlignment)
      throw Error(code::kInternal, "The scalars of a step must lie one after the other in one arena.");
  }
}

}  // namespace

void check_graphs(const UpdateGraphs& graphs, const std::vector<Rule>& rules) {
  for (const Plan& plan : graphs.plans) check_plan(plan);
  for (const UpdateScalars& scalars : graphs.scalars) check_scalars(scalars, rules);
}

UpdatePrograms::UpdatePrograms(const UpdateGraphs& graphs)
    : graphs_(graphs), workspace_(std::make_unique<Workspace>()) {
  for (const Plan& plan : graphs.plans) programs_.push_back(cpu::compile(plan));
}

UpdatePrograms::~UpdatePrograms() = default;

void UpdatePrograms::run(const StepHead& head, const GroupStep* steps) {
  for (const UpdateScalars& scalars : graphs_.scalars)
    for (size_t i = 0; i < scalars.at.size(); ++i) {
      const float value = DH_ISA::scalar_of_step(head, steps, scalars.group, static_cast<int>(i));
      std::memcpy(scalars.at[i].data(), &value, sizeof value);
    }
  Bindings bindings;
  bindings.workspace = workspace_.get();
  for (const std::unique_ptr<Program>& program : programs_) program->run(bindings);
}

}  // namespace downhill
