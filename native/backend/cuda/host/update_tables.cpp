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
    for (int32_t i = 0; i * kUpdateChunk < span.size; ++i) tables.chunks.push_back({index, i});
    tables.spans.push_back(span);
  }
  tables.unit_sums = each_unit_tile(variables, [&](int span, int64_t row, int64_t column, int64_t at) {
    tables.tiles.push_back({row, column, at, span});
  });
  return tables;
}

}  // namespace downhill::cuda
