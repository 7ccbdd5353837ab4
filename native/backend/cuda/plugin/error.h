// How things inside the library fail: thrown here, turned into a DhError at its border (plugin/).
#pragma once
#include <stdexcept>
#include <string>

namespace downhill::cuda {

/// A kernel could not be launched, or (emulator) broke a rule. status: CUDA's error number, 0 from the emulator.
class LaunchError : public std::runtime_error {
 public:
  explicit LaunchError(const std::string& message, int status = 0) : std::runtime_error(message), status_(status) {}
  int status() const { return status_; }

 private:
  int status_;
};

}  // namespace downhill::cuda
