// From a command to its launcher.
#include <string>

#include "backend/cuda/plugin/failure.h"
#include "backend/cuda/plugin/launchers.h"
#include "backend/cuda/plugin/runtime.h"
#include "core/error.h"

namespace downhill::cuda {

namespace {

template <typename Args>
void launch_with(const char* name, void (*launcher)(const Args&, Stream), const DhCommand& command, Stream stream) {
  if (command.bytes != sizeof(Args))
    throw Failure(code::kInternal, std::string("Command ") + name + " has " + std::to_string(command.bytes) +
                                       " bytes of arguments; expected " + std::to_string(sizeof(Args)) + ".");
  Args args;
  std::memcpy(&args, command.args, sizeof args);
  runtime::launching(name);
  try {
    launcher(args, stream);
  } catch (const LaunchError& error) {
    throw Failure(runtime::code_of_launch(error), std::string("Command ") + name + " failed: " + error.what());
  }
}

}  // namespace

void launch_command(const DhCommand& command, Stream stream) {
  switch (static_cast<CommandKind>(command.kind)) {
#define COMMAND(name, arguments) \
  case CommandKind::name:        \
    return launch_with<arguments>(#name, launch_##name, command, stream);
#include "backend/cuda/commands.def"
    case CommandKind::count_:
      break;
  }
  throw Failure(code::kInternal, "There is no command " + std::to_string(command.kind) + ".");
}

}  // namespace downhill::cuda
