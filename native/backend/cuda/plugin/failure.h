// What goes wrong inside the library; becomes a DhError at its border (table.cu).
#pragma once
#include <exception>
#include <string>
#include <utility>

namespace downhill::cuda {

class Failure : public std::exception {
 public:
  Failure(const char* code, std::string message) : code_(code), message_(std::move(message)) {}
  const char* code() const noexcept { return code_; }  // of core/error.h
  const char* what() const noexcept override { return message_.c_str(); }

 private:
  const char* code_;
  std::string message_;
};

}  // namespace downhill::cuda
