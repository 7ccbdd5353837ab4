// Which devices a library has code for.
#pragma once
#include <algorithm>
#include <cstdlib>
#include <string>

namespace downhill::cuda {

/// `compiled_for`: architectures as CMake names them, with spaces between: "75-real 90a-real 120". Binary code
/// ("-real") runs on its own major version with at least its minor one, that of "90a" on 9.0 alone; PTX ("-virtual") on
/// everything from its version on; an architecture without either word is both.
inline bool has_code_for(const std::string& compiled_for, int major, int minor) {
  const int device = 10 * major + minor;
  for (size_t begin = 0; begin < compiled_for.size();) {
    const size_t end = std::min(compiled_for.find(' ', begin), compiled_for.size());
    const std::string item = compiled_for.substr(begin, end - begin);
    begin = end + 1;
    const int number = std::atoi(item.c_str());
    const bool exact = item.find_first_of("af") < item.find('-');  // of "90a" or "100f"; not that of "-virtual"
    const bool real = item.find("-virtual") == std::string::npos, ptx = item.find("-real") == std::string::npos;
    if (exact ? device == number : (real && number / 10 == major && number <= device) || (ptx && number <= device))
      return true;
  }
  return false;
}

}  // namespace downhill::cuda
