#include "addon/check.h"
#include "addon/exports.h"
#include "addon/handles.h"
#include "addon/queue.h"
#include "data/dataset.h"
#include "data/permutation.h"
#include "training/session.h"

namespace downhill::addon {

namespace {

const void* elements(const Napi::Object& given, const char* key, Element element, size_t* count) {
  const ArrayView view = array_view(given.Get(key), key);
  if (view.element != element)
    throw Error(code::kInvalidArgument,
                std::string(key) + " must be an array of " + (element == Element::int32 ? "int32." : "float32."));
  *count = view.length;
  return view.data;
}

std::shared_ptr<const SparseSource> sparse_source(const Napi::Object& given, int64_t columns) {
  auto source = std::make_shared<SparseSource>();
  source->indptr = static_cast<const int32_t*>(elements(given, "indptr", Element::int32, &source->starts));
  source->indices = static_cast<const int32_t*>(elements(given, "indices", Element::int32, &source->index_count));
  source->values = static_cast<const float*>(elements(given, "values", Element::float32, &source->value_count));
  source->columns = columns;
  return source;
}

ColumnSource column(const Napi::Value& value) {
  const Napi::Object given = object(value, "column");
  ColumnSource source;
  source.name = text(given.Get("name"), "name");
  source.width = count(given.Get("width"), "width");
  source.dtype = dtype(given.Get("dtype"));
  if (!given.Get("sparse").IsUndefined()) {
    source.sparse = sparse_source(object(given.Get("sparse"), "sparse"), source.width);
    return source;
  }
  const Napi::Value data = given.Get("data");
  if (is_handle<Storage>(data)) {
    source.storage = *handle<Storage>(data);
    source.element = element_of(dtype(given.Get("storageDtype")));
  } else {
    const ArrayView view = array_view(data, "data");
    source.data = view.data;
    source.data_elements = view.length;
    source.element = view.element;
    if (!view.data) source.data = &source;  // an empty array has no memory, and nothing of it is read
  }
  return source;
}

Napi::Value new_dataset(const Napi::CallbackInfo& info) {
  const Napi::Array given = list(info[0], "columns");
  std::vector<ColumnSource> sources;
  for (uint32_t i = 0; i < given.Length(); ++i) sources.push_back(column(given.Get(i)));
  auto dataset = std::make_shared<Dataset>(std::move(sources), count(info[1], "rows"), boolean(info[2], "check"));
  const int64_t bytes = dataset->own_bytes();  // no more: V8 collects garbage when it hears of many
  return make_handle<Dataset>(info.Env(), std::move(dataset), bytes);
}

Napi::Value new_session(const Napi::CallbackInfo& info) {
  const Napi::Object given = object(info[0], "options");
  SessionOptions options;
  const std::string kind = text(given.Get("kind"), "kind");
  if (kind == "train")
    options.kind = SessionKind::train;
  else if (kind == "evaluate")
    options.kind = SessionKind::evaluate;
  else if (kind == "predict")
    options.kind = SessionKind::predict;
  else
    throw Error(code::kUnknownName, "Unknown kind of session \"" + kind + "\".");
  options.workspace = handle<Workspace>(given.Get("workspace"));
  if (!given.Get("updater").IsNull()) options.updater = handle<Updater>(given.Get("updater"));
  const Napi::Array logs = list(given.Get("logs"), "logs");
  for (uint32_t i = 0; i < logs.Length(); ++i) options.logs.push_back(count(logs.Get(i), "logs"));
  const Napi::Array results = list(given.Get("results"), "results");
  for (uint32_t i = 0; i < results.Length(); ++i) options.results.push_back(*handle<Storage>(results.Get(i)));
  const std::string mode = text(given.Get("onNonFinite"), "onNonFinite");
  if (mode == "error")
    options.on_non_finite = OnNonFinite::error;
  else if (mode == "warn")
    options.on_non_finite = OnNonFinite::warn;
  else if (mode == "ignore")
    options.on_non_finite = OnNonFinite::ignore;
  else
    throw Error(code::kUnknownName, "onNonFinite must be 'error', 'warn' or 'ignore'; received \"" + mode + "\".");
  auto session = std::make_shared<Session>(std::move(options));
  Queue::of(info.Env()).remember(session);
  return make_handle<Session>(info.Env(), std::move(session));
}

std::vector<double> doubles(const Napi::Value& value) {
  const ArrayView view = array_view(value, "sums");
  if (view.element != Element::float64) throw Error(code::kInvalidArgument, "sums must be a Float64Array.");
  const auto* const values = static_cast<const double*>(view.data);
  return std::vector<double>(values, values + view.length);
}

Napi::Value doubles(Napi::Env env, const std::vector<double>& values) {
  Napi::Float64Array array = Napi::Float64Array::New(env, values.size());
  std::copy(values.begin(), values.end(), array.Data());
  return array;
}

Napi::Value to_js(Napi::Env env, const Stretch& stretch) {
  Napi::Object result = Napi::Object::New(env);
  result.Set("steps", static_cast<double>(stretch.steps));
  result.Set("rows", static_cast<double>(stretch.rows));
  result.Set("done", stretch.done);
  result.Set("aborted", stretch.aborted);
  result.Set("sums", doubles(env, stretch.sums));
  result.Set("last", doubles(env, stretch.last));
  result.Set("nonFinite", static_cast<double>(stretch.non_finite));
  return result;
}

/// Whole numbers that are not negative, as an Int32Array; null: none.
std::vector<uint32_t> numbers(const Napi::Value& value, const char* what) {
  if (value.IsNull()) return {};
  const ArrayView view = array_view(value, what);
  if (view.element != Element::int32)
    throw Error(code::kInvalidArgument, std::string(what) + " must be an Int32Array.");
  const auto* const values = static_cast<const int32_t*>(view.data);
  for (size_t i = 0; i < view.length; ++i)
    if (values[i] < 0) throw Error(code::kOutOfRange, std::string(what) + " must hold numbers that are not negative.");
  return std::vector<uint32_t>(values, values + view.length);
}

RowSet row_set(const Napi::Value& value) {
  RowSet set;
  if (value.IsNull()) return set;
  const Napi::Object given = object(value, "set");
  set.rows = numbers(given.Get("rows"), "rows");
  set.groups = numbers(given.Get("groups"), "groups");
  set.draws = count(given.Get("draws"), "draws");
  return set;
}

Order order(const Napi::Value& value) {
  const std::string name = text(value, "order");
  if (name == "stored") return Order::stored;
  if (name == "shuffled") return Order::shuffled;
  if (name == "drawn") return Order::drawn;
  throw Error(code::kUnknownName, "Unknown order of rows \"" + name + "\".");
}

Napi::Value permutation(const Napi::CallbackInfo& info) {
  std::vector<uint32_t> order(static_cast<size_t>(std::min<int64_t>(count(info[0], "count"), INT32_MAX)));
  permute(order, static_cast<uint64_t>(integer(info[1], "seed")), static_cast<uint64_t>(count(info[2], "draw")));
  void* to = nullptr;
  const Napi::Value result = new_array(info.Env(), DType::int32, order.size(), &to);
  std::copy(order.begin(), order.end(), static_cast<int32_t*>(to));
  return result;
}

}  // namespace

void export_training(Napi::Env env, Napi::Object exports) {
  DH_EXPORT("datasetNew", { return new_dataset(info); });
  DH_EXPORT("datasetRoom", {
    const auto dataset = handle<Dataset>(info[0]);
    const int64_t rows = count(info[1], "rows");
    const bool repeats = boolean(info[2], "repeats");
    for (const Column& column : dataset->columns())
      if (column.sparse) return Napi::Number::New(info.Env(), static_cast<double>(column.sparse->room(rows, repeats)));
    return info.Env().Null();
  });
  DH_EXPORT("permutation", { return permutation(info); });
  DH_EXPORT("sessionNew", { return new_session(info); });
  DH_EXPORT("sessionProgram", {
    handle<Session>(info[0])->set_program(count(info[1], "rows"), handle<Program>(info[2]));
    return info.Env().Undefined();
  });
  DH_EXPORT("sessionData", {
    handle<Session>(info[0])->set_data(handle<Dataset>(info[1]), count(info[2], "begin"), count(info[3], "end"),
                                       row_set(info[4]));
    return info.Env().Undefined();
  });
  DH_EXPORT("sessionEpoch", {
    handle<Session>(info[0])->begin_epoch(count(info[1], "epoch"), count(info[2], "batchSize"), order(info[3]),
                                          static_cast<uint64_t>(integer(info[4], "seed")),
                                          static_cast<uint64_t>(count(info[5], "draw")));
    return info.Env().Undefined();
  });
  DH_EXPORT("sessionSeek", {
    handle<Session>(info[0])->seek(count(info[1], "steps"), doubles(info[2]));
    return info.Env().Undefined();
  });
  DH_EXPORT("sessionRun", {
    const auto session = handle<Session>(info[0]);
    const auto steps = static_cast<int64_t>(std::min(number(info[1], "maxSteps"), 9e15));
    const double milliseconds = number(info[2], "maxMilliseconds");
    const bool may_run_now = boolean(info[3], "mayRunNow");
    Queue& queue = Queue::of(info.Env());
    Queue::Work work = [session, steps, milliseconds]() -> Queue::Make {
      return [stretch = session->run(steps, milliseconds)](Napi::Env env) { return to_js(env, stretch); };
    };
    if (may_run_now && queue.idle() && session->brief()) return queue.run_now(std::move(work));
    return queue.run(session->trains() ? Lane::training : Lane::compute, std::move(work));
  });
  DH_EXPORT("sessionBatch", {
    const std::vector<Storage> batch = handle<Session>(info[0])->batch(count(info[1], "back"));
    if (batch.empty()) return info.Env().Null();
    Napi::Array result = Napi::Array::New(info.Env(), batch.size());
    for (size_t i = 0; i < batch.size(); ++i)
      result.Set(static_cast<uint32_t>(i), storage_handle(info.Env(), std::make_shared<Storage>(batch[i])));
    return result;
  });
  DH_EXPORT("sessionAbort", {
    handle<Session>(info[0])->abort();
    return info.Env().Undefined();
  });
}

}  // namespace downhill::addon
