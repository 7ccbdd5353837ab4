// Work that the pool's threads do in pieces while they wait for a region, or for its end.
#pragma once

namespace downhill::cpu {

class alignas(64) IdleWork {
 public:
  virtual ~IdleWork() = default;
  /// Does some tenth parts of a microsecond's work; false: none was left. Called by any threads at once, denormals
  /// kept.
  virtual bool piece() noexcept = 0;
};

/// False where other work is on offer already that has pieces left. Whoever offers must withdraw.
bool offer(IdleWork& work);
/// Returns when no thread is at it any more, whatever they do of others' work. It is not on offer then.
void withdraw(IdleWork& work);

}  // namespace downhill::cpu
