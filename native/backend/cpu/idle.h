// Work that the pool's threads do in pieces while they wait for a region, or for its end.
#pragma once

namespace downhill::cpu {

class IdleWork {
 public:
  virtual ~IdleWork() = default;
  /// Does some tenth parts of a microsecond's work; false: none was left. Called by any threads at once, denormals
  /// kept.
  virtual bool piece() noexcept = 0;
};

/// False where other work is on offer already. Whoever offers must withdraw.
bool offer(IdleWork& work);
/// Returns when no thread is at it any more. Nothing is on offer then.
void withdraw(IdleWork& work);

}  // namespace downhill::cpu
