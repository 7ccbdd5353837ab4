// How many cores this process may use: scheduling affinity, then the quota of its control group (containers).
#include <algorithm>
#include <cmath>
#include <cstdio>
#include <cstring>
#include <string>
#include <thread>

#include "backend/cpu/pool.h"

#if defined(__linux__)
#include <sched.h>
#endif

namespace downhill::cpu {
namespace {

#if defined(__linux__)
int affinity_cores() {
  for (size_t cpus = 1024; cpus <= (1u << 18); cpus *= 4) {  // a larger machine refuses a set too small for it
    cpu_set_t* set = CPU_ALLOC(cpus);
    if (!set) return 0;
    const size_t bytes = CPU_ALLOC_SIZE(cpus);
    const int count = sched_getaffinity(0, bytes, set) == 0 ? CPU_COUNT_S(bytes, set) : 0;
    CPU_FREE(set);
    if (count > 0) return count;
  }
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

/// The tightest limit of a version-2 group and its ancestors; 0: none.
double quota_v2(std::string group) {
  double limit = 0, number[2];
  for (;;) {
    if (read_numbers("/sys/fs/cgroup" + group + "/cpu.max", number) == 2 && number[0] > 0 && number[1] > 0) {
      const double cores = number[0] / number[1];
      limit = limit > 0 ? std::min(limit, cores) : cores;
    }
    if (group.empty()) return limit;
    group.erase(group.find_last_of('/'));
  }
}

double quota_v1(const std::string& group) {
  double quota[2], period[2];
  const std::string folder = "/sys/fs/cgroup/cpu" + group;
  if (read_numbers(folder + "/cpu.cfs_quota_us", quota) < 1 || quota[0] <= 0) return 0;
  if (read_numbers(folder + "/cpu.cfs_period_us", period) < 1 || period[0] <= 0) return 0;
  return quota[0] / period[0];
}

double quota_cores() {
  double limit = 0;
  const auto tighten = [&](double cores) {
    if (cores > 0) limit = limit > 0 ? std::min(limit, cores) : cores;
  };
  // A container often sees its own group mounted at the root, while /proc names the path outside.
  tighten(quota_v2(""));
  tighten(quota_v1(""));
  FILE* file = std::fopen("/proc/self/cgroup", "r");
  if (!file) return limit;
  char line[4096];
  while (std::fgets(line, sizeof line, file)) {  // "id:controllers:/path"
    line[std::strcspn(line, "\n")] = 0;
    char* controllers = std::strchr(line, ':');
    char* path = controllers ? std::strchr(controllers + 1, ':') : nullptr;
    if (!path || path[1] != '/') continue;
    *path++ = 0;
    const std::string group = std::strcmp(path, "/") == 0 ? "" : path;
    if (controllers[1] == 0) tighten(quota_v2(group));
    const std::string names = std::string(",") + (controllers + 1) + ",";
    if (names.find(",cpu,") != std::string::npos) tighten(quota_v1(group));
  }
  std::fclose(file);
  return limit;
}
#else
int affinity_cores() { return 0; }
double quota_cores() { return 0; }
#endif

}  // namespace

int default_threads() {
  int cores = affinity_cores();
  if (cores <= 0) cores = static_cast<int>(std::thread::hardware_concurrency());
  const double quota = quota_cores();
  if (quota > 0 && quota < cores) cores = static_cast<int>(std::ceil(quota));
  return std::clamp(cores, 1, 1024);
}

}  // namespace downhill::cpu
