// Chains: a block of all operands goes through the kernels of the single ops, one after the other, before the next
// block begins. What lies between two ops is in buffers on the stack, which stay in the first cache.
#include <algorithm>
#include <numeric>

#include "backend/cpu/program.h"
#include "backend/cpu/steps/broadcast_reader.h"
#include "plan/passes/chains.h"

namespace downhill::cpu {

namespace {

constexpr int64_t kBlock = 1024;       // elements of a block, at most
constexpr int64_t kStack = 12288;      // elements of a thread's buffers: 48 KiB
constexpr int64_t kLine = 16;          // elements of a cache line
constexpr int64_t kLanes = 64;         // elements that a reduction takes at a time
constexpr int64_t kWork = 4 * kChunk;  // elements times ops of one piece of parallel work

// A chain of n steps has at most n results and, since its steps hang together, 2n + 1 operands from outside.
static_assert((3 * kMaxChain + 1) * kLanes <= kStack, "every buffer has room for a block");

/// Where a block of an operand or result lies: in a value or a buffer, or where its reader says.
struct Place {
  enum Kind : uint8_t { value, buffer, reader } kind = value;
  int id = -1;
  int64_t stride = 1;  // 0: a scalar
};

struct Call {
  Op op;
  Place in[kMaxOperands - 1], out;
  int operands = 0;
  ElementwiseFn elementwise = nullptr;
  float params[2] = {};
  DType to = DType::float32;  // cast
  NoiseFn noise = nullptr;
  NoiseParams noise_params;
  void (*rows)(const void*, void*, int64_t, int64_t) = nullptr;  // reduction
  RowParts parts{};
};

/// Brings a broadcast operand into a buffer.
struct Reader {
  BroadcastReader read;
  int value, buffer;
  bool once = false;  // every block has the same elements
};

/// A thread's own, for one piece of the work.
struct Piece {
  explicit Piece(const Run& r) : run(r) {}
  const Run& run;
  struct {
    const int32_t* at;
    int64_t stride;
  } broadcast[2 * kMaxChain + 1];  // by reader: this block of its operand
  alignas(kAlignment) int32_t buffers[kStack];
};

/// Values and buffers of a chain while it is compiled.
class Places {
 public:
  explicit Places(const Build& build) : build_(build), of_(build.plan.values.size()) {
    std::vector<char> visible(of_.size(), 0);
    for (int output : build.step.outputs()) visible[static_cast<size_t>(output)] = 1;
    last_read_.assign(of_.size(), -1);
    for (size_t i = 0; i < build.step.chain.size(); ++i) {
      const Step& part = build.step.chain[i];
      for (int input : part.inputs) {
        int& last = last_read_[root(input)];  // reductions come when all others have seen the block
        last = std::max(last, is_reduction(part.op) ? static_cast<int>(kMaxChain) : static_cast<int>(i));
      }
      if (visible[static_cast<size_t>(part.output)]) of_[root(part.output)] = {Place::value, part.output, 1};
    }
  }

  Place& of(int value) { return of_[root(value)]; }
  /// A buffer that is never given back.
  int take() {
    if (free_.empty()) return count_++;
    const int buffer = free_.back();
    free_.pop_back();
    return buffer;
  }
  /// Where step i puts its result: the buffer of an operand that it is the last to read, if there is one.
  Place make(int i, const Step& part) {
    for (int input : part.inputs) {
      Place& place = of(input);
      if (place.kind != Place::buffer || last_read_[root(input)] != i) continue;
      free_.push_back(place.id);
      place = {};  // an operand read twice is given back once
    }
    Place& result = of(part.output);
    if (result.id < 0) result = {Place::buffer, take(), 1};
    return result;
  }
  int count() const { return count_; }

 private:
  size_t root(int value) const {
    const int alias = build_.plan.values[static_cast<size_t>(value)].alias_of;
    return static_cast<size_t>(alias >= 0 ? alias : value);
  }
  const Build& build_;
  std::vector<Place> of_;       // by root
  std::vector<int> last_read_;  // by root: step of the chain
  std::vector<int> free_;
  int count_ = 0;
};

class Chain {
 public:
  explicit Chain(const Build& build)
      : movement_(&build.table.movement), size_(build.plan.values[build.step.chain[0].output].shape.size()) {
    Places places(build);
    add_inputs(build, places);
    int i = 0;
    for (const Step& part : build.step.chain) add(Build{build.plan, part, build.table}, i++, places);
    choose_block(places.count());
  }

  void operator()(const Run& run) const {
    if (row_ > block_) return reduce_long_rows(run);
    for_pieces(size_, piece_, [&](int64_t begin, int64_t end) {
      Piece piece(run);
      for (int64_t at = begin; at < end; at += block_) {
        const int64_t count = std::min(block_, end - at);
        elementwise(piece, at, count, at == begin);
        for (const Call& call : reductions_)
          call.rows(read(piece, call.in[0], at), write(piece, call.out, at / row_), count / row_, row_);
      }
    });
  }

  size_t scratch_bytes() const { return row_ > block_ && pieces_ > 1 ? reductions_.size() * partial_bytes() : 0; }

 private:
  // ---- compiling ----
  void add_inputs(const Build& build, Places& places) {
    const Shape& shape = build.plan.values[build.step.chain[0].output].shape;
    for (int input : build.step.inputs) {
      BroadcastReader reader(build.plan.values[input].shape, shape);
      if (reader.is_linear() || reader.is_scalar()) {
        direct_.push_back({input, {Place::value, input, reader.is_scalar() ? 0 : 1}});
      } else {
        direct_.push_back({input, {Place::reader, static_cast<int>(readers_.size())}});
        readers_.push_back({reader, input, places.take()});
      }
    }
  }

  void add(const Build& build, int i, Places& places) {
    const Step& step = build.step;
    Call call{};
    call.op = step.op;
    for (int input : step.inputs) {
      const auto outside =
          std::find_if(direct_.begin(), direct_.end(), [&](const auto& d) { return d.first == input; });
      call.in[call.operands++] = outside != direct_.end() ? outside->second : places.of(input);
    }
    call.out = places.make(i, step);
    if (is_reduction(step.op)) {
      const int reduction = static_cast<int>(reduction_of(step.op)), dtype = static_cast<int>(build.in(0).dtype);
      call.rows = build.table.reduce.rows[reduction][dtype];
      call.parts = build.table.reduce.parts[reduction][dtype];
      row_ = reduced_row(build.plan, step);
      reductions_.push_back(call);
      return;
    }
    if (is_noise(step.op)) {
      call.noise = noise_kernel(build.table, step.op);
      call.noise_params = noise_params(step.op, step.attrs);
    } else if (step.op == Op::cast) {
      call.to = build.out().dtype;
    } else {
      call.elementwise = elementwise_kernel(build);
      read_params(step.op, step.attrs, call.params);
    }
    calls_.push_back(call);
  }

  /// Blocks are whole rows where rows are reduced, and whole periods of broadcast operands where these are short.
  void choose_block(int buffers) {
    const int64_t limit = std::min(kBlock, kStack / std::max(buffers, 1) / kLanes * kLanes);
    int64_t unit = row_ > 0 ? row_ : kDraw;
    if (row_ > limit) {
      unit = kLanes;
      pieces_ = (row_ + kRowPiece - 1) / kRowPiece;
    } else {
      for (const Reader& reader : readers_) {
        const int64_t period = reader.read.period();
        const int64_t both = period <= limit ? std::lcm(unit, period) : limit + 1;
        if (both <= limit) unit = both;
      }
      if (std::lcm(unit, kLine) <= limit) unit = std::lcm(unit, kLine);
    }
    block_ = limit / unit * unit;
    pitch_ = (block_ + kLine - 1) / kLine * kLine;
    const int64_t ops = static_cast<int64_t>(calls_.size() + reductions_.size());
    piece_ = std::max<int64_t>(1, kWork / ops / block_) * block_;
    for (Reader& reader : readers_) reader.once = row_ <= limit && block_ % reader.read.period() == 0;
  }

  // ---- running ----
  static const int32_t* values(const Piece& piece, int id) { return static_cast<const int32_t*>(piece.run.at[id]); }
  int32_t* buffer(Piece& piece, int id) const { return piece.buffers + id * pitch_; }
  const int32_t* read(Piece& piece, const Place& place, int64_t at) const {
    if (place.kind == Place::reader) return piece.broadcast[place.id].at;
    return place.kind == Place::buffer ? buffer(piece, place.id) : values(piece, place.id) + at * place.stride;
  }
  int32_t* write(Piece& piece, const Place& place, int64_t at) const {
    return place.kind == Place::buffer ? buffer(piece, place.id) : static_cast<int32_t*>(piece.run.at[place.id]) + at;
  }
  static int64_t stride(const Piece& piece, const Place& place) {
    return place.kind == Place::reader ? piece.broadcast[place.id].stride : place.stride;
  }

  /// `begin`: of the piece; a reader whose blocks are all the same is asked no more.
  void read_broadcasts(Piece& piece, int64_t at, int64_t count, bool begin) const {
    for (size_t i = 0; i < readers_.size(); ++i) {
      const Reader& reader = readers_[i];
      if (reader.once && !begin) continue;
      const int32_t* const from = values(piece, reader.value);
      auto& to = piece.broadcast[i];
      if ((to.at = reader.read.in_place(from, at, count, to.stride)) != nullptr) continue;
      int32_t* const copy = buffer(piece, reader.buffer);
      reader.read(*movement_, from, copy, at, count);
      to = {copy, 1};
    }
  }

  void elementwise(Piece& piece, int64_t at, int64_t count, bool begin) const {
    read_broadcasts(piece, at, count, begin);
    for (const Call& call : calls_) {
      const void* in[kMaxOperands - 1];
      int64_t strides[kMaxOperands - 1];
      for (int k = 0; k < call.operands; ++k)
        in[k] = read(piece, call.in[k], at), strides[k] = stride(piece, call.in[k]);
      int32_t* const out = write(piece, call.out, at);
      if (call.elementwise)
        call.elementwise(in, strides, out, count, call.params);
      else if (call.noise)
        call.noise(static_cast<const float*>(in[0]), reinterpret_cast<float*>(out), at, count, call.noise_params,
                   piece.run.step);
      else if (call.to == DType::int32)
        movement_->to_int(static_cast<const float*>(in[0]), out, count);
      else
        movement_->to_float(static_cast<const int32_t*>(in[0]), reinterpret_cast<float*>(out), count);
    }
  }

  size_t partial_bytes() const { return aligned(static_cast<size_t>(size_ / row_ * pieces_) * 4); }

  /// Rows longer than a block, in pieces whose results are reduced in turn.
  void reduce_long_rows(const Run& run) const {
    const int64_t rows = size_ / row_;
    const auto result = [&](size_t k) {
      return pieces_ == 1 ? static_cast<int32_t*>(run.at[reductions_[k].out.id])
                          : reinterpret_cast<int32_t*>(run.scratch + k * partial_bytes());
    };
    for_pieces(rows * pieces_, items_per_piece(std::min(row_, kRowPiece)), [&](int64_t begin, int64_t end) {
      Piece piece(run);
      for (int64_t i = begin; i < end; ++i) {
        const int64_t column = i % pieces_ * kRowPiece, first = i / pieces_ * row_ + column;
        reduce_part(piece, first, std::min(kRowPiece, row_ - column), [&](size_t k) { return result(k) + i; });
      }
    });
    if (pieces_ == 1) return;
    for (size_t k = 0; k < reductions_.size(); ++k) {
      int32_t* const y = static_cast<int32_t*>(run.at[reductions_[k].out.id]);
      for_pieces(rows, items_per_piece(pieces_), [&](int64_t begin, int64_t end) {
        reductions_[k].rows(result(k) + begin * pieces_, y + begin, end - begin, pieces_);
      });
    }
  }

  /// Elements first … first + n, and what each reduction makes of them.
  template <typename Result>
  void reduce_part(Piece& piece, int64_t first, int64_t n, Result&& result) const {
    alignas(kAlignment) int32_t accumulators[kMaxReductions][kLanes];
    for (size_t k = 0; k < reductions_.size(); ++k) reductions_[k].parts.begin(accumulators[k]);
    for (int64_t at = 0; at < n; at += block_) {
      const int64_t count = std::min(block_, n - at);
      elementwise(piece, first + at, count, true);
      for (size_t k = 0; k < reductions_.size(); ++k) {
        const Call& call = reductions_[k];
        const int32_t* const x = read(piece, call.in[0], first + at);
        if (at + count < n)
          call.parts.part(x, count, accumulators[k]);
        else
          call.parts.end(x, count, accumulators[k], result(k));
      }
    }
  }

  const MovementKernels* movement_;
  int64_t size_;        // elements of the chain's shape
  int64_t row_ = 0;     // of the rows that are reduced; 0: none are
  int64_t pieces_ = 1;  // of a row longer than a block
  int64_t block_ = 0, pitch_ = 0, piece_ = 0;
  std::vector<std::pair<int, Place>> direct_;  // by input of the step
  std::vector<Reader> readers_;
  std::vector<Call> calls_, reductions_;
};

}  // namespace

std::unique_ptr<Launch> compile_chain(const Build& build) {
  Chain chain(build);
  const size_t scratch = chain.scratch_bytes();
  return launch(std::move(chain), scratch);
}

}  // namespace downhill::cpu
