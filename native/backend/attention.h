// What devices make of a step of attention.
#pragma once
#include <vector>

#include "backend/attention_args.h"
#include "graph/attention.h"
#include "plan/plan.h"

namespace downhill {

class AttentionStep {
 public:
  AttentionStep(const Plan& plan, const Step& step);

  const AttentionSizes& sizes() const { return sizes_; }
  /// Without addresses.
  const AttentionCall& call() const { return call_; }
  /// With operands and results at their addresses by value, all of which are null while only sizes are asked for.
  AttentionCall at(void* const* addresses) const;

 private:
  AttentionSizes sizes_;
  AttentionCall call_{};
  std::vector<int> inputs_;  // values
  int output_;
};

}  // namespace downhill
