// How many cores this process may use.
#pragma once
#include <string>

namespace downhill::cpu {

/// Cores that the quota of the control group (version 1 or 2) and of its ancestors comes to, a fraction perhaps; 0: no
/// limit. `root` stands before /proc and /sys.
double quota_cores(const std::string& root);

/// Threads for so many cores under a quota, which counts rounded up: with one and a half cores two threads are faster
/// than one.
int cores_of(int cores, double quota);

}  // namespace downhill::cpu
