#include "backend/cuda/host/update.h"

namespace downhill::cuda {

struct UpdateCommands::Memory {};

UpdateCommands::UpdateCommands(CudaDevice& device, Updater& updater, int max_steps)
    : device_(device), updater_(updater), max_steps_(max_steps) {
  throw Error(code::kUnsupported, "Updates on " + device_.id() + " are not there yet.");
}
UpdateCommands::~UpdateCommands() = default;
bool UpdateCommands::bind() { return max_steps_ == 0 || updater_.iterations() < 0; }
void UpdateCommands::add(std::vector<DhCommand>&, const StepState*) {}
void UpdateCommands::stage(CudaStream&, int) {}

std::unique_ptr<DeviceUpdate> make_update(CudaDevice&, Updater&) { return nullptr; }

}  // namespace downhill::cuda
