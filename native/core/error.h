// Errors of the native core: a stable code and a message for people. The addon turns them into DownhillError.
#pragma once
#include <exception>
#include <string>
#include <utility>

namespace downhill {

/// Thrown inside the core only; never crosses the C boundary.
class Error : public std::exception {
 public:
  Error(const char* code, std::string message) : code_(code), message_(std::move(message)) {}
  const char* code() const noexcept { return code_; }  // a string literal such as "SHAPE_MISMATCH"
  const char* what() const noexcept override { return message_.c_str(); }

 private:
  const char* code_;
  std::string message_;
};

namespace code {
inline constexpr const char* kShapeMismatch = "SHAPE_MISMATCH";
inline constexpr const char* kDtypeMismatch = "DTYPE_MISMATCH";
inline constexpr const char* kInvalidArgument = "INVALID_ARGUMENT";
inline constexpr const char* kUnknownName = "UNKNOWN_NAME";
inline constexpr const char* kOutOfRange = "OUT_OF_RANGE";
inline constexpr const char* kLabelOutOfRange = "LABEL_OUT_OF_RANGE";
inline constexpr const char* kNonFinite = "NON_FINITE";
inline constexpr const char* kDisposed = "DISPOSED";
inline constexpr const char* kOutOfMemory = "OUT_OF_MEMORY";
inline constexpr const char* kMemoryLimit = "MEMORY_LIMIT";  // a limit of the user's own cannot be kept to
inline constexpr const char* kNotDifferentiable = "NOT_DIFFERENTIABLE";
inline constexpr const char* kUnsupported = "UNSUPPORTED";
inline constexpr const char* kFileError = "FILE_ERROR";      // the system refuses: missing, no permission, disk full
inline constexpr const char* kCorruptFile = "CORRUPT_FILE";  // the contents are damaged
inline constexpr const char* kDeviceUnavailable = "DEVICE_UNAVAILABLE";  // no such device, or it cannot be used
inline constexpr const char* kDeviceLost = "DEVICE_LOST";                // it failed; its memory is gone
inline constexpr const char* kInternal = "INTERNAL";
}  // namespace code

}  // namespace downhill
