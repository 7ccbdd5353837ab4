// Bytes of tensors to and from files, in pieces: a file is never in memory as a whole.
#pragma once
#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "core/storage.h"

namespace downhill {

/// Bytes [offset, offset + storage.bytes) of a file.
struct FileRange {
  uint64_t offset = 0;
  std::shared_ptr<Storage> storage;
};

/// Writes head, the storages and, with `checksum`, the XXH64 of all of it (8 bytes, little-endian), atomically. The
/// storages must be private copies: no lock is held. Throws FILE_ERROR.
void write_tensor_file(const std::string& path, const std::vector<std::byte>& head,
                       const std::vector<std::shared_ptr<Storage>>& storages, bool checksum);

/// The same straight from storages that others may change. `versions`: those of their buffers at the moment that the
/// file is to hold. Each buffer's lock is held for the copying of one piece at a time, never while the disk works.
/// False, and no file, when one of them had changed before it was read.
bool write_tensor_file(const std::string& path, const std::vector<std::byte>& head,
                       const std::vector<std::shared_ptr<Storage>>& storages, bool checksum,
                       const std::vector<uint64_t>& versions);

/// Reads ranges into storages, each under its buffer's lock a piece at a time. With `checksum`, reads the whole file
/// and compares its last 8 bytes with the XXH64 of what precedes them; storages are filled by then. Throws FILE_ERROR,
/// CORRUPT_FILE.
void read_tensor_file(const std::string& path, std::vector<FileRange> ranges, bool checksum);

}  // namespace downhill
