// The static shape of a tensor: up to eight dimensions, row-major.
#pragma once
#include <cstdint>
#include <initializer_list>
#include <string>
#include <vector>

namespace downhill {

inline constexpr int kMaxRank = 8;

class Shape {
 public:
  Shape() = default;
  Shape(std::initializer_list<int64_t> dims);
  explicit Shape(const std::vector<int64_t>& dims);  // throws INVALID_ARGUMENT: rank > 8, negative, overflow

  int rank() const { return rank_; }
  int64_t operator[](int axis) const { return dims_[axis]; }
  int64_t& operator[](int axis) { return dims_[axis]; }
  int64_t size() const;  // number of elements; 1 for a scalar
  const int64_t* begin() const { return dims_; }
  const int64_t* end() const { return dims_ + rank_; }
  void push_back(int64_t dim);
  std::vector<int64_t> to_vector() const { return {begin(), end()}; }
  std::string to_string() const;  // "[2, 3]"
  bool operator==(const Shape& other) const;
  bool operator!=(const Shape& other) const { return !(*this == other); }

 private:
  int rank_ = 0;
  int64_t dims_[kMaxRank] = {};
};

/// NumPy broadcasting of two shapes; false when they do not fit.
bool broadcast(const Shape& a, const Shape& b, Shape* out);

}  // namespace downhill
