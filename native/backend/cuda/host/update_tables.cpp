#include "backend/cuda/host/update_tables.h"

namespace downhill::cuda {

namespace {

float* writable(const Storage& storage, DeviceMemory* where) {
  return storage.buffer ? reinterpret_cast<float*>(storage.write(where)) : nullptr;
}

}  // namespace

UpdateTables update_tables(const std::vector<UpdateSpan>& variables, DeviceMemory* where) {
  UpdateTables tables;
  for (const UpdateSpan& variable : variables) {
    DeviceSpan span{};
    span.parameter = writable(variable.parameter, where);
    span.gradient = reinterpret_cast<const float*>(variable.gradient.read(where));
    for (size_t s = 0; s < variable.slots.size(); ++s) span.slots[s] = writable(variable.slots[s], where);
    span.accumulator = writable(variable.accumulator, where);
    span.average = writable(variable.average, where);
    span.size = variable.size;
    span.first_chunk = static_cast<int64_t>(tables.chunks.size());
    span.group = variable.group;
    span.rule = variable.rule;
    span.columns = variable.columns;
    span.first_unit = variable.first_unit;
    const auto index = static_cast<int32_t>(tables.spans.size());
    if (variable.first_unit >= 0) {
      const int64_t rows = variable.size / variable.columns;
      for (int64_t row = 0; row < rows; row += kUnitRows, tables.unit_sums += variable.columns)
        for (int64_t column = 0; column < variable.columns; column += kUnitColumns)
          tables.tiles.push_back({row, column, tables.unit_sums + column, index});
    }
    for (int32_t i = 0; i * kUpdateChunk < span.size; ++i) tables.chunks.push_back({index, i});
    tables.spans.push_back(span);
  }
  return tables;
}

}  // namespace downhill::cuda
