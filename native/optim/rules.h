// All update rules, for whoever instantiates code per row of rules.def.
#pragma once
#include "optim/rules.def"
