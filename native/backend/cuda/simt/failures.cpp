#include "backend/cuda/simt/failures.h"

#include <algorithm>
#include <cstdarg>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <vector>

#include "backend/cuda/simt/sanitizers.h"

namespace downhill::cuda::simt {

namespace {

std::string text_of(Site site) { return std::string(base_name(site.file)) + ":" + std::to_string(site.line); }

[[noreturn]] void end_launch() {
  state.failed = true;
  IgnoreAccesses::end();
  publish(&state.order_points[1]);
  state.running->switch_to(*state.host);
  std::abort();  // a fiber that failed is never gone on with
}

/// Who waits where, by place.
std::string describe_waiting() {
  struct Place {
    Waiting at;
    int threads;
  };
  std::vector<Place> places;
  for (int thread = 0; thread < state.threads; ++thread) {
    if (!(state.warps[thread / 32].live >> thread % 32 & 1u)) continue;
    const Waiting& at = state.waiting[thread];
    auto known = std::find_if(places.begin(), places.end(), [&](const Place& place) {
      return place.at.mask == at.mask && same(place.at.site, at.site);
    });
    if (known == places.end()) known = places.insert(known, {at, 0});
    ++known->threads;
  }
  std::string text = "threads wait for others that never come: ";
  for (size_t i = 0; i < places.size() && i < 6; ++i) {
    const Waiting& at = places[i].at;
    char mask[32] = "";
    if (at.mask) std::snprintf(mask, sizeof mask, " with mask 0x%08x", at.mask);
    text += (i ? ", " : "") + std::to_string(places[i].threads) + " in " + at.name + mask + " at " + text_of(at.site);
  }
  return text + (places.size() > 6 ? ", …" : "");
}

}  // namespace

bool same(Site a, Site b) { return a.line == b.line && (a.file == b.file || std::strcmp(a.file, b.file) == 0); }

const char* base_name(const char* path) {
  const char* slash = std::strrchr(path, '/');
  return slash ? slash + 1 : path;
}

std::string text_of(dim3 size) {
  return "(" + std::to_string(size.x) + ", " + std::to_string(size.y) + ", " + std::to_string(size.z) + ")";
}
std::string text_of(uint3 index) { return text_of(dim3(index.x, index.y, index.z)); }
std::string launched_by(const Launch& launch) {
  return std::string("launched by ") + launch.launcher + " at " + text_of(launch.site);
}

void end_stuck_launch() {
  state.stuck = true;
  end_launch();
}

void fail(Site site, const char* format, ...) {
  va_list arguments;
  va_start(arguments, format);
  std::vsnprintf(state.message, sizeof state.message, format, arguments);
  va_end(arguments);
  state.site = site;
  end_launch();
}

std::string describe_failure() {
  std::string text = "[simt] " + state.kernel->name + ", block " + text_of(position.block);
  if (state.stuck) return text + ": " + describe_waiting() + "; " + launched_by(*state.launch);
  return text + ", thread " + text_of(position.thread) + ": " + state.message + "; at " + text_of(state.site) + ", " +
         launched_by(*state.launch);
}

}  // namespace downhill::cuda::simt
