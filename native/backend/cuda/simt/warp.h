// Shuffles, votes and matches among the lanes of a warp, with the rules of CUDA: reading from a lane that does not take
// part is an error.
#pragma once
#include "backend/cuda/simt/scheduler.h"

namespace downhill::cuda::simt {

template <class T>
struct ShuffleLane {
  T in, out;
  int from;
};

template <class T>
void finish_shuffle(void* const (&lanes)[32], Site site) {
  for (int lane = 0; lane < 32; ++lane) {
    if (!lanes[lane]) continue;
    auto& mine = *static_cast<ShuffleLane<T>*>(lanes[lane]);
    if (!lanes[mine.from]) {
      fail(site, "lane %d reads from lane %d, which does not take part (not in the mask, or ended)", lane, mine.from);
    }
    mine.out = static_cast<ShuffleLane<T>*>(lanes[mine.from])->in;
  }
}

void check_width(int width, Site site);

template <class T>
T shuffle(const char* name, unsigned mask, T value, int from, Site site) {
  static_assert(std::is_arithmetic_v<T> && (sizeof(T) == 4 || sizeof(T) == 8), "shuffles take 4 or 8 bytes");
  ShuffleLane<T> mine{value, value, from};
  warp_collective(name, mask, &mine, finish_shuffle<T>, site);
  return mine.out;
}

struct VoteLane {
  bool vote;
  unsigned ballot;
};
unsigned ballot(const char* name, unsigned mask, bool vote, Site site);

}  // namespace downhill::cuda::simt

template <class T>
T __shfl_sync(unsigned mask, T value, int source, int width = 32,
              downhill::cuda::simt::Site site = downhill::cuda::simt::Site::here()) {
  using namespace downhill::cuda::simt;
  check_width(width, site);
  const int lane = position.linear % 32;
  return shuffle("__shfl_sync", mask, value, (lane & ~(width - 1)) | (source & (width - 1)), site);
}
template <class T>
T __shfl_up_sync(unsigned mask, T value, unsigned delta, int width = 32,
                 downhill::cuda::simt::Site site = downhill::cuda::simt::Site::here()) {
  using namespace downhill::cuda::simt;
  check_width(width, site);
  const int lane = position.linear % 32, from = lane - static_cast<int>(delta);
  return shuffle("__shfl_up_sync", mask, value, from < (lane & ~(width - 1)) ? lane : from, site);
}
template <class T>
T __shfl_down_sync(unsigned mask, T value, unsigned delta, int width = 32,
                   downhill::cuda::simt::Site site = downhill::cuda::simt::Site::here()) {
  using namespace downhill::cuda::simt;
  check_width(width, site);
  const int lane = position.linear % 32, from = lane + static_cast<int>(delta);
  return shuffle("__shfl_down_sync", mask, value, from > (lane | (width - 1)) ? lane : from, site);
}
template <class T>
T __shfl_xor_sync(unsigned mask, T value, int lanes, int width = 32,
                  downhill::cuda::simt::Site site = downhill::cuda::simt::Site::here()) {
  using namespace downhill::cuda::simt;
  check_width(width, site);
  const int lane = position.linear % 32, from = (lane ^ lanes) & 31;
  return shuffle("__shfl_xor_sync", mask, value, from > (lane | (width - 1)) ? lane : from, site);
}
inline unsigned __ballot_sync(unsigned mask, int vote,
                              downhill::cuda::simt::Site site = downhill::cuda::simt::Site::here()) {
  return downhill::cuda::simt::ballot("__ballot_sync", mask, vote != 0, site);
}
inline int __any_sync(unsigned mask, int vote, downhill::cuda::simt::Site site = downhill::cuda::simt::Site::here()) {
  return downhill::cuda::simt::ballot("__any_sync", mask, vote != 0, site) != 0;
}
inline int __all_sync(unsigned mask, int vote, downhill::cuda::simt::Site site = downhill::cuda::simt::Site::here()) {
  return downhill::cuda::simt::ballot("__all_sync", mask, vote == 0, site) == 0;
}
inline unsigned __activemask() { return downhill::cuda::simt::live_lanes(); }
inline void __syncwarp(unsigned mask = 0xffffffffu,
                       downhill::cuda::simt::Site site = downhill::cuda::simt::Site::here()) {
  downhill::cuda::simt::warp_barrier(mask, site);
}

inline void __syncthreads(downhill::cuda::simt::Site site = downhill::cuda::simt::Site::here()) {
  downhill::cuda::simt::block_barrier("__syncthreads", site);
}
inline int __syncthreads_count(int vote, downhill::cuda::simt::Site site = downhill::cuda::simt::Site::here()) {
  return downhill::cuda::simt::block_barrier("__syncthreads_count", site, vote != 0).count;
}
inline int __syncthreads_or(int vote, downhill::cuda::simt::Site site = downhill::cuda::simt::Site::here()) {
  return downhill::cuda::simt::block_barrier("__syncthreads_or", site, vote != 0).count != 0;
}
inline int __syncthreads_and(int vote, downhill::cuda::simt::Site site = downhill::cuda::simt::Site::here()) {
  const auto votes = downhill::cuda::simt::block_barrier("__syncthreads_and", site, vote != 0);
  return votes.count == votes.threads;
}
