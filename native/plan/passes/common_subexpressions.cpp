#include <cstring>
#include <functional>

#include "plan/passes/passes.h"

namespace downhill {

namespace {

constexpr size_t kSmallConstant = 256;  // bytes compared by value

size_t mix(size_t seed, size_t value) { return (seed ^ value) * 0x9E3779B97F4A7C15ull + (seed >> 31); }

bool small_constant(const Node& node) { return node.op == Op::constant && node.storage->bytes <= kSmallConstant; }

size_t hash_of(const Node& node) {
  size_t hash = mix(static_cast<size_t>(node.op), static_cast<size_t>(node.dtype));
  for (NodeId input : node.inputs) hash = mix(hash, static_cast<size_t>(input));
  for (int64_t dim : node.shape) hash = mix(hash, static_cast<size_t>(dim));
  for (const auto& item : node.attrs.items()) {
    hash = mix(hash, std::hash<double>()(item.second.number));
    for (int64_t value : item.second.ints) hash = mix(hash, static_cast<size_t>(value));
  }
  if (small_constant(node))
    hash =
        mix(hash,
            std::hash<std::string_view>()({reinterpret_cast<const char*>(node.storage->host()), node.storage->bytes}));
  return hash;
}

bool same(const Node& a, const Node& b) {
  if (a.op != b.op || a.dtype != b.dtype || a.shape != b.shape || a.inputs != b.inputs || !(a.attrs == b.attrs))
    return false;
  if (small_constant(a) && small_constant(b))
    return a.storage->bytes == b.storage->bytes &&
           std::memcmp(a.storage->host(), b.storage->host(), a.storage->bytes) == 0;
  return a.index == b.index && a.storage == b.storage;
}

}  // namespace

NodeId CommonSubexpressions::find(const Ir& ir, const Node& node, size_t hash) const {
  const auto range = seen_.equal_range(hash);
  for (auto it = range.first; it != range.second; ++it)
    if (same(ir.nodes[it->second], node)) return it->second;
  return -1;
}

NodeId CommonSubexpressions::find(const Ir& ir, const Node& node) const { return find(ir, node, hash_of(node)); }

NodeId CommonSubexpressions::find_or_remember(const Ir& ir, NodeId id) {
  const size_t hash = hash_of(ir.nodes[id]);
  const NodeId found = find(ir, ir.nodes[id], hash);
  if (found < 0) seen_.emplace(hash, id);
  return found < 0 ? id : found;
}

}  // namespace downhill
