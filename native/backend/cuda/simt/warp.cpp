#include "backend/cuda/simt/warp.h"

namespace downhill::cuda::simt {

void check_width(int width, Site site) {
  if (width < 1 || width > 32 || (width & (width - 1))) {
    fail(site, "the width of a shuffle must be a power of two up to 32, received %d", width);
  }
}

unsigned ballot(const char* name, unsigned mask, bool vote, Site site) {
  VoteLane mine{vote, 0};
  warp_collective(
      name, mask, &mine,
      [](void* const(&lanes)[32], Site) {
        unsigned result = 0;
        for (int lane = 0; lane < 32; ++lane) {
          if (lanes[lane] && static_cast<VoteLane*>(lanes[lane])->vote) result |= 1u << lane;
        }
        for (void* lane : lanes) {
          if (lane) static_cast<VoteLane*>(lane)->ballot = result;
        }
      },
      site);
  return mine.ballot;
}

}  // namespace downhill::cuda::simt
