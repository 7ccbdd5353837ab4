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

/// What an update with a gradient of 0 and no weight decay does to an element that an update has left finite: it may
/// change it, it changes it only where the rule has other numbers than then, or it leaves parameter and slots as they
/// are, to the bit.
enum class Rest : uint8_t { never, same_numbers, always };

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
/// Whether the rule may leave elements at rest: its functor has `rest()`.
bool may_rest(Rule rule);
/// The same with these hyperparameters, decay among them.
bool may_rest(Rule rule, const Hyper& hyper);

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
bool operator==(const RuleBytes& a, const RuleBytes& b);
/// Whether all numbers of a functor are finite.
bool is_finite(const RuleBytes& functor);
RuleBytes build_rule(Rule rule, const Hyper& hyper, int64_t t);
Rest rest_of(Rule rule, const RuleBytes& functor);
/// The factor that such a functor makes of ‖p‖ and of the norm of what it measures.
float trust_of(Rule rule, const RuleBytes& functor, double p_norm, double norm);

}  // namespace downhill
