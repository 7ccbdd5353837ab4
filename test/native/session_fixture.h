// What tests of sessions share: a small data set and a trainer of the linear regression of fake_program.h.
#pragma once
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "core/error.h"
#include "fake_program.h"
#include "training/session.h"

namespace downhill::test {

inline constexpr int64_t kWidth = 3;

/// x[row] = (row, row² mod 7, 1) / scale, y = row mod 5.
inline std::shared_ptr<const Dataset> data_of(int64_t rows, float scale = 100, bool with_y = true) {
  std::vector<float> x, y;
  for (int64_t i = 0; i < rows; ++i) {
    for (int64_t value : {i, i * i % 7, int64_t{1}}) x.push_back(static_cast<float>(value) / scale);
    y.push_back(static_cast<float>(i % 5));
  }
  std::vector<ColumnSource> sources(with_y ? 2 : 1);
  sources[0].name = "x";
  sources[0].data = x.data();
  sources[0].data_elements = x.size();
  sources[0].width = kWidth;
  if (with_y) {
    sources[1].name = "y";
    sources[1].data = y.data();
    sources[1].data_elements = y.size();
  }
  return std::make_shared<Dataset>(std::move(sources), rows, true);
}

struct Fit {
  explicit Fit(FakeModel m, OnNonFinite mode = OnNonFinite::error) : model(std::move(m)) {
    Hyper h;
    h.learning_rate = 0.05;
    updater = std::make_shared<Updater>(Rule::sgd, std::vector<UpdateSegment>{{model.weights, model.gradient, {}, 0}},
                                        std::vector<Hyper>{h});
    SessionOptions options;
    options.kind = SessionKind::train;
    options.workspace = workspace;
    options.updater = updater;
    options.logs = {1, 1};
    if (model.wide) options.logs = {1, 1, 3, 1};
    options.on_non_finite = mode;
    session = std::make_unique<Session>(options);
  }
  std::shared_ptr<FakeProgram> program(int64_t rows) {
    auto made = std::make_shared<FakeProgram>(model, FakeKind::train, rows);
    session->set_program(rows, made);
    return made;
  }

  FakeModel model;
  std::shared_ptr<Workspace> workspace = std::make_shared<Workspace>();
  std::shared_ptr<Updater> updater;
  std::unique_ptr<Session> session;
};

inline std::unique_ptr<Session> reader(SessionKind kind, std::vector<Storage> results = {}) {
  SessionOptions options;
  options.kind = kind;
  options.workspace = std::make_shared<Workspace>();
  if (kind == SessionKind::evaluate) options.logs = {1, 1};
  options.results = std::move(results);
  return std::make_unique<Session>(options);
}

template <typename F>
std::string message_of(F&& run) {
  try {
    run();
  } catch (const Error& error) {
    return std::string(error.code()) + ": " + error.what();
  }
  return "none";
}

inline bool starts(const std::string& text, const std::string& with) { return text.compare(0, with.size(), with) == 0; }

}  // namespace downhill::test
