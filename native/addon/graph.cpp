#include "graph/graph.h"

#include "addon/check.h"
#include "addon/exports.h"
#include "addon/handles.h"
#include "autodiff/gradients.h"

namespace downhill::addon {

namespace {

Napi::Value id_to_js(Napi::Env env, NodeId id) { return Napi::Number::New(env, id); }

NodeId node_id(const Napi::Value& value) {
  const int64_t id = integer(value, "node");
  if (id < -1 || id > INT32_MAX) throw Error(code::kInternal, "No node " + std::to_string(id) + ".");
  return static_cast<NodeId>(id);
}

std::vector<NodeId> node_ids(const Napi::Value& value) {
  std::vector<NodeId> ids;
  for (int64_t id : integers(value, "nodes")) ids.push_back(static_cast<NodeId>(id));
  return ids;
}

}  // namespace

void export_graph(Napi::Env env, Napi::Object exports) {
  DH_EXPORT("graphNew", { return make_handle<Graph>(info.Env(), std::make_shared<Graph>()); });
  DH_EXPORT("graphInput", {
    return id_to_js(info.Env(), handle<Graph>(info[0])->input(shape(info[1]), dtype(info[2]), text(info[3], "label")));
  });
  DH_EXPORT("graphConstant", {
    const auto storage = handle<Storage>(info[1]);
    if (storage->pending) storage->pending->wait();
    return id_to_js(info.Env(), handle<Graph>(info[0])->constant(storage, shape(info[2]), dtype(info[3])));
  });
  DH_EXPORT("graphVariable", {
    return id_to_js(info.Env(), handle<Graph>(info[0])->variable(handle<Storage>(info[1]), shape(info[2]),
                                                                 dtype(info[3]), text(info[4], "label")));
  });
  DH_EXPORT("graphScalar",
            { return id_to_js(info.Env(), handle<Graph>(info[0])->scalar(number(info[1], "value"), dtype(info[2]))); });
  DH_EXPORT("graphAdd", {
    return id_to_js(info.Env(),
                    handle<Graph>(info[0])->add(op_of(text(info[1], "op")), node_ids(info[2]), attributes(info[3])));
  });
  DH_EXPORT("graphShape", { return to_js(info.Env(), (*handle<Graph>(info[0]))[node_id(info[1])].shape); });
  DH_EXPORT("graphDtype",
            { return Napi::String::New(info.Env(), name_of((*handle<Graph>(info[0]))[node_id(info[1])].dtype)); });
  DH_EXPORT("graphScope", {
    handle<Graph>(info[0])->set_scope(text(info[1], "scope"));
    return info.Env().Undefined();
  });
  DH_EXPORT("graphEnter", {
    handle<Graph>(info[0])->enter(boolean(info[1], "recompute"));
    return info.Env().Undefined();
  });
  DH_EXPORT("graphLeave", {
    handle<Graph>(info[0])->leave();
    return info.Env().Undefined();
  });
  DH_EXPORT("graphGradients", {
    const std::vector<NodeId> found =
        gradients(*handle<Graph>(info[0]), node_id(info[1]), node_ids(info[2]), node_id(info[3]));
    Napi::Array ids = Napi::Array::New(info.Env(), found.size());
    for (size_t i = 0; i < found.size(); ++i) ids.Set(static_cast<uint32_t>(i), found[i]);
    return ids;
  });
  DH_EXPORT("graphDescribe", { return Napi::String::New(info.Env(), handle<Graph>(info[0])->to_string()); });
}

}  // namespace downhill::addon
