// Variables of several sizes with everything an update may ask for, side by side in one arena of each kind.
#pragma once
#include <algorithm>
#include <cstring>
#include <memory>
#include <random>
#include <vector>

#include "core/storage.h"
#include "hypers.h"
#include "optim/updater.h"

namespace downhill::test {

inline const std::vector<int64_t> kSizes = {1, 17, 64, 40000, 5, 0, 16384};  // several chunks, tails, padding

inline size_t align_up(size_t bytes) { return (bytes + kAlignment - 1) / kAlignment * kAlignment; }

struct Model {
  std::shared_ptr<Buffer> parameters, gradients, slots[kMaxSlots], accumulators, averages;
  std::vector<UpdateSegment> segments;
  std::vector<int> groups;

  explicit Model(Rule rule, const std::vector<int>& group_of = {}) {
    size_t bytes = 0;
    for (int64_t size : kSizes) bytes += align_up(static_cast<size_t>(size) * 4);
    parameters = std::make_shared<Buffer>(bytes);
    gradients = std::make_shared<Buffer>(bytes);
    for (auto& slot : slots) slot = std::make_shared<Buffer>(bytes);
    accumulators = std::make_shared<Buffer>(bytes);
    averages = std::make_shared<Buffer>(bytes);
    size_t offset = 0;
    std::mt19937 random(1);
    std::normal_distribution<float> normal;
    for (size_t i = 0; i < kSizes.size(); ++i) {
      const size_t size = static_cast<size_t>(kSizes[i]) * 4;
      const auto view = [&](const std::shared_ptr<Buffer>& buffer) { return Storage{buffer, offset, size, nullptr}; };
      UpdateSegment segment{view(parameters), view(gradients), {}, group_of.empty() ? 0 : group_of[i]};
      for (int s = 0; s < slots_of(rule); ++s) segment.slots.push_back(view(slots[s]));
      for (const Storage& slot : segment.slots) std::fill_n(at(slot), kSizes[i], start_of(rule));
      segment.accumulator = view(accumulators);
      segment.average = view(averages);
      for (int64_t k = 0; k < kSizes[i]; ++k) at(segment.parameter)[k] = normal(random);
      segments.push_back(segment);
      offset += align_up(size);
    }
  }

  /// Where its slots may begin.
  static float start_of(Rule rule) {
    const bool velocity = rule == Rule::torchMomentum || rule == Rule::torchNesterov;
    return velocity ? -0.0F : rule == Rule::rprop ? 0.01F : 0;
  }

  static float* at(const Storage& storage) { return reinterpret_cast<float*>(storage.data()); }

  /// The gradient of step t, the same for every run.
  void draw_gradients(int t) {
    std::mt19937 random(static_cast<unsigned>(100 + t));
    std::normal_distribution<float> normal;
    for (const UpdateSegment& segment : segments)
      for (size_t k = 0; k < segment.gradient.bytes / 4; ++k) at(segment.gradient)[k] = normal(random);
  }

  std::vector<std::byte> bytes() const {
    std::vector<std::byte> all;
    std::vector<const Buffer*> buffers = {parameters.get(), accumulators.get(), averages.get()};
    for (const auto& slot : slots) buffers.push_back(slot.get());
    for (const Buffer* buffer : buffers) all.insert(all.end(), buffer->data(), buffer->data() + buffer->bytes());
    return all;
  }
};

}  // namespace downhill::test
