// One update of all variables of a model from their gradients: clipping, weight decay, then the rule, in one pass.
#pragma once
#include <atomic>
#include <memory>
#include <mutex>
#include <string_view>
#include <vector>

#include "core/storage.h"
#include "optim/rule.h"

namespace downhill {

/// One variable with its gradient and slots, all float32 and of the same size.
struct UpdateSegment {
  Storage parameter, gradient;
  std::vector<Storage> slots;
  int group = 0;
};

class Updater {
 public:
  /// Throws INVALID_ARGUMENT when sizes, slot counts or groups do not fit.
  Updater(Rule rule, std::vector<UpdateSegment> segments, std::vector<Hyper> groups, double global_clip_norm);

  /// Counts one iteration t and updates every variable. With gradient g, parameter p, rate and weightDecay of the
  /// group: g ← g·clipNorm / max(‖g‖, clipNorm), then the same over all variables with globalClipNorm; g limited to
  /// ±clipValue; coupled decay g ← g + weightDecay·p, or decoupled p ← p - rate·weightDecay·p; p ← rule(g, p). The
  /// caller holds the buffers of `written()` alone. Results do not depend on the number of threads. Allocates nothing.
  void apply();

  /// Hyperparameters by the names of rule.h, at any time from any thread; the next apply() reads them.
  void set(int group, std::string_view name, double value);
  double get(int group, std::string_view name) const;

  int64_t iterations() const { return iterations_.load(std::memory_order_relaxed); }
  void set_iterations(int64_t iterations);

  /// Distinct buffers that apply() writes (parameters and slots) and only reads (gradients).
  const std::vector<std::shared_ptr<Buffer>>& written() const { return written_; }
  const std::vector<std::shared_ptr<Buffer>>& read() const { return read_; }

 private:
  struct Span {  // flat float32 memory of one variable, or of several that lie side by side
    float* parameter = nullptr;
    const float* gradient = nullptr;
    float* slots[kMaxSlots] = {};
    int64_t size = 0;  // elements
    int group = 0;
    int segment = 0;  // the first one
  };
  struct Chunk {
    int span;
    int64_t begin, size;  // elements
  };
  struct Pass {
    std::vector<Span> spans;
    std::vector<Chunk> chunks;
  };

  static Pass cut(std::vector<Span> spans);
  void collect_buffers(const std::vector<UpdateSegment>& segments);
  void measure_norms();
  void update(const Pass& pass);

  const Rule rule_;
  const double global_clip_norm_;
  std::vector<UpdateSegment> segments_;  // keeps the memory alive
  std::vector<std::shared_ptr<Buffer>> written_, read_;
  Pass by_segment_, merged_;

  mutable std::mutex mutex_;  // of groups_
  std::vector<Hyper> groups_;
  std::atomic<int64_t> iterations_{0};

  std::vector<Hyper> hypers_;        // of the step in hand
  std::vector<RuleBytes> rules_;     // by group
  std::vector<float> partial_;       // sum of squares by chunk of by_segment_
  std::vector<double> norm_factor_;  // by segment
};

}  // namespace downhill
