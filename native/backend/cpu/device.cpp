// The CPU as a device: its memory is the host's, and its steps are run one by one by the session.
#include "backend/device.h"
#include "backend/cpu/kernels/table.h"

namespace downhill {

namespace {

class CpuDevice final : public Device {
 public:
  const std::string& id() const override { return id_; }
  DeviceMemory* memory() override { return nullptr; }
  std::unique_ptr<Program> compile(Plan plan, Precision precision) override {
    return cpu::compile(std::move(plan), precision);
  }
  Precision products(Precision precision) const override {
    return precision == Precision::bfloat16 && cpu::bfloat16_kernel_table() ? precision : Precision::float32;
  }
  std::unique_ptr<StepLoop> loop(const StepLoopOptions&) override { return nullptr; }
  std::unique_ptr<DeviceUpdate> update(Updater&) override { return nullptr; }

 private:
  const std::string id_ = "cpu";
};

}  // namespace

Device& devices::cpu() {
  static CpuDevice* const device = new CpuDevice;
  return *device;
}

}  // namespace downhill
