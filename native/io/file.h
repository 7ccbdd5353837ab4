// Files with errors that say which file, what was tried and why it failed.
#pragma once
#include <cstddef>
#include <cstdint>
#include <string>

namespace downhill {

/// Throws FILE_ERROR: "model.safetensors cannot be written: No space left on device. …", from errno as it is.
[[noreturn]] void fail_file(const std::string& path, const char* verb);

/// A file opened for reading; reads at offsets.
class InputFile {
 public:
  explicit InputFile(std::string path);
  ~InputFile();
  InputFile(const InputFile&) = delete;
  InputFile& operator=(const InputFile&) = delete;

  int64_t size() const { return size_; }
  /// All of [offset, offset + bytes); throws CORRUPT_FILE when the file ends before.
  void read(int64_t offset, void* to, size_t bytes) const;

 private:
  std::string path_;
  int descriptor_ = -1;
  int64_t size_ = 0;
};

/// A file that appears whole or not at all: written beside its target, flushed, then renamed over it.
class AtomicFile {
 public:
  /// Creates a temporary file in the target's folder. Throws FILE_ERROR.
  explicit AtomicFile(std::string path);
  /// Removes the temporary file unless commit() has succeeded.
  ~AtomicFile();
  AtomicFile(const AtomicFile&) = delete;
  AtomicFile& operator=(const AtomicFile&) = delete;

  void write(const void* data, size_t bytes);
  /// Flushes the file, renames it, flushes the folder. The old target stays whole until then.
  void commit();

 private:
  std::string path_, temporary_;
  int descriptor_ = -1;
};

}  // namespace downhill
