// All update rules, for whoever instantiates code per row of rules.def.
#pragma once
#include "optim/adam.h"
#include "optim/lamb.h"
#include "optim/lars.h"
#include "optim/program_rules.h"
#include "optim/sgd.h"
