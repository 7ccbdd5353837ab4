#include "io/tensor_file.h"

#include <algorithm>
#include <mutex>

#include "core/error.h"
#include "io/file.h"
#include "io/xxhash64.h"

namespace downhill {

namespace {

constexpr size_t kChunk = size_t{1} << 20;

/// The last eight bytes against the hash of all before them.
void verify(const InputFile& file, const std::string& path) {
  if (file.size() < 8) throw Error(code::kCorruptFile, path + " is too short to have a checksum.");
  std::vector<std::byte> chunk(static_cast<size_t>(std::min<int64_t>(file.size(), kChunk)));
  XxHash64 hash;
  const int64_t end = file.size() - 8;
  for (int64_t offset = 0; offset < end;) {
    const auto bytes = static_cast<size_t>(std::min<int64_t>(end - offset, static_cast<int64_t>(kChunk)));
    file.read(offset, chunk.data(), bytes);
    hash.add(chunk.data(), bytes);
    offset += static_cast<int64_t>(bytes);
  }
  uint64_t stored = 0;
  file.read(end, &stored, sizeof stored);
  if (stored != hash.digest())
    throw Error(code::kCorruptFile, path + " is damaged: its contents do not match the checksum in its last 8 bytes. Use another copy.");
}

}  // namespace

void write_tensors(const std::string& path, const void* head, size_t head_bytes, const std::vector<Storage>& storages, bool checksum) {
  AtomicFile file(path);
  XxHash64 hash;
  const auto put = [&](const void* data, size_t bytes) {
    if (checksum) hash.add(data, bytes);
    file.write(data, bytes);
  };
  put(head, head_bytes);
  for (const Storage& storage : storages)
    for (size_t at = 0; at < storage.bytes; at += kChunk) put(storage.data() + at, std::min(kChunk, storage.bytes - at));
  const uint64_t digest = hash.digest();
  if (checksum) file.write(&digest, sizeof digest);
  file.commit();
}

void read_tensors(const std::string& path, const std::vector<int64_t>& offsets, const std::vector<Storage>& storages, bool checksum) {
  const InputFile file(path);
  for (size_t i = 0; i < storages.size(); ++i)
    if (offsets[i] < 0 || offsets[i] > file.size() || static_cast<int64_t>(storages[i].bytes) > file.size() - offsets[i])
      throw Error(code::kCorruptFile, path + " has " + std::to_string(file.size()) + " bytes; " + std::to_string(storages[i].bytes) +
                                          " bytes at " + std::to_string(offsets[i]) + " lie outside.");
  if (checksum) verify(file, path);
  std::vector<std::byte> chunk(kChunk);
  for (size_t i = 0; i < storages.size(); ++i)
    for (size_t at = 0; at < storages[i].bytes; at += kChunk) {
      const size_t bytes = std::min(kChunk, storages[i].bytes - at);
      file.read(offsets[i] + static_cast<int64_t>(at), chunk.data(), bytes);  // the disk is not waited for under the lock
      const std::unique_lock<std::shared_mutex> lock(storages[i].buffer->guard);
      storages[i].buffer->version.fetch_add(1, std::memory_order_relaxed);
      std::copy_n(chunk.data(), bytes, storages[i].data() + at);
    }
}

}  // namespace downhill
