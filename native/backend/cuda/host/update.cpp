#include "backend/cuda/host/update.h"
namespace downhill::cuda {
struct UpdateCommands::Memory {};
UpdateCommands::UpdateCommands(CudaDevice& device, Updater& updater, int max_steps)
    : device_(device), updater_(updater), max_steps_(max_steps) {}
UpdateCommands::~UpdateCommands() = default;
bool UpdateCommands::bind(CudaStream&) { return false; }
void UpdateCommands::add(std::vector<DhCommand>&, StepState*) const {}
void UpdateCommands::stage(CudaStream&, int) {}
void UpdateCommands::count(int) {}
}  // namespace downhill::cuda
