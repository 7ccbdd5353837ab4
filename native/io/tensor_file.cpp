#include "io/tensor_file.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <cstring>

#include "io/atomic_file.h"
#include "io/file_error.h"
#include "io/xxhash64.h"

namespace downhill {

namespace {

constexpr uint64_t kPiece = 1 << 20;  // bytes; stays in the cache between hash and copy
constexpr size_t kSum = 8;            // bytes

std::array<unsigned char, kSum> bytes_of(uint64_t sum) {
  std::array<unsigned char, kSum> bytes;
  for (size_t i = 0; i < kSum; ++i) bytes[i] = static_cast<unsigned char>(sum >> (8 * i));
  return bytes;
}

Error corrupt(const std::string& path, const std::string& reason) {
  return Error(code::kCorruptFile, path + ": " + reason + " Use another copy of the file.");
}

class Reader {
 public:
  explicit Reader(const std::string& path) : path_(path), piece_(kPiece) {
    // Without O_NONBLOCK a pipe in place of a file would wait for its writer.
    descriptor_ = ::open(path.c_str(), O_RDONLY | O_CLOEXEC | O_NONBLOCK);
    if (descriptor_ < 0) throw file_error(path, "open", errno);
    struct stat status;
    const int reason = ::fstat(descriptor_, &status) != 0 ? errno : S_ISDIR(status.st_mode) ? EISDIR : 0;
    if (reason != 0 || !S_ISREG(status.st_mode)) {
      ::close(descriptor_);
      if (reason != 0) throw file_error(path, "read", reason);
      throw Error(code::kFileError, "Cannot read " + path + ": it is a device, pipe or socket. Name a file.");
    }
    size_ = static_cast<uint64_t>(status.st_size);
#ifdef POSIX_FADV_SEQUENTIAL
    ::posix_fadvise(descriptor_, 0, 0, POSIX_FADV_SEQUENTIAL);
#endif
  }
  ~Reader() { ::close(descriptor_); }
  Reader(const Reader&) = delete;
  Reader& operator=(const Reader&) = delete;

  uint64_t size() const { return size_; }

  /// Bytes [offset, offset + bytes), at most a piece; they stand until the next call.
  const std::byte* read(uint64_t offset, uint64_t bytes) {
    for (uint64_t have = 0; have < bytes;) {
      const ssize_t got = ::pread(descriptor_, piece_.data() + have, bytes - have, static_cast<off_t>(offset + have));
      if (got < 0 && errno == EINTR) continue;
      if (got < 0) throw file_error(path_, "read", errno);
      if (got == 0)
        throw corrupt(path_, "the file is truncated: it ends at byte " + std::to_string(offset + have) + ", where " +
                                 std::to_string(bytes - have) + " more are expected.");
      have += static_cast<uint64_t>(got);
    }
    return piece_.data();
  }

 private:
  const std::string& path_;
  int descriptor_ = -1;
  uint64_t size_ = 0;
  std::vector<std::byte> piece_;
};

/// The part of a piece that belongs to a range goes into its storage.
void deliver(const std::byte* piece, uint64_t begin, uint64_t bytes, const FileRange& range) {
  const uint64_t from = std::max(begin, range.offset);
  const uint64_t to = std::min(begin + bytes, range.offset + range.storage->bytes);
  if (from >= to) return;
  Buffer& buffer = *range.storage->buffer;
  const std::unique_lock<std::shared_mutex> lock(buffer.guard);
  buffer.version.fetch_add(1, std::memory_order_release);
  std::memcpy(range.storage->data() + (from - range.offset), piece + (from - begin), to - from);
}

void read_ranges(Reader& reader, const std::vector<FileRange>& ranges) {
  for (const FileRange& range : ranges)
    for (uint64_t done = 0; done < range.storage->bytes; done += kPiece) {
      const uint64_t bytes = std::min<uint64_t>(kPiece, range.storage->bytes - done);
      deliver(reader.read(range.offset + done, bytes), range.offset + done, bytes, range);
    }
}

void read_all(const std::string& path, Reader& reader, const std::vector<FileRange>& ranges) {
  XxHash64 hash;
  const uint64_t end = reader.size() - kSum;
  size_t first = 0;  // ranges before it have been read
  for (uint64_t begin = 0; begin < end; begin += kPiece) {
    const uint64_t bytes = std::min<uint64_t>(kPiece, end - begin);
    const std::byte* piece = reader.read(begin, bytes);
    hash.update(piece, bytes);
    while (first < ranges.size() && ranges[first].offset + ranges[first].storage->bytes <= begin) ++first;
    for (size_t i = first; i < ranges.size() && ranges[i].offset < begin + bytes; ++i)
      deliver(piece, begin, bytes, ranges[i]);
  }
  const std::byte* sum = reader.read(end, kSum);
  if (std::memcmp(sum, bytes_of(hash.digest()).data(), kSum) != 0)
    throw corrupt(path, "the contents do not match the checksum in the file's last 8 bytes (from byte " +
                            std::to_string(end) + "): some byte of the file was changed.");
  for (const FileRange& range : ranges) deliver(sum, end, kSum, range);
}

/// A file on its way, with its checksum.
class Writer {
 public:
  Writer(const std::string& path, bool checksum) : file_(path), checksum_(checksum) {}

  void append(const std::byte* data, uint64_t size) {
    for (uint64_t done = 0; done < size; done += kPiece) {
      const uint64_t bytes = std::min<uint64_t>(kPiece, size - done);
      if (checksum_) hash_.update(data + done, bytes);
      file_.write(data + done, bytes);
    }
  }
  void commit() {
    if (checksum_) file_.write(bytes_of(hash_.digest()).data(), kSum);
    file_.commit();
  }

 private:
  AtomicFile file_;
  XxHash64 hash_;
  const bool checksum_;
};

}  // namespace

void write_tensor_file(const std::string& path, const std::vector<std::byte>& head,
                       const std::vector<std::shared_ptr<Storage>>& storages, bool checksum) {
  Writer writer(path, checksum);
  writer.append(head.data(), head.size());
  for (const auto& storage : storages) writer.append(storage->host(), storage->bytes);
  writer.commit();
}

bool write_tensor_file(const std::string& path, const std::vector<std::byte>& head,
                       const std::vector<std::shared_ptr<Storage>>& storages, bool checksum,
                       const std::vector<uint64_t>& versions) {
  Writer writer(path, checksum);
  writer.append(head.data(), head.size());
  std::vector<std::byte> piece(kPiece);
  for (size_t i = 0; i < storages.size(); ++i) {
    const Storage& storage = *storages[i];
    for (uint64_t done = 0; done < storage.bytes; done += kPiece) {
      const uint64_t bytes = std::min<uint64_t>(kPiece, storage.bytes - done);
      {
        const std::shared_lock<std::shared_mutex> lock(storage.buffer->guard);
        if (storage.buffer->version.load(std::memory_order_acquire) != versions[i]) return false;
        std::memcpy(piece.data(), storage.host() + done, bytes);
      }
      writer.append(piece.data(), bytes);
    }
  }
  writer.commit();
  return true;
}

void read_tensor_file(const std::string& path, std::vector<FileRange> ranges, bool checksum) {
  Reader reader(path);
  std::sort(ranges.begin(), ranges.end(), [](const FileRange& a, const FileRange& b) { return a.offset < b.offset; });
  for (const FileRange& range : ranges)
    if (range.storage->bytes > reader.size() || range.offset > reader.size() - range.storage->bytes)
      throw corrupt(path, "the file is truncated: it has " + std::to_string(reader.size()) +
                              " bytes, and a tensor of " + std::to_string(range.storage->bytes) +
                              " is expected at byte " + std::to_string(range.offset) + ".");
  if (!checksum) return read_ranges(reader, ranges);
  if (reader.size() < kSum)
    throw corrupt(path, "the file is truncated: it has " + std::to_string(reader.size()) +
                            " bytes, and the checksum alone takes 8.");
  read_all(path, reader, ranges);
}

}  // namespace downhill
