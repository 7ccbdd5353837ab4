// The bytes of tensors to and from a file, streamed, with a checksum of the whole file as its last eight bytes.
#pragma once
#include <string>
#include <vector>

#include "core/storage.h"

namespace downhill {

/// Writes head, then the storages one after the other, then (with checksum) XXH64 of all that, atomically. The storages are private to the
/// caller. Throws FILE_ERROR; an old file of that name is then unchanged.
void write_tensors(const std::string& path, const void* head, size_t head_bytes, const std::vector<Storage>& storages, bool checksum);

/// storages[i] ← the bytes of the file from offsets[i]. With checksum the whole file is read and compared first, so that nothing of a
/// corrupt file arrives. Throws FILE_ERROR or CORRUPT_FILE.
void read_tensors(const std::string& path, const std::vector<int64_t>& offsets, const std::vector<Storage>& storages, bool checksum);

}  // namespace downhill
