// A header of a user's that mentions the library's types by fwd.hpp alone, and a source that then includes all of it.

#include "halfstep/fwd.hpp"

namespace app {

struct Layer {
  const halfstep::PackedMatrix* weight = nullptr;
  halfstep::Workspace* workspace = nullptr;
};

halfstep::Index out_features(const Layer& layer);
bool is_set(const halfstep::MatmulOptions& options, halfstep::MatrixView<const float> x);
float scale_of(const halfstep::Uniform<4>& q);

}  // namespace app

#include "halfstep/halfstep.hpp"
#include "halfstep/kernels/dispatch.hpp"
#include "halfstep/quantizers/tanq.hpp"

namespace app {

halfstep::Index out_features(const Layer& layer) { return layer.weight->rows(); }
bool is_set(const halfstep::MatmulOptions& options, halfstep::MatrixView<const float> x) {
  return options.tile == nullptr && x.rows == 0;
}
float scale_of(const halfstep::Uniform<4>& q) { return q.scale; }

}  // namespace app

// What was declared is what there is: each of them is complete now.
template <class... Types>
constexpr bool are_complete = ((sizeof(Types) > 0) && ...);
static_assert(are_complete<
              halfstep::KernelTable, halfstep::TileKernel, halfstep::Error, halfstep::ErrorStats, halfstep::ExecutorRef,
              halfstep::Random, halfstep::SerialExecutor, halfstep::ThreadPool, halfstep::Workspace,
              halfstep::BuildInfo, halfstep::LinearView, halfstep::MatrixView<const float>, halfstep::MutableVectorView,
              halfstep::NormView, halfstep::Range, halfstep::Shape, halfstep::Tiling, halfstep::VectorView,
              halfstep::Uniform<4>, halfstep::TanQ<4>, halfstep::Activation, halfstep::EncodedMatrix,
              halfstep::Epilogue, halfstep::PackedMatrix, halfstep::MatmulOptions, halfstep::QuantizeOptions,
              halfstep::Histogram, halfstep::MinMax, halfstep::RunningAverage, halfstep::Rotation, halfstep::ShiftScale,
              halfstep::TimestepMaxima, halfstep::AnyMatrixView, halfstep::RunningPercentile,
              halfstep::RunningPercentileMax, halfstep::Allocation, halfstep::LayerOptions>);

int main() {
  const halfstep::PackedMatrix packed;
  const app::Layer layer{&packed, nullptr};
  return app::out_features(layer) == 0 && app::is_set({}, {}) && app::scale_of({}) == 1 ? 0 : 1;
}
