#include "io/atomic_file.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <atomic>
#include <cerrno>
#include <cstdlib>

#include "io/file_error.h"

namespace downhill {

namespace {

constexpr size_t kLongestStem =
    200;  // of the target's name, in that of the temporary file: names have 255 bytes at most
constexpr int kAttempts = 10000;

std::string resolved(const std::string& path) {
  char* const real = ::realpath(path.c_str(), nullptr);
  if (!real) return path;
  std::string result(real);
  std::free(real);
  return result;
}

int flush(int descriptor) {
  int result;
  do result = ::fsync(descriptor);
  while (result != 0 && errno == EINTR);
  return result;
}

}  // namespace

AtomicFile::AtomicFile(const std::string& path) : path_(resolved(path)) {
  const size_t slash = path_.rfind('/');
  folder_ = slash == std::string::npos ? "." : slash == 0 ? "/" : path_.substr(0, slash);
  if (slash + 1 == path_.size()) throw file_error(path, "write", EISDIR);
  struct stat old;
  const bool exists = ::stat(path_.c_str(), &old) == 0;
  if (exists) {
    if (S_ISDIR(old.st_mode)) throw file_error(path_, "write", EISDIR);
    if (!S_ISREG(old.st_mode))  // a rename would put a file in place of a device
      throw Error(code::kFileError, "Cannot write " + path_ + ": it is a device, pipe or socket. Choose another path.");
    if (::faccessat(AT_FDCWD, path_.c_str(), W_OK, AT_EACCESS) != 0) throw file_error(path_, "write", errno);
  }
  create(0666);
  if (exists) {
    // The group or owner may not be ours to give: then the file is ours.
    if (::fchown(descriptor_, old.st_uid, old.st_gid) != 0) errno = 0;
    if (::fchmod(descriptor_, old.st_mode & 07777) != 0) {
      const int reason = errno;
      discard();
      throw file_error(temporary_, "set the mode of", reason);
    }
  }
}

void AtomicFile::create(unsigned mode) {
  static std::atomic<unsigned> counter{0};
  const size_t slash = path_.rfind('/');
  const std::string name = slash == std::string::npos ? path_ : path_.substr(slash + 1);
  const std::string stem = folder_ + "/" + name.substr(0, kLongestStem) + "." + std::to_string(::getpid()) + ".";
  for (int attempt = 0; attempt < kAttempts; ++attempt) {
    temporary_ = stem + std::to_string(counter.fetch_add(1, std::memory_order_relaxed)) + ".tmp";
    descriptor_ = ::open(temporary_.c_str(), O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, mode);
    if (descriptor_ >= 0) return;
    // Another process of this number left one, in a container perhaps: it stays.
    if (errno != EEXIST && errno != EINTR) break;
  }
  throw file_error(path_, "create a temporary file beside", errno);
}

AtomicFile::~AtomicFile() { discard(); }

void AtomicFile::discard() {
  if (descriptor_ < 0) return;
  ::close(descriptor_);
  ::unlink(temporary_.c_str());
  descriptor_ = -1;
}

void AtomicFile::write(const void* data, size_t bytes) {
  const char* from = static_cast<const char*>(data);
  while (bytes > 0) {
    const ssize_t written = ::write(descriptor_, from, std::min<size_t>(bytes, 1u << 30));
    if (written < 0) {
      if (errno == EINTR) continue;
      throw file_error(path_, "write", errno);
    }
    from += written;
    bytes -= static_cast<size_t>(written);
  }
}

void AtomicFile::commit() {
  if (flush(descriptor_) != 0) throw file_error(path_, "flush", errno);
  if (::rename(temporary_.c_str(), path_.c_str()) != 0) throw file_error(path_, "rename a temporary file to", errno);
  ::close(descriptor_);
  descriptor_ = -1;
  // The file is in place; what follows makes its name last. Some file systems have no flushing of folders.
  const int folder = ::open(folder_.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC);
  if (folder < 0) return;
  const int failed = flush(folder) != 0 ? errno : 0;
  ::close(folder);
  if (failed == EIO) throw file_error(folder_, "flush the folder", failed);
}

}  // namespace downhill
