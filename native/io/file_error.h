// Failures of the system on a file, as errors that say which file, what was tried, why it failed and what helps.
#pragma once
#include <string>

#include "core/error.h"

namespace downhill {

/// operation: as in "Cannot <operation> <path>: <reason of errno>. <remedy>"; `number` is an errno.
Error file_error(const std::string& path, const std::string& operation, int number);

}  // namespace downhill
