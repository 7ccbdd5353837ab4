// What a device implements. A Program is a compiled plan; it is immutable but for its pointer table, so one run at a
// time.
#pragma once
#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "core/turn_mutex.h"
#include "plan/plan.h"

namespace downhill {

/// How matrix products are computed; weights, sums and updates are always float32.
enum class Precision : uint8_t {
  float32,   // exact float32 operands
  tf32,      // operands rounded to TensorFloat-32 on devices that have it, else float32
  bfloat16,  // operands rounded to bfloat16; on a CPU, where that is faster than float32
};
const char* name_of(Precision precision);

/// Scratch memory shared by the programs of one model; grows on demand between runs.
class Workspace {
 public:
  /// Memory of the host (null) or a device, with any contents.
  std::byte* reserve(size_t bytes, DeviceMemory* where = nullptr);
  size_t bytes() const { return buffer_ ? buffer_->bytes() : 0; }
  TurnMutex in_use;  // held by whoever runs a program in it

 private:
  std::unique_ptr<Buffer> buffer_;
  DeviceMemory* where_ = nullptr;
};

/// Addresses are of the memory of the program's device.
struct Bindings {
  const void* const* inputs = nullptr;  // by input index
  void* const* outputs = nullptr;       // by output index; ignored for outputs with a target
  Workspace* workspace = nullptr;
  uint64_t step = 0;            // Philox counter of dropout
  bool sparse_checked = false;  // the sparse rows among the inputs are known to be right
  bool commit = true;           // false: state is written by commit(), if at all
  /// Reads variables of this buffer from a copy of it instead (a snapshot taken while training goes on).
  const Buffer* rebase_from = nullptr;
  const std::byte* rebase_to = nullptr;
};

class Device;

class Program {
 public:
  virtual ~Program() = default;
  /// Where it runs.
  virtual Device& device() const = 0;
  /// Runs all steps, then the state writes. Takes no locks on variables (the caller holds them). Allocates nothing once
  /// the workspace is large enough. Throws LABEL_OUT_OF_RANGE and the like when values break an op's rule; state is
  /// unwritten then.
  virtual void run(const Bindings& bindings) = 0;
  /// The state writes of the last run, which was told not to do them. Nothing else may have used the workspace since.
  virtual void commit() = 0;
  /// As run() without the state writes: seconds[i] ← what step i took, and behind them what the whole run took.
  /// Throws UNSUPPORTED where the device cannot tell.
  virtual void profile(const Bindings& bindings, double* seconds);
  /// Memory that a run needs in its workspace: the plan's arena, then scratch.
  virtual size_t workspace_bytes() const { return plan_.arena_bytes; }
  const Plan& plan() const { return plan_; }
  const Work& work() const { return work_; }
  /// How its matrix products were to be computed, and how they are.
  virtual Precision precision() const { return Precision::float32; }
  virtual Precision products() const { return precision(); }
  TurnMutex in_use;  // held by whoever runs it; taken before the workspace's, and both before the locks of buffers

 protected:
  explicit Program(Plan plan) : plan_(std::move(plan)), work_(work_of(plan_)) {}
  Plan plan_;

 private:
  const Work work_;
};

/// Its plan as text, and how it computes matrix products.
std::string describe(const Program& program);

namespace cpu {
std::unique_ptr<Program> compile(Plan plan, Precision precision = Precision::float32);
/// The instruction set in use ("baseline", "avx2", "avx512", "amx"), those compiled in that this processor has, and a
/// choice for tests; select_isa throws UNKNOWN_NAME. Programs compiled earlier keep theirs.
const char* isa();
std::vector<std::string> available_isas();
void select_isa(const std::string& name);
}  // namespace cpu

}  // namespace downhill
