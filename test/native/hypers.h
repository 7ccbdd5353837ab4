// Hyperparameters of the rules, each away from its default.
#pragma once
#include "optim/rule.h"

namespace downhill::test {

inline Hyper unusual() {
  Hyper h;
  h.learning_rate = 0.013;
  h.momentum = 0.83;
  h.dampening = 0.21;
  h.beta1 = 0.81;
  h.beta2 = 0.967;
  h.epsilon = 3e-3;
  h.trust_coefficient = 0.07;
  h.inner_epsilon = 2e-3;
  h.rho = 0.87;
  h.learning_rate_decay = 0.3;
  h.momentum_decay = 0.11;
  h.learning_rate_power = -0.7;
  h.l1 = 0.13;
  h.l2 = 0.21;
  h.shrinkage = 0.07;
  h.beta = 0.31;
  h.eta_minus = 0.37;
  h.eta_plus = 1.31;
  h.step_size_min = 3.5e-3;
  h.step_size_max = 0.013;
  h.kappa = 0.013;
  h.phi = 0.31;
  h.theta = 0.57;
  return h;
}

}  // namespace downhill::test
