// Data sets, permutations and gathering.
#include <algorithm>
#include <cmath>
#include <cstring>
#include <limits>
#include <numeric>
#include <string>
#include <utility>
#include <vector>

#include "backend/cpu/pool.h"
#include "check.h"
#include "core/error.h"
#include "data/dataset.h"
#include "data/gather.h"
#include "data/permutation.h"
#include "data/row_order.h"

using namespace downhill;

namespace {

template <typename T>
ColumnSource column(const char* name, const std::vector<T>& data, Element element, int64_t width, DType dtype) {
  ColumnSource source;
  source.name = name;
  source.data = data.data();
  source.data_elements = data.size();
  source.element = element;
  source.width = width;
  source.dtype = dtype;
  return source;
}

template <typename F>
std::string message_of(F&& run) {
  try {
    run();
  } catch (const Error& error) {
    return std::string(error.code()) + ": " + error.what();
  }
  return "none";
}

bool starts(const std::string& text, const std::string& with) { return text.compare(0, with.size(), with) == 0; }

template <typename T>
std::string message_of_bad(T value, Element element, DType dtype) {
  std::vector<T> data(100000 * 7);
  std::iota(data.begin(), data.end(), T{0});
  data[12 * 7 + 5] = value;
  data[90000 * 7 + 1] = value;
  return message_of([&] { Dataset({column("x", data, element, 7, dtype)}, 100000, true); });
}

void test_finite() {
  const std::string at = "x[row 12, element 5] is ";
  const double inf = std::numeric_limits<double>::infinity();
  CHECK(starts(message_of_bad<float>(NAN, Element::float32, DType::float32), "NON_FINITE: " + at + "NaN"));
  CHECK(starts(message_of_bad<float>(-INFINITY, Element::float32, DType::float32), "NON_FINITE: " + at + "-inf"));
  CHECK(starts(message_of_bad<double>(inf, Element::float64, DType::float32), "NON_FINITE: " + at + "inf"));
  CHECK(starts(message_of_bad<double>(1e39, Element::float64, DType::float32), "NON_FINITE: " + at + "1e+39"));
  CHECK(message_of_bad<double>(3e38, Element::float64, DType::float32) == "none");
  CHECK(starts(message_of_bad<double>(NAN, Element::float64, DType::int32), "NON_FINITE: " + at + "NaN"));
  CHECK(starts(message_of_bad<double>(2.5, Element::float64, DType::int32), "INVALID_ARGUMENT: " + at + "2.5"));
  CHECK(starts(message_of_bad<double>(3e9, Element::float64, DType::int32), "INVALID_ARGUMENT: " + at + "3e+09"));
  CHECK(starts(message_of_bad<float>(0.5F, Element::float32, DType::int32), "INVALID_ARGUMENT: " + at + "0.5"));
  CHECK(message_of_bad<float>(-3, Element::float32, DType::int32) == "none");
  std::vector<float> unchecked = {NAN};
  CHECK(message_of([&] { Dataset({column("x", unchecked, Element::float32, 1, DType::float32)}, 1, false); }) ==
        "none");
}

void test_sizes() {
  std::vector<float> data(10);
  CHECK(starts(message_of([&] { Dataset({column("y", data, Element::float32, 4, DType::float32)}, 3, true); }),
               "SHAPE_MISMATCH: y has 10 elements, expected 3 rows of 4"));
  CHECK(message_of([&] { Dataset({column("y", data, Element::float32, 4, DType::float32)}, 2, true); }) == "none");
  CHECK(starts(message_of([&] { Dataset({}, -1, true); }), "OUT_OF_RANGE"));
  const Dataset empty({column("y", std::vector<float>{}, Element::float32, 4, DType::float32)}, 0, true);
  CHECK(empty.rows() == 0);
}

void test_copies_and_in_place() {
  std::vector<float> data = {1, 2, 3, 4};
  Storage storage{std::make_shared<Buffer>(64), 16, 16, nullptr};
  std::memcpy(storage.data(), data.data(), 16);
  ColumnSource in_place;
  in_place.name = "x";
  in_place.storage = storage;
  in_place.width = 2;
  const Dataset dataset({column("y", data, Element::float32, 2, DType::float32), in_place}, 2, true);
  data[0] = 9;
  const auto at = [&](int i) {
    return reinterpret_cast<const float*>(dataset.columns()[static_cast<size_t>(i)].row(1));
  };
  CHECK(*reinterpret_cast<const float*>(dataset.columns()[0].row(0)) == 1);
  CHECK(at(0)[0] == 3 && at(1)[1] == 4);
  CHECK(dataset.columns()[1].storage.buffer == storage.buffer && dataset.columns()[1].row(0) == storage.data());
  CHECK(dataset.own_bytes() == 16);
}

/// Sparse rows come first, as three columns of their own.
void test_own_bytes() {
  const std::vector<int32_t> indptr = {0, 2, 3}, indices = {0, 4, 1};
  const std::vector<float> values = {1, 2, 3};
  auto source = std::make_shared<SparseSource>();
  source->indptr = indptr.data(), source->indices = indices.data(), source->values = values.data();
  source->starts = 3, source->index_count = 3, source->value_count = 3, source->columns = 5;
  ColumnSource sparse, in_place;
  sparse.name = "x";
  sparse.sparse = source;
  in_place.name = "y";
  in_place.storage = {std::make_shared<Buffer>(64), 0, 64, nullptr};
  const std::vector<float> y(8);
  CHECK(Dataset({sparse, in_place}, 2, true).own_bytes() == 36);
  CHECK(Dataset({sparse, column("y", y, Element::float32, 4, DType::float32)}, 2, true).own_bytes() == 36 + 32);
}

template <typename From, typename To>
void check_gather(Element element, DType dtype, int64_t rows, int64_t width, bool shuffled) {
  std::vector<From> data(static_cast<size_t>(rows * width));
  for (size_t i = 0; i < data.size(); ++i) data[i] = static_cast<From>(i * 2654435761U >> 24);
  const Dataset dataset({column("x", data, element, width, dtype)}, rows, true);
  std::vector<uint32_t> order(static_cast<size_t>(rows - 3));
  permute(order, 3, 4);
  for (int threads : {1, 3}) {
    cpu::set_threads(threads);
    std::vector<To> batch(order.size() * static_cast<size_t>(width) + 1, To{77});
    gather(dataset.columns()[0], 2, shuffled ? order.data() : nullptr, static_cast<int64_t>(order.size()),
           reinterpret_cast<std::byte*>(batch.data()));
    bool same = batch.back() == To{77};
    for (size_t i = 0; i < order.size(); ++i)
      for (size_t k = 0; k < static_cast<size_t>(width); ++k) {
        const size_t row = 2 + (shuffled ? order[i] : i);
        same = same &&
               batch[i * static_cast<size_t>(width) + k] == static_cast<To>(data[row * static_cast<size_t>(width) + k]);
      }
    CHECK(same, "element %d to %s, width %d", static_cast<int>(element), name_of(dtype), static_cast<int>(width));
  }
  cpu::set_threads(cpu::default_threads());
}

void test_gather() {
  for (int64_t width : {1, 3, 784})
    for (bool shuffled : {false, true}) {
      check_gather<float, float>(Element::float32, DType::float32, 300, width, shuffled);
      check_gather<double, float>(Element::float64, DType::float32, 300, width, shuffled);
      check_gather<uint8_t, float>(Element::uint8, DType::float32, 300, width, shuffled);
      check_gather<int32_t, float>(Element::int32, DType::float32, 300, width, shuffled);
      check_gather<int32_t, int32_t>(Element::int32, DType::int32, 300, width, shuffled);
      check_gather<uint8_t, int32_t>(Element::uint8, DType::int32, 300, width, shuffled);
      check_gather<float, int32_t>(Element::float32, DType::int32, 300, width, shuffled);
      check_gather<double, int32_t>(Element::float64, DType::int32, 300, width, shuffled);
    }
}

void test_convert() {
  CHECK(convert<int32_t>(2.9) == 2 && convert<int32_t>(-2.9) == -2 && convert<int32_t>(NAN) == 0);
  CHECK(convert<int32_t>(3e9F) == 2147483647 && convert<int32_t>(-3e9F) == -2147483647 - 1);
  CHECK(convert<int32_t>(2147483647.0) == 2147483647 && convert<int32_t>(-2147483648.0) == -2147483647 - 1);
  CHECK(convert<float>(uint8_t{255}) == 255.0F && convert<float>(0.1) == 0.1F);
}

void test_permutation() {
  for (size_t n : {size_t{0}, size_t{1}, size_t{2}, size_t{7}, size_t{60000}}) {
    std::vector<uint32_t> order(n);
    permute(order, 42, 0);
    std::vector<uint32_t> sorted = order;
    std::sort(sorted.begin(), sorted.end());
    bool each_once = true;
    for (size_t i = 0; i < n; ++i) each_once = each_once && sorted[i] == i;
    CHECK(each_once, "n = %zu", n);
  }
  std::vector<uint32_t> a(1000), b(1000), c(1000), d(1000);
  permute(a, 7, 1);
  permute(b, 7, 1);
  permute(c, 7, 2);
  permute(d, uint64_t{7} << 32 | 7, 1);
  CHECK(a == b && a != c && a != d);
  const std::vector<uint32_t> ten = [] {
    std::vector<uint32_t> order(10);
    permute(order, 123, 5);
    return order;
  }();
  std::string text;
  for (uint32_t row : ten) text += std::to_string(row) + " ";
  CHECK(text == "9 5 1 3 6 2 8 7 4 0 ", "the order of seed 123, epoch 5 is %s",
        text.c_str());  // the same on every machine
}

/// Chi-squared over the 24 permutations of four rows, and over which row comes first of 100.
void test_uniformity() {
  std::vector<int> counts(256);
  std::vector<uint32_t> order(4);
  const int draws = 24000;
  for (int epoch = 0; epoch < draws; ++epoch) {
    permute(order, 99, static_cast<uint64_t>(epoch));
    ++counts[order[0] + 4 * order[1] + 16 * order[2] + 64 * order[3]];
  }
  double chi = 0;
  int seen = 0;
  for (int count : counts)
    if (count > 0) ++seen, chi += std::pow(count - draws / 24.0, 2) / (draws / 24.0);
  CHECK(seen == 24 && chi < 60, "%d orders, chi squared %g (23 degrees of freedom)", seen, chi);
  std::vector<uint32_t> hundred(100);
  std::vector<int> first(100);
  for (int seed = 0; seed < 20000; ++seed) {
    permute(hundred, static_cast<uint64_t>(seed), 0);
    ++first[hundred[0]];
  }
  chi = 0;
  for (int count : first) chi += std::pow(count - 200.0, 2) / 200;
  CHECK(chi < 170, "chi squared %g (99 degrees of freedom)", chi);
}

double chi_squared(const std::vector<int>& counts, double expected) {
  double chi = 0;
  for (int count : counts) chi += std::pow(count - expected, 2) / expected;
  return chi;
}

std::vector<uint32_t> ordered(RowOrder& rows, Order order, uint64_t seed, uint64_t draw) {
  rows.arrange(order, seed, draw);
  return rows.order();
}

/// With replacement: every row equally likely at every place, and neighbours independent.
void test_drawn() {
  RowOrder rows({}, 5);
  std::vector<int> first(5), last(5), pairs(25), all(5);
  const int draws = 10000;
  bool repeats = false;
  for (int draw = 0; draw < draws; ++draw) {
    const std::vector<uint32_t> order = ordered(rows, Order::drawn, 17, static_cast<uint64_t>(draw));
    CHECK(order.size() == 5);
    ++first[order[0]], ++last[order[4]], ++pairs[5 * order[1] + order[2]];
    for (uint32_t row : order) ++all[row];
    repeats = repeats || order[0] == order[1];
  }
  CHECK(repeats);
  CHECK(chi_squared(first, draws / 5.0) < 24 && chi_squared(last, draws / 5.0) < 24, "%g and %g (4 degrees)",
        chi_squared(first, draws / 5.0), chi_squared(last, draws / 5.0));
  CHECK(chi_squared(all, draws) < 24, "%g", chi_squared(all, draws));
  CHECK(chi_squared(pairs, draws / 25.0) < 60, "%g (24 degrees)", chi_squared(pairs, draws / 25.0));

  const std::vector<uint32_t> once = ordered(rows, Order::drawn, 17, 3);
  ordered(rows, Order::drawn, 18, 3);
  CHECK(ordered(rows, Order::drawn, 17, 3) == once, "a draw does not depend on those before it");
  RowSet many;
  many.draws = 1000;
  many.rows = {3, 9};
  RowOrder two(many, 10);
  const std::vector<uint32_t> thousand = ordered(two, Order::drawn, 1, 1);
  const auto nines = std::count(thousand.begin(), thousand.end(), 9U);
  CHECK(thousand.size() == 1000 && nines + std::count(thousand.begin(), thousand.end(), 3U) == 1000);
  CHECK(nines > 400 && nines < 600, "%d", static_cast<int>(nines));
  CHECK(two.length(Order::drawn) == 1000 && two.length(Order::shuffled) == 2);
  std::string text;
  for (uint32_t row : ordered(rows, Order::drawn, 123, 5)) text += std::to_string(row) + " ";
  CHECK(text == "4 3 4 1 2 ", "the draws of seed 123, draw 5 are %s", text.c_str());  // the same on every machine
}

/// Groups stay together, their rows in order, and are permuted without bias.
void test_groups() {
  RowSet set;
  set.groups = {0, 1, 0, 2, 2, 1, 2, 0, 3};
  RowOrder rows(set, 9);
  std::vector<int> counts(256);
  const int draws = 24000;
  bool whole = true;
  const std::vector<std::vector<uint32_t>> members = {{0, 2, 7}, {1, 5}, {3, 4, 6}, {8}};
  for (int draw = 0; draw < draws; ++draw) {
    const std::vector<uint32_t> order = ordered(rows, Order::shuffled, 4, static_cast<uint64_t>(draw));
    size_t code = 0;
    for (size_t i = 0; i < order.size();) {
      const uint32_t group = set.groups[order[i]];
      code = 4 * code + group;
      for (uint32_t row : members[group]) whole = whole && i < order.size() && order[i++] == row;
    }
    ++counts[code % 256];
  }
  CHECK(whole);
  counts.erase(std::remove(counts.begin(), counts.end(), 0), counts.end());
  CHECK(counts.size() == 24 && chi_squared(counts, draws / 24.0) < 60, "%zu orders, chi squared %g", counts.size(),
        chi_squared(counts, draws / 24.0));
  CHECK(ordered(rows, Order::stored, 0, 0) == std::vector<uint32_t>({0, 1, 2, 3, 4, 5, 6, 7, 8}));
  CHECK(starts(message_of([&] { rows.arrange(Order::drawn, 0, 0); }), "INVALID_ARGUMENT"));
}

void test_row_sets() {
  RowSet set;
  set.rows = {7, 2, 5};
  RowOrder rows(set, 8);
  CHECK(!rows.plain(Order::stored) && rows.length(Order::stored) == 3 && RowOrder({}, 8).plain(Order::stored));
  CHECK(rows.arrange(Order::stored, 1, 1) && rows.order() == set.rows);
  CHECK(!rows.arrange(Order::stored, 2, 2), "there is one stored order");
  CHECK(rows.arrange(Order::shuffled, 1, 1) && !rows.arrange(Order::shuffled, 1, 1));
  std::vector<uint32_t> sorted = rows.order();
  std::sort(sorted.begin(), sorted.end());
  CHECK(sorted == std::vector<uint32_t>({2, 5, 7}));
  CHECK(rows.arrange(Order::shuffled, 1, 2) && rows.arrange(Order::shuffled, 1, 1));
  const auto failure = [](RowSet wrong) { return message_of([&] { RowOrder(std::move(wrong), 3); }); };
  CHECK(starts(failure({{3}, {}, 0}), "OUT_OF_RANGE: Row 3"));
  CHECK(starts(failure({{}, {0, 1}, 0}), "SHAPE_MISMATCH"));
  CHECK(starts(failure({{}, {0, 1, 3}, 0}), "OUT_OF_RANGE: Groups"));
  CHECK(starts(failure({{}, {}, int64_t{1} << 32}), "OUT_OF_RANGE"));
}

}  // namespace

int main() {
  test_finite();
  test_sizes();
  test_copies_and_in_place();
  test_own_bytes();
  test_gather();
  test_convert();
  test_permutation();
  test_uniformity();
  test_drawn();
  test_groups();
  test_row_sets();
  return downhill::test::report("loader");
}
