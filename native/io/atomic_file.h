// A file that appears whole or not at all: written beside its target, flushed, then renamed over it.
#pragma once
#include <cstddef>
#include <string>

namespace downhill {

class AtomicFile {
 public:
  /// Creates a temporary file, <name>.<process>.<n>.tmp, in the target's folder. A symbolic link is followed; an
  /// existing target keeps its mode. Throws FILE_ERROR naming path, operation and the system's reason.
  explicit AtomicFile(const std::string& path);
  /// Removes the temporary file unless commit() has succeeded.
  ~AtomicFile();
  AtomicFile(const AtomicFile&) = delete;
  AtomicFile& operator=(const AtomicFile&) = delete;

  void write(const void* data, size_t bytes);
  /// Flushes the file, renames it, flushes the folder. The old target stays whole until then.
  void commit();

 private:
  void create(unsigned mode);
  void discard();

  std::string path_, folder_, temporary_;
  int descriptor_ = -1;  // of the temporary file; -1: there is none
};

}  // namespace downhill
