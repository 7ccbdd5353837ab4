// Locks on the buffers of variables while programs and updates touch them.
#pragma once
#include <memory>
#include <vector>

#include "core/storage.h"
#include "plan/plan.h"

namespace downhill {

/// Distinct buffers of variables, targets and state that a program reads only, and that it writes.
struct Access {
  std::vector<std::shared_ptr<Buffer>> reads, writes;
};
Access access_of(const Plan& plan);

/// A set of buffers locked together, in address order, so that no two sets wait for each other. Locking allocates
/// nothing.
class LockSet {
 public:
  void share(const std::shared_ptr<Buffer>& buffer) { add(buffer, false); }
  void own(const std::shared_ptr<Buffer>& buffer) { add(buffer, true); }  // also when shared before
  void share(const std::vector<std::shared_ptr<Buffer>>& buffers);
  void own(const std::vector<std::shared_ptr<Buffer>>& buffers);

  /// `except`: a buffer to leave alone, because a snapshot of it is read instead.
  void lock(const Buffer* except = nullptr) const;
  bool free() const;                                  // just now: lock() would not have waited
  void unlock(const Buffer* except = nullptr) const;  // moves the version of buffers that were owned

 private:
  struct Item {
    std::shared_ptr<Buffer> buffer;
    bool alone;
  };
  void add(const std::shared_ptr<Buffer>& buffer, bool alone);
  std::vector<Item> items_;  // by address
};

/// Holds a LockSet for a scope.
class Locked {
 public:
  explicit Locked(const LockSet& set, const Buffer* except = nullptr) : set_(set), except_(except) {
    set_.lock(except_);
  }
  ~Locked() { set_.unlock(except_); }
  Locked(const Locked&) = delete;
  Locked& operator=(const Locked&) = delete;

 private:
  const LockSet& set_;
  const Buffer* const except_;
};

}  // namespace downhill
