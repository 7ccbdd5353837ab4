#include "optim/rule.h"

#include <algorithm>
#include <cmath>
#include <cstring>
#include <iterator>
#include <string>
#include <type_traits>

#include "core/error.h"
#include "optim/rules.h"
#include "optim/update_element.h"

namespace downhill {

namespace {

struct RuleRow {
  const char* name;
  int slots, scalars;
  bool norms, own_decay, may_rest;
};

template <typename Functor>
constexpr int scalars_of_functor() {
  if constexpr (std::is_base_of_v<DH_ISA::ProgramRule, Functor>)
    return static_cast<int>(sizeof(Functor) / sizeof(float));
  return 0;
}

constexpr RuleRow kRules[] = {
#define RULE(name, functor)                \
  {#name,                                  \
   DH_ISA::functor::kSlots,                \
   scalars_of_functor<DH_ISA::functor>(),  \
   DH_ISA::kUsesNorms<DH_ISA::functor>,    \
   DH_ISA::kDecaysItself<DH_ISA::functor>, \
   DH_ISA::kMayRest<DH_ISA::functor>},
#include "optim/rules.def"
};

struct HyperRow {
  const char* name;
  double Hyper::* field;
};

constexpr HyperRow kHypers[] = {
    {"learningRate", &Hyper::learning_rate},
    {"weightDecay", &Hyper::weight_decay},
    {"clipValue", &Hyper::clip_value},
    {"clipNorm", &Hyper::clip_norm},
    {"adaptiveClipFactor", &Hyper::adaptive_clip},
    {"adaptiveClipEpsilon", &Hyper::adaptive_epsilon},
#define HYPER(name, field, value) {#name, &Hyper::field},
#include "optim/hypers.def"
};

double Hyper::* field_of(std::string_view name) {
  std::string known = "coupledDecay";
  for (const HyperRow& row : kHypers) {
    if (name == row.name) return row.field;
    known += std::string(", ") + row.name;
  }
  throw Error(code::kUnknownName,
              "Unknown hyperparameter \"" + std::string(name) + "\" of an update rule. Expected one of " + known + ".");
}

template <typename Functor>
RuleBytes bytes_of(const Functor& functor) {
  static_assert(std::is_trivially_copyable_v<Functor> && sizeof(Functor) <= sizeof(RuleBytes));
  RuleBytes result;
  std::memcpy(result.bytes, &functor, sizeof functor);
  return result;
}

template <typename Functor>
float trust_with(const RuleBytes& bytes, double p_norm, double norm) {
  if constexpr (DH_ISA::kUsesNorms<Functor>) {
    Functor rule;
    std::memcpy(&rule, bytes.bytes, sizeof rule);
    return static_cast<float>(rule.trust(p_norm, norm));
  }
  return 1;
}

template <typename Functor>
Rest rest_with(const RuleBytes& bytes) {
  if constexpr (DH_ISA::kMayRest<Functor>) {
    Functor rule;
    std::memcpy(&rule, bytes.bytes, sizeof rule);
    return rule.rest();
  }
  return Rest::never;
}

}  // namespace

Rule rule_of(std::string_view name) {
  std::string known;
  for (int i = 0; i < kRuleCount; ++i) {
    if (name == kRules[i].name) return static_cast<Rule>(i);
    known += (i ? ", " : "") + std::string(kRules[i].name);
  }
  throw Error(code::kUnknownName, "Unknown update rule \"" + std::string(name) + "\". Expected one of " + known + ".");
}

const char* name_of(Rule rule) { return kRules[static_cast<int>(rule)].name; }
int slots_of(Rule rule) { return kRules[static_cast<int>(rule)].slots; }
int scalars_of(Rule rule) { return kRules[static_cast<int>(rule)].scalars; }
bool uses_norms(Rule rule) { return kRules[static_cast<int>(rule)].norms; }
bool decays_itself(Rule rule) { return kRules[static_cast<int>(rule)].own_decay; }
bool may_rest(Rule rule) { return kRules[static_cast<int>(rule)].may_rest; }
bool may_rest(Rule rule, const Hyper& hyper) {
  return hyper.weight_decay == 0 && rest_of(rule, build_rule(rule, hyper, 1)) != Rest::never;
}

bool operator==(const RuleBytes& a, const RuleBytes& b) { return std::memcmp(a.bytes, b.bytes, sizeof a.bytes) == 0; }

bool is_finite(const RuleBytes& functor) {
  float numbers[sizeof functor.bytes / sizeof(float)];
  std::memcpy(numbers, functor.bytes, sizeof numbers);
  return std::all_of(std::begin(numbers), std::end(numbers), [](float number) { return std::isfinite(number); });
}

void set_hyper(Hyper& hyper, std::string_view name, double value) {
  if (!std::isfinite(value))
    throw Error(code::kInvalidArgument,
                std::string(name) + " must be a finite number, received " + std::to_string(value) + ".");
  if (name == "coupledDecay")
    hyper.coupled_decay = value != 0;
  else
    hyper.*field_of(name) = value;
}

double get_hyper(const Hyper& hyper, std::string_view name) {
  return name == "coupledDecay" ? (hyper.coupled_decay ? 1 : 0) : hyper.*field_of(name);
}

RuleBytes build_rule(Rule rule, const Hyper& hyper, int64_t t) {
  switch (rule) {
#define RULE(name, functor) \
  case Rule::name:          \
    return bytes_of(DH_ISA::functor::at(hyper, t));
#include "optim/rules.def"
    case Rule::count_:
      break;
  }
  throw Error(code::kInternal, "Not an update rule.");
}

float trust_of(Rule rule, const RuleBytes& functor, double p_norm, double norm) {
  switch (rule) {
#define RULE(name, functor_type) \
  case Rule::name:               \
    return trust_with<DH_ISA::functor_type>(functor, p_norm, norm);
#include "optim/rules.def"
    case Rule::count_:
      break;
  }
  throw Error(code::kInternal, "Not an update rule.");
}

Rest rest_of(Rule rule, const RuleBytes& functor) {
  switch (rule) {
#define RULE(name, functor_type) \
  case Rule::name:               \
    return rest_with<DH_ISA::functor_type>(functor);
#include "optim/rules.def"
    case Rule::count_:
      break;
  }
  throw Error(code::kInternal, "Not an update rule.");
}

}  // namespace downhill
