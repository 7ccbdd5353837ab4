// The default number of threads: affinity, and the quotas of control groups, of both versions.
#include "backend/cpu/cores.h"

#include <cmath>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <string>

#include "backend/cpu/pool.h"
#include "check.h"

#if defined(__linux__)
#include <sched.h>
#endif

using namespace downhill;

namespace {

namespace fs = std::filesystem;

/// A system with these files.
class Root {
 public:
  Root() {
    std::string name = (fs::temp_directory_path() / "downhill-cores-XXXXXX").string();
    CHECK(mkdtemp(name.data()) != nullptr);
    folder_ = name;
  }
  ~Root() { fs::remove_all(folder_); }
  void write(const std::string& path, const std::string& text) const {
    const fs::path file = folder_ / path;
    fs::create_directories(file.parent_path());
    std::ofstream(file) << text << "\n";
  }
  double cores() const { return cpu::quota_cores(folder_.string()); }

 private:
  fs::path folder_;
};

bool is(double a, double b) { return std::fabs(a - b) < 1e-9; }

void test_version_2() {
  const Root root;
  CHECK(root.cores() == 0);  // no groups at all
  root.write("proc/self/cgroup", "0::/app/tenant");
  CHECK(root.cores() == 0);
  root.write("sys/fs/cgroup/app/tenant/cpu.max", "150000 100000");
  CHECK(is(root.cores(), 1.5), "%g", root.cores());
  root.write("sys/fs/cgroup/app/cpu.max", "max 100000");
  CHECK(is(root.cores(), 1.5));
  root.write("sys/fs/cgroup/app/cpu.max", "50000 100000");  // of an ancestor
  CHECK(is(root.cores(), 0.5));
  root.write("sys/fs/cgroup/app/tenant/cpu.max", "max 100000");
  CHECK(is(root.cores(), 0.5));
  root.write("sys/fs/cgroup/app/cpu.max", "nonsense");
  CHECK(root.cores() == 0);
}

void test_version_2_of_a_container() {
  const Root root;
  root.write("proc/self/cgroup", "0::/kubepods/pod1/abc");  // a path outside, which is not mounted here
  root.write("sys/fs/cgroup/cpu.max", "250000 100000");
  CHECK(is(root.cores(), 2.5));
  root.write("proc/self/cgroup", "0::/");
  CHECK(is(root.cores(), 2.5));
}

void test_version_1() {
  const Root root;
  root.write("proc/self/cgroup", "12:cpuset:/else\n4:cpu,cpuacct:/docker/abc\n1:name=systemd:/docker/abc");
  root.write("sys/fs/cgroup/cpu/docker/abc/cpu.cfs_quota_us", "-1");
  root.write("sys/fs/cgroup/cpu/docker/abc/cpu.cfs_period_us", "100000");
  CHECK(root.cores() == 0);
  root.write("sys/fs/cgroup/cpu/docker/abc/cpu.cfs_quota_us", "75000");
  CHECK(is(root.cores(), 0.75));
  root.write("sys/fs/cgroup/cpu/docker/cpu.cfs_quota_us", "25000");
  root.write("sys/fs/cgroup/cpu/docker/cpu.cfs_period_us", "50000");
  CHECK(is(root.cores(), 0.5));  // of an ancestor
}

void test_rounding() {
  CHECK(cpu::cores_of(8, 0) == 8);
  CHECK(cpu::cores_of(8, 1.5) == 2);
  CHECK(cpu::cores_of(8, 0.2) == 1);
  CHECK(cpu::cores_of(8, 2) == 2);
  CHECK(cpu::cores_of(2, 7.5) == 2);
  CHECK(cpu::cores_of(0, 0) == 1);
  CHECK(cpu::cores_of(5000, 0) == 1024);
}

void test_affinity() {
#if defined(__linux__)
  cpu_set_t before, one;
  CHECK(sched_getaffinity(0, sizeof before, &before) == 0);
  CPU_ZERO(&one);
  for (int cpu = 0; cpu < CPU_SETSIZE; ++cpu)
    if (CPU_ISSET(cpu, &before)) {
      CPU_SET(cpu, &one);
      break;
    }
  CHECK(cpu::default_threads() == cpu::cores_of(CPU_COUNT(&before), cpu::quota_cores("")));
  CHECK(sched_setaffinity(0, sizeof one, &one) == 0);
  CHECK(cpu::default_threads() == 1);
  CHECK(sched_setaffinity(0, sizeof before, &before) == 0);
#endif
}

}  // namespace

int main() {
  test_version_2();
  test_version_2_of_a_container();
  test_version_1();
  test_rounding();
  test_affinity();
  return test::report("cores");
}
