#include "training/run_once.h"

#include <algorithm>
#include <mutex>

#include "backend/device.h"
#include "training/locks.h"
#include "training/snapshot.h"

namespace downhill {

namespace {

bool holds(const std::vector<std::shared_ptr<Buffer>>& buffers, const std::shared_ptr<Buffer>& buffer) {
  return std::find(buffers.begin(), buffers.end(), buffer) != buffers.end();
}

}  // namespace

void run_once(Program& program, Workspace& workspace, const std::vector<Storage>& inputs,
              const std::vector<Storage>& outputs, uint64_t step, double* seconds, bool sparse_checked) {
  for (const Storage& input : inputs)
    if (input.pending) input.pending->wait();
  Access access = access_of(program.plan());
  access.reads.reserve(access.reads.size() + inputs.size());
  for (const Storage& input : inputs)
    if (!holds(access.writes, input.buffer) && !holds(access.reads, input.buffer)) access.reads.push_back(input.buffer);
  LockSet locks;
  locks.share(access.reads);
  locks.own(access.writes);

  const std::lock_guard<TurnMutex> program_lock(program.in_use);
  const std::lock_guard<TurnMutex> workspace_lock(workspace.in_use);
  const std::shared_ptr<const Snapshot> snapshot = snapshot_if_training(access.reads);
  const Buffer* const source = snapshot ? snapshot->source.get() : nullptr;

  DeviceMemory* const where = program.device().memory();
  const std::byte* const copy = snapshot ? snapshot->copy.read(where) : nullptr;
  const Locked locked(locks, source);
  std::vector<const void*> input_pointers;
  input_pointers.reserve(inputs.size());
  for (const Storage& input : inputs)
    input_pointers.push_back(input.buffer.get() == source ? copy + input.offset : input.read(where));
  std::vector<void*> output_pointers;
  output_pointers.reserve(outputs.size());
  for (const Storage& output : outputs) {
    if (!output.buffer)
      output_pointers.push_back(nullptr);
    else if (output.bytes == output.buffer->bytes())
      output_pointers.push_back(output.buffer->overwrite(where));
    else
      output_pointers.push_back(output.write(where));
  }

  Bindings bindings;
  bindings.inputs = input_pointers.data();
  bindings.outputs = output_pointers.data();
  bindings.workspace = &workspace;
  bindings.step = step;
  bindings.sparse_checked = sparse_checked;
  bindings.rebase_from = source;
  bindings.rebase_to = copy;
  if (seconds)
    program.profile(bindings, seconds);
  else
    program.run(bindings);
}

}  // namespace downhill
