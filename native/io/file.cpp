#include "io/file.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <atomic>
#include <cerrno>
#include <cstdio>
#include <system_error>

#include "core/error.h"

namespace downhill {

namespace {

constexpr size_t kMost = size_t{1} << 30;  // bytes in one system call

const char* remedy_for(int error) {
  switch (error) {
    case ENOENT:
      return " Check the path; the folder must exist.";
    case EACCES:
    case EPERM:
    case EROFS:
      return " Check the permissions of the file and its folder.";
    case ENOSPC:
    case EDQUOT:
    case EFBIG:
      return " Free some space, or choose another disk; an old file of that name is unchanged.";
    case EISDIR:
      return " Give the path of a file.";
    default:
      return "";
  }
}

std::string folder_of(const std::string& path) {
  const size_t slash = path.rfind('/');
  if (slash == std::string::npos) return ".";
  return slash == 0 ? "/" : path.substr(0, slash);
}

template <typename Call>
auto without_interrupts(Call call) {
  auto result = call();
  while (result < 0 && errno == EINTR) result = call();
  return result;
}

}  // namespace

void fail_file(const std::string& path, const char* verb) {
  const int error = errno;
  throw Error(code::kFileError,
              path + " cannot be " + verb + ": " + std::generic_category().message(error) + "." + remedy_for(error));
}

InputFile::InputFile(std::string path) : path_(std::move(path)) {
  descriptor_ = without_interrupts([&] { return ::open(path_.c_str(), O_RDONLY | O_CLOEXEC | O_NONBLOCK); });
  if (descriptor_ < 0) fail_file(path_, "opened");
  struct stat status;
  if (::fstat(descriptor_, &status) != 0 || !S_ISREG(status.st_mode)) {
    const bool folder = S_ISDIR(status.st_mode);
    ::close(descriptor_);
    descriptor_ = -1;
    throw Error(code::kFileError, path_ + " is " + (folder ? "a folder" : "not a regular file") + ". Give the path of a file.");
  }
  size_ = status.st_size;
}

InputFile::~InputFile() {
  if (descriptor_ >= 0) ::close(descriptor_);
}

void InputFile::read(int64_t offset, void* to, size_t bytes) const {
  auto* out = static_cast<std::byte*>(to);
  while (bytes > 0) {
    const ssize_t got = without_interrupts([&] { return ::pread(descriptor_, out, std::min(bytes, kMost), offset); });
    if (got < 0) fail_file(path_, "read");
    if (got == 0)
      throw Error(code::kCorruptFile, path_ + " ends at byte " + std::to_string(offset) + ", before the " +
                                          std::to_string(bytes) + " bytes that should follow. It is truncated.");
    out += got;
    offset += got;
    bytes -= static_cast<size_t>(got);
  }
}

AtomicFile::AtomicFile(std::string path) : path_(std::move(path)) {
  struct stat status;
  const bool exists = ::stat(path_.c_str(), &status) == 0;
  if (exists && S_ISDIR(status.st_mode)) {
    errno = EISDIR;
    fail_file(path_, "written");
  }
  static std::atomic<uint64_t> counter{0};
  for (int attempt = 0; descriptor_ < 0; ++attempt) {
    temporary_ = path_ + "." + std::to_string(::getpid()) + "." + std::to_string(counter++) + ".tmp";
    descriptor_ = without_interrupts([&] { return ::open(temporary_.c_str(), O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0666); });
    if (descriptor_ < 0 && (errno != EEXIST || attempt == 100)) fail_file(path_, "written");
  }
  if (exists && ::fchmod(descriptor_, status.st_mode & 07777) != 0) {
    // The file keeps the default mode: not a reason to lose it.
  }
}

AtomicFile::~AtomicFile() {
  if (descriptor_ >= 0) ::close(descriptor_);
  if (!temporary_.empty()) ::unlink(temporary_.c_str());
}

void AtomicFile::write(const void* data, size_t bytes) {
  auto* from = static_cast<const std::byte*>(data);
  while (bytes > 0) {
    const ssize_t put = without_interrupts([&] { return ::write(descriptor_, from, std::min(bytes, kMost)); });
    if (put < 0) fail_file(path_, "written");
    from += put;
    bytes -= static_cast<size_t>(put);
  }
}

void AtomicFile::commit() {
  if (without_interrupts([&] { return ::fsync(descriptor_); }) != 0) fail_file(path_, "written");
  const int closed = ::close(descriptor_);
  descriptor_ = -1;
  if (closed != 0 && errno != EINTR) fail_file(path_, "written");
  if (std::rename(temporary_.c_str(), path_.c_str()) != 0) fail_file(path_, "replaced");
  temporary_.clear();
  // The new name reaches the disk with its folder; a file system that cannot flush folders needs no such call.
  const int folder = ::open(folder_of(path_).c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC);
  if (folder < 0) return;
  const int flushed = ::fsync(folder);
  const int error = errno;
  ::close(folder);
  if (flushed != 0 && error != EINVAL && error != ENOTSUP && error != EROFS) {
    errno = error;
    fail_file(path_, "flushed");
  }
}

}  // namespace downhill
