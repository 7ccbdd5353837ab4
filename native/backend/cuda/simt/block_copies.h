// What the scheduler asks of asynchronous copies.
#pragma once

namespace downhill::cuda::simt {

extern bool copies_used;  // since forget_copies
int copies_in_flight(int thread);
void forget_copies();  // at the start of a block

}  // namespace downhill::cuda::simt
