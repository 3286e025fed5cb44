#pragma once

/// \file
/// The engine that keeps copies of the operands of some sites while another one runs the model.

#include "halfstep/config.hpp"
#include "halfstep/core/eigen.hpp"
#include "halfstep/core/executor.hpp"
#include "halfstep/core/matrix_view.hpp"
#include "halfstep/layers/engine.hpp"
#include "halfstep/layers/site.hpp"

#include <algorithm>
#include <map>
#include <utility>
#include <vector>

namespace halfstep::inline HALFSTEP_ABI {

/// Left operands, and right ones of attention, of all products of a site: rows one below the other, in the order of a
/// run on one thread.
struct RecordedOperands {
  MatrixF lhs;
  MatrixF rhs;
};

/// Appends rows, growing by doubling.
class GrowingMatrix {
 public:
  void append(MatrixView<const float> part) {
    if (rows_ + part.rows > all_.rows()) all_.conservativeResize(std::max(rows_ + part.rows, 2 * rows_), part.cols);
    for (Index r = 0; r < part.rows; ++r) {
      for (Index c = 0; c < part.cols; ++c) all_(rows_ + r, c) = part(r, c);
    }
    rows_ += part.rows;
  }
  [[nodiscard]] MatrixF take() {
    all_.conservativeResize(rows_, all_.cols());
    return std::move(all_);
  }

 private:
  MatrixF all_;
  Index rows_ = 0;
};

/// Passes every product on to `inner`, which must outlive it, and keeps the operands of the sites of these indices.
/// Where an attention site is among them, heads run one after the other, so that their order is known.
class OperandRecorder final : public Engine {
 public:
  OperandRecorder(Engine& inner, const std::vector<Index>& sites) : inner_(inner) {
    for (const Index site : sites) seen_[site];
  }

  void multiply(const LinearProduct& product, Workspace& workspace) override {
    if (const auto found = seen_.find(product.site.index); found != seen_.end()) found->second.lhs.append(product.x);
    inner_.multiply(product, workspace);
  }
  void multiply(const AttentionProduct& product, Workspace& workspace) override {
    if (const auto found = seen_.find(product.site.index); found != seen_.end()) {
      found->second.lhs.append(product.lhs);
      found->second.rhs.append(product.rhs);
    }
    inner_.multiply(product, workspace);
  }
  /// Serial: records come in order. Linear products use the executor of `inner` all the same.
  [[nodiscard]] ExecutorRef executor() const override { return {}; }

  /// What was seen of `site`, which is forgotten here.
  [[nodiscard]] RecordedOperands take(const Site& site) {
    Seen& seen = seen_[site.index];
    return {seen.lhs.take(), seen.rhs.take()};
  }

 private:
  struct Seen {
    GrowingMatrix lhs, rhs;
  };

  Engine& inner_;
  std::map<Index, Seen> seen_;
};

}  // namespace halfstep::inline HALFSTEP_ABI
