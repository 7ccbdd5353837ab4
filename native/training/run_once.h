// One run of a program outside a session: what programRun and eager ops are.
#pragma once
#include <cstdint>
#include <vector>

#include "backend/backend.h"
#include "core/storage.h"

namespace downhill {

/// Waits for pending inputs, then runs with the locks that the program needs; variables (also as inputs) that are being
/// trained are read from a snapshot. outputs: by output index; those with a target are ignored. Throws what the program
/// or an input's job throws. With `seconds` it is Program::profile(): no state is written.
void run_once(Program& program, Workspace& workspace, const std::vector<Storage>& inputs,
              const std::vector<Storage>& outputs, uint64_t step, double* seconds = nullptr,
              bool sparse_checked = false);

}  // namespace downhill
