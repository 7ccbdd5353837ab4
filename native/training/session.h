// A walk over a data set by batches: training, evaluation or prediction, run in stretches on a native thread.
#pragma once
#include <atomic>
#include <memory>
#include <mutex>
#include <optional>
#include <utility>
#include <vector>

#include "backend/device.h"
#include "core/storage.h"
#include "data/dataset.h"
#include "data/gather.h"
#include "data/row_order.h"
#include "optim/updater.h"
#include "training/locks.h"
#include "training/snapshot.h"

namespace downhill {

enum class SessionKind { train, evaluate, predict };
enum class OnNonFinite { error, warn, ignore };

struct SessionOptions {
  SessionKind kind = SessionKind::train;
  std::shared_ptr<Workspace> workspace;
  std::shared_ptr<Updater> updater;  // train
  // First outputs of the programs, by their number of float32 elements. 0: sum of the loss, 1: its weight.
  std::vector<int64_t> logs;
  std::vector<Storage> results;  // predict: output j is appended to results[j]
  OnNonFinite on_non_finite = OnNonFinite::error;
};

/// State of an epoch after a stretch of steps.
struct Stretch {
  int64_t steps = 0, rows = 0;  // finished in this epoch so far
  bool done = false, aborted = false;
  std::vector<double> sums, last;  // of the logs' elements: over the epoch so far, and of the last batch
  int64_t non_finite = 0;          // batches with a loss that is not finite
};

/// Whether the rows of the next batch are gathered, into a buffer of their own, while one of so many bytes is computed.
bool gathers_ahead(size_t batch_bytes);

/// Calls from JavaScript's thread set it up while no stretch runs (else they throw INVALID_ARGUMENT); run() is for a
/// native one.
class Session {
 public:
  explicit Session(SessionOptions options);

  bool trains() const { return options_.kind == SessionKind::train; }

  /// The program for batches of exactly `rows` rows. Column i of the data feeds its input i.
  void set_program(int64_t rows, std::shared_ptr<Program> program);
  /// The coming epochs go over rows [begin, end), or over those that the set names.
  void set_data(std::shared_ptr<const Dataset> dataset, int64_t begin, int64_t end, RowSet set = {});
  /// To the first batch of an epoch (counted from 0); zeroes the sums. The rest after the last full batch is one
  /// smaller batch (train), or is cut into powers of two. The order of the rows follows from the seed and `draw`, by
  /// default the epoch.
  void begin_epoch(int64_t epoch, int64_t batch_size, Order order, uint64_t seed, std::optional<uint64_t> draw = {});
  /// After begin_epoch: goes on after `steps` batches with these sums of the logs, as if they had just been done.
  /// train.
  void seek(int64_t steps, const std::vector<double>& sums);

  /// Runs until the epoch ends, max_steps steps or max_milliseconds are over (at least one step; values that are not
  /// positive are no limit), or an abort. Throws NON_FINITE naming epoch and step, or what a program throws; the
  /// variables are then those of the last finished step. May be called again after an abort or an error. A step
  /// allocates nothing.
  Stretch run(int64_t max_steps, double max_milliseconds);

  /// Whether run() to the end of the epoch, on the CPU, is over sooner than another thread would be at it: it is brief
  /// work, and would wait for nobody. Never of a session that trains.
  bool brief();

  /// The rows of the batch that is `back` batches before the next one, by column, as copies on the host; nothing where
  /// the epoch has none. 0 is the next batch, after an error the one that failed. train.
  std::vector<Storage> batch(int64_t back);

  /// Ends a stretch after the step in hand, or the next stretch before its first one. Any thread.
  void abort() { abort_.store(true, std::memory_order_relaxed); }

 private:
  struct Entry {  // what a batch of `rows` rows needs
    int64_t rows;
    std::shared_ptr<Program> program;
    Access access;
    Work work;
    LockSet forward, update;         // held for the program; for the update
    LockSet whole;                   // both, for a loop
    bool sparse_checked = false;     // as in Bindings
    std::unique_ptr<StepLoop> loop;  // where the device runs several steps at a time
  };

  std::unique_lock<std::mutex> claim();
  void add_locks(Entry& entry) const;
  Entry& entry_of(int64_t rows);
  int64_t rows_at(int64_t position) const;  // of the batch that begins there
  void prepare();
  void prepare_loops();
  bool lies_ready(const Column& column) const;
  bool reads(size_t i) const;
  static int64_t room_of(const Entry& entry, size_t i);
  void place_columns();
  void check_sparse(const Column& column, const Value& value, int64_t rows) const;
  void check(const Entry& entry) const;
  BatchGatherer gatherer(int64_t position, int64_t rows) const;
  void load(int64_t rows);
  void begin_pieces(int64_t position, Buffer& to);
  void gather_ahead(int64_t position);
  void forget_ahead();
  void bind_outputs(const Entry& entry);
  void step();
  int64_t launch(Entry& entry, int64_t most);
  int64_t steps_of_launch(const Entry& entry, int64_t most) const;
  void train(Entry& entry, Bindings& bindings);
  bool read(Entry& entry, Bindings& bindings);
  const Buffer* rebase(const Entry& entry, const std::byte** to);
  bool same_versions(const std::vector<std::shared_ptr<Buffer>>& reads, const Buffer* rebased);
  void start_again();
  void check_loss();
  void add_logs();
  std::vector<std::shared_ptr<Buffer>> trained() const;
  void release();
  Stretch state(bool aborted) const;

  const SessionOptions options_;
  std::mutex mutex_;  // held by a stretch, and while the session is set up
  std::atomic<bool> abort_{false};

  std::vector<Entry> entries_;
  std::shared_ptr<const Dataset> dataset_;
  int64_t begin_ = 0;  // first row of the data set
  RowOrder rows_;

  bool started_ = false, prepared_ = false;
  int64_t epoch_ = 0, batch_size_ = 0, length_ = 0, position_ = 0, steps_ = 0, non_finite_ = 0;
  Order order_ = Order::stored;
  bool listed_ = false;  // the rows are visited as rows_ lists them
  uint64_t seed_ = 0, draw_ = 0;
  DeviceMemory* where_ = nullptr;          // memory that the programs work in; null: the host's
  std::unique_ptr<Buffer> device_order_;   // the list there
  bool order_there_ = false;               // it is that of rows_
  double step_seconds_ = 0;                // of the last launch
  std::unique_ptr<Buffer> batch_, spare_;  // gathered rows, column after column; of the next batch
  BatchPieces pieces_;                     // of the columns among them that are dense: of the next batch while one runs
  int64_t begun_ = -1;                     // position of the batch of pieces_
  std::vector<size_t> batch_offset_;       // by column, bytes
  std::vector<const void*> inputs_;        // by column
  std::vector<void*> outputs_;             // by output of the program
  std::vector<float> logs_;                // of the batch in hand, one after the other
  std::vector<size_t> log_offset_;         // by output
  std::vector<double> sums_, last_;
  std::optional<TrainingMark> mark_;                          // from the first step of an epoch to its end
  std::shared_ptr<const Snapshot> snapshot_;                  // that the rest of this epoch reads
  std::vector<std::pair<const Buffer*, uint64_t>> versions_;  // of what is read, as of the first batch
};

}  // namespace downhill
