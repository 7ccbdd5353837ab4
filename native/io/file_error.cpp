#include "io/file_error.h"

#include <cerrno>
#include <system_error>

namespace downhill {

namespace {

const char* remedy(int number) {
  switch (number) {
    case ENOENT:
      return "Check the path; its folder must exist.";
    case ENOTDIR:
      return "A part of the path is a file, not a folder.";
    case EISDIR:
      return "This is a folder: name a file.";
    case EACCES:
    case EPERM:
      return "Change the permissions of the file or its folder, or choose another path.";
    case EROFS:
      return "This file system is read-only: choose another path.";
    case ENOSPC:
    case EDQUOT:
      return "Free space on this disk, or choose another path.";
    case EFBIG:
      return "The file is larger than the process's limit (ulimit -f) or the file system allows.";
    case EBUSY:
      return "This file is a mount point, as one file mounted into a container is: mount its folder instead.";
    case EMFILE:
    case ENFILE:
      return "Too many files are open: close some, or raise the limit (ulimit -n).";
    case ENAMETOOLONG:
      return "Choose a shorter name.";
    case EIO:
      return "The disk reports an error: check it.";
    default:
      return "Choose another path.";
  }
}

}  // namespace

Error file_error(const std::string& path, const std::string& operation, int number) {
  return Error(code::kFileError, "Cannot " + operation + " " + path + ": " + std::generic_category().message(number) +
                                     ". " + remedy(number));
}

}  // namespace downhill
