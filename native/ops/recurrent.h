// The cells of recurrent layers: one unit of one row at one time step, forward and backward. Recurrences over time are
// loops of the backends.
#pragma once
#include <cstdint>

#include "core/host_device.h"
#include "core/math.h"

namespace downhill {

enum class Cell : uint8_t { simpleRNN, lstm, gru };

/// Multiples of the units: columns of the input products and the recurrent kernel (gates), of the result of the forward
/// op (states, the hidden state first), and of the gradient op's (gradients: those of the recurrent products first).
struct CellSizes {
  int64_t gates, states, gradients;
  int carried;  // initial states: h, or h and c
  bool bias;    // of the recurrent products
};
DH_HOST_DEVICE constexpr CellSizes sizes_of(Cell cell) {
  return cell == Cell::lstm  ? CellSizes{4, 6, 4, 2, false}
         : cell == Cell::gru ? CellSizes{3, 5, 4, 1, true}
                             : CellSizes{1, 1, 1, 1, false};
}

}  // namespace downhill

namespace downhill::DH_ISA {

/// h = tanh(x + m). x: input product with its bias, m: recurrent product, of the hidden state before.
struct SimpleRnnCell {
  static constexpr Cell kCell = Cell::simpleRNN;
  DH_HOST_DEVICE static void forward(const float* x, const float* m, float, float, float* s) {
    s[0] = math::tanh(x[0] + m[0]);
  }
  /// d: of the states; d_h: of the hidden state, from later steps, and then what goes to the one before beside the
  /// recurrent products; d_c alike, of the cell state.
  DH_HOST_DEVICE static void backward(const float* s, float, float, const float* d, float& d_h, float&, float* g) {
    g[0] = (d_h + d[0]) * (1.0f - s[0] * s[0]);
    d_h = 0.0f;
  }
};

/// Hochreiter & Schmidhuber 1997 with forget gates (Gers et al. 2000). Gates i, f, g, o; states h, c, i, f, g, o:
/// c = f c' + i g, h = o tanh c.
struct LstmCell {
  static constexpr Cell kCell = Cell::lstm;
  DH_HOST_DEVICE static void forward(const float* x, const float* m, float, float c, float* s) {
    s[2] = math::sigmoid(x[0] + m[0]);
    s[3] = math::sigmoid(x[1] + m[1]);
    s[4] = math::tanh(x[2] + m[2]);
    s[5] = math::sigmoid(x[3] + m[3]);
    s[1] = s[3] * c + s[2] * s[4];
    s[0] = s[5] * math::tanh(s[1]);
  }
  DH_HOST_DEVICE static void backward(const float* s, float, float c, const float* d, float& d_h, float& d_c,
                                      float* g) {
    const float dh = d_h + d[0], t = math::tanh(s[1]);
    const float dc = d_c + dh * s[5] * (1.0f - t * t) + d[1];
    g[0] = (dc * s[4] + d[2]) * s[2] * (1.0f - s[2]);
    g[1] = (dc * c + d[3]) * s[3] * (1.0f - s[3]);
    g[2] = (dc * s[2] + d[4]) * (1.0f - s[4] * s[4]);
    g[3] = (dh * t + d[5]) * s[5] * (1.0f - s[5]);
    d_c = dc * s[3];
    d_h = 0.0f;
  }
};

/// Cho et al. 2014, with the reset gate after the recurrent product. Gates z, r, h; states h, z, r, candidate, m_h:
/// candidate = tanh(x_h + r m_h), h = z h' + (1 - z) candidate. Gradients: of m_z, m_r, m_h, x_h.
struct GruCell {
  static constexpr Cell kCell = Cell::gru;
  DH_HOST_DEVICE static void forward(const float* x, const float* m, float h, float, float* s) {
    s[1] = math::sigmoid(x[0] + m[0]);
    s[2] = math::sigmoid(x[1] + m[1]);
    s[3] = math::tanh(x[2] + s[2] * m[2]);
    s[4] = m[2];
    s[0] = s[1] * h + (1.0f - s[1]) * s[3];
  }
  DH_HOST_DEVICE static void backward(const float* s, float h, float, const float* d, float& d_h, float&, float* g) {
    const float dh = d_h + d[0];
    g[0] = (dh * (h - s[3]) + d[1]) * s[1] * (1.0f - s[1]);
    g[3] = (dh * (1.0f - s[1]) + d[3]) * (1.0f - s[3] * s[3]);
    g[1] = (g[3] * s[4] + d[2]) * s[2] * (1.0f - s[2]);
    g[2] = g[3] * s[2] + d[4];
    d_h = dh * s[1];
  }
};

/// body(cell functor) for that cell.
template <typename F>
inline void with_cell(Cell cell, F&& body) {
  switch (cell) {
    case Cell::simpleRNN:
      return body(SimpleRnnCell{});
    case Cell::lstm:
      return body(LstmCell{});
    case Cell::gru:
      return body(GruCell{});
  }
}

}  // namespace downhill::DH_ISA
