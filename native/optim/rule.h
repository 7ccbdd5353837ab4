// What an update rule is: a small functor built on the host for each step, in double, and applied to every parameter.
#pragma once
#include <cstdint>
#include <string_view>

namespace downhill {

inline constexpr int kMaxSlots = 4;

/// The hyperparameters of one group, by the names of api.md. Read at every step, so they may change between steps.
struct Hyper {
  double learning_rate = 0.01;
  double weight_decay = 0;
  bool coupled_decay = false;  // PyTorch's L2: added to the gradient
  double clip_value = 0;       // 0: none
  double clip_norm = 0;        // per variable; 0: none
  double adaptive_clip = 0;    // per unit, as a share of the weights' norm; 0: none
  double adaptive_epsilon = 1e-3;
#define HYPER(name, field, value) double field = value;
#include "optim/hypers.def"
};

enum class Rule : uint8_t {
#define RULE(name, functor) name,
#include "optim/rules.def"
  count_
};
inline constexpr int kRuleCount = static_cast<int>(Rule::count_);

/// Throws UNKNOWN_NAME.
Rule rule_of(std::string_view name);
const char* name_of(Rule rule);
int slots_of(Rule rule);
/// How many scalars of a step its graph program reads: the first floats of the functor. 0: it has no program.
int scalars_of(Rule rule);
/// Whether the rule needs norms of each variable before it moves it, and whether it decays weights itself
/// (update_element.h).
bool uses_norms(Rule rule);
bool decays_itself(Rule rule);

/// By the names of api.md: learningRate, weightDecay, coupledDecay (0 or 1), clipValue, clipNorm, adaptiveClipFactor,
/// adaptiveClipEpsilon, and those of hypers.def. Throws UNKNOWN_NAME, and INVALID_ARGUMENT for a value that is not
/// finite.
void set_hyper(Hyper& hyper, std::string_view name, double value);
double get_hyper(const Hyper& hyper, std::string_view name);

/// The functor of a rule for step t (1, 2, …) as plain bytes, which is how it reaches the kernels of every instruction
/// set.
struct RuleBytes {
  alignas(16) unsigned char bytes[64] = {};
};
RuleBytes build_rule(Rule rule, const Hyper& hyper, int64_t t);
/// The factor that such a functor makes of ‖p‖ and of the norm of what it measures.
float trust_of(Rule rule, const RuleBytes& functor, double p_norm, double norm);

}  // namespace downhill
