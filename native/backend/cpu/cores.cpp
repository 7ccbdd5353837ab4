// How many cores this process may use: scheduling affinity, then the quota of its control group (containers).
#include "backend/cpu/cores.h"

#include <algorithm>
#include <cmath>
#include <cstdio>
#include <cstring>
#include <thread>

#include "backend/cpu/pool.h"

#if defined(__linux__)
#include <sched.h>
#endif

namespace downhill::cpu {
namespace {

int affinity_cores() {
#if defined(__linux__)
  for (size_t cpus = 1024; cpus <= (1u << 18); cpus *= 4) {  // a larger machine refuses a set too small for it
    cpu_set_t* set = CPU_ALLOC(cpus);
    if (!set) return 0;
    const size_t bytes = CPU_ALLOC_SIZE(cpus);
    const int count = sched_getaffinity(0, bytes, set) == 0 ? CPU_COUNT_S(bytes, set) : 0;
    CPU_FREE(set);
    if (count > 0) return count;
  }
#endif
  return 0;
}

/// Reads up to two numbers; "max" (no limit) and anything unreadable count as absent.
int read_numbers(const std::string& path, double (&out)[2]) {
  FILE* file = std::fopen(path.c_str(), "r");
  if (!file) return 0;
  const int count = std::fscanf(file, "%lf %lf", &out[0], &out[1]);
  std::fclose(file);
  return std::max(count, 0);
}

/// quota / period; 0: no limit.
double ratio(double quota, double period) { return quota > 0 && period > 0 ? quota / period : 0; }

double tighter(double a, double b) { return a > 0 && b > 0 ? std::min(a, b) : std::max(a, b); }

double quota_v2(const std::string& folder) {  // "150000 100000"
  double number[2];
  return read_numbers(folder + "/cpu.max", number) == 2 ? ratio(number[0], number[1]) : 0;
}

double quota_v1(const std::string& folder) {
  double quota[2], period[2];
  if (read_numbers(folder + "/cpu.cfs_quota_us", quota) < 1) return 0;
  return read_numbers(folder + "/cpu.cfs_period_us", period) < 1 ? 0 : ratio(quota[0], period[0]);
}

/// The tightest limit of a group and its ancestors, all of which hold.
double tightest(double (*quota)(const std::string&), const std::string& mount, std::string group) {
  double limit = 0;
  for (;;) {
    limit = tighter(limit, quota(mount + group));
    if (group.empty()) return limit;
    group.erase(group.find_last_of('/'));
  }
}

}  // namespace

double quota_cores(const std::string& root) {
  const std::string v2 = root + "/sys/fs/cgroup", v1 = v2 + "/cpu";
  // A container often sees its own group mounted at the root, while /proc names the path outside.
  double limit = tighter(quota_v2(v2), quota_v1(v1));
  FILE* file = std::fopen((root + "/proc/self/cgroup").c_str(), "r");
  if (!file) return limit;
  char line[4096];
  while (std::fgets(line, sizeof line, file)) {  // "id:controllers:/path"
    line[std::strcspn(line, "\n")] = 0;
    char* controllers = std::strchr(line, ':');
    char* path = controllers ? std::strchr(controllers + 1, ':') : nullptr;
    if (!path || path[1] != '/') continue;
    *path++ = 0;
    const std::string group = std::strcmp(path, "/") == 0 ? "" : path;
    if (controllers[1] == 0) limit = tighter(limit, tightest(quota_v2, v2, group));
    const std::string names = std::string(",") + (controllers + 1) + ",";
    if (names.find(",cpu,") != std::string::npos) limit = tighter(limit, tightest(quota_v1, v1, group));
  }
  std::fclose(file);
  return limit;
}

int cores_of(int cores, double quota) {
  if (quota > 0 && quota < cores) cores = static_cast<int>(std::ceil(quota));
  return std::clamp(cores, 1, 1024);
}
int default_threads() {
  int cores = affinity_cores();
  if (cores <= 0) cores = static_cast<int>(std::thread::hardware_concurrency());
  return cores_of(cores, quota_cores(""));
}

}  // namespace downhill::cpu
