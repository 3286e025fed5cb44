#pragma once

/// \file
/// The products of other libraries, as rows to compare with: Eigen always, OpenBLAS and oneDNN where they are
/// installed.

#include <halfstep/core/eigen.hpp>

#include <functional>
#include <memory>
#include <string>
#include <vector>

#if defined(HALFSTEP_BENCH_OPENBLAS)
#include <cblas.h>
#endif
#if defined(HALFSTEP_BENCH_ONEDNN)
#include <dnnl.hpp>
#endif

namespace halfstep_bench {

/// `prepare` does once what depends on the weights alone, and returns the product to time: y = x * w^T.
struct Peer {
  std::string name;
  double bytes_per_weight = 4;
  std::function<std::function<void(halfstep::MatrixF&)>(const halfstep::MatrixF& x, const halfstep::MatrixF& w)>
      prepare;
};

inline Peer eigen_peer() {
  return {"eigen_f32", 4, [](const halfstep::MatrixF& x, const halfstep::MatrixF& w) {
            return [&x, &w](halfstep::MatrixF& y) { y.noalias() = x * w.transpose(); };
          }};
}

#if defined(HALFSTEP_BENCH_OPENBLAS)
/// `out = lhs * rhs^T` as engines take it; rhs strided either way.
inline void openblas_product(halfstep::MatrixView<const float> lhs, halfstep::MatrixView<const float> rhs,
                             halfstep::MatrixView<float> out) {
  static const bool one_thread = (openblas_set_num_threads(1), true);
  static_cast<void>(one_thread);
  const bool by_rows = rhs.col_stride == 1;
  const auto size = [](halfstep::Index n) { return static_cast<int>(n); };
  cblas_sgemm(CblasRowMajor, CblasNoTrans, by_rows ? CblasTrans : CblasNoTrans, size(out.rows), size(out.cols),
              size(lhs.cols), 1.0f, lhs.data, size(lhs.row_stride), rhs.data,
              size(by_rows ? rhs.row_stride : rhs.col_stride), 0.0f, out.data, size(out.row_stride));
}

inline Peer openblas_peer() {
  return {"openblas_f32", 4, [](const halfstep::MatrixF& x, const halfstep::MatrixF& w) {
            openblas_set_num_threads(1);
            return [&x, &w](halfstep::MatrixF& y) {
              const int m = static_cast<int>(x.rows()), n = static_cast<int>(w.rows()), k = static_cast<int>(x.cols());
              if (m == 1) {
                cblas_sgemv(CblasRowMajor, CblasNoTrans, n, k, 1.0f, w.data(), k, x.data(), 1, 0.0f, y.data(), 1);
                return;
              }
              cblas_sgemm(CblasRowMajor, CblasNoTrans, CblasTrans, m, n, k, 1.0f, x.data(), k, w.data(), k, 0.0f,
                          y.data(), n);
            };
          }};
}
#endif

#if defined(HALFSTEP_BENCH_ONEDNN)
/// int8 product with one scale per output column, activations u8, weights reordered once into oneDNN's own layout.
class OnednnProduct {
 public:
  OnednnProduct(const halfstep::MatrixF& x, const halfstep::MatrixF& w)
      : engine_(dnnl::engine::kind::cpu, 0), stream_(engine_) {
    using dnnl::memory;
    const memory::dim m = x.rows(), n = w.rows(), k = x.cols();
    x_.assign(static_cast<std::size_t>(m * k), 0);
    w_.assign(static_cast<std::size_t>(n * k), 0);
    scales_.assign(static_cast<std::size_t>(n), 1.0f);
    const float low = x.minCoeff(), high = x.maxCoeff(), step = (high - low) / 255;
    for (Eigen::Index i = 0; i < x.size(); ++i) {
      x_[static_cast<std::size_t>(i)] = static_cast<std::uint8_t>(std::lround((x.data()[i] - low) / step));
    }
    for (Eigen::Index i = 0; i < w.size(); ++i) {
      w_[static_cast<std::size_t>(i)] = static_cast<std::int8_t>(std::lround(w.data()[i] * 1000));
    }
    const memory::desc source({m, k}, memory::data_type::u8, memory::format_tag::ab);
    const memory::desc plain({k, n}, memory::data_type::s8, memory::format_tag::ba);
    const memory::desc any({k, n}, memory::data_type::s8, memory::format_tag::any);
    const memory::desc result({m, n}, memory::data_type::f32, memory::format_tag::ab);
    dnnl::primitive_attr attributes;
    attributes.set_output_scales(2, scales_);
    const dnnl::matmul::primitive_desc description(dnnl::matmul::desc(source, any, result), attributes, engine_);
    memory plain_memory(plain, engine_, w_.data());
    packed_ = memory(description.weights_desc(), engine_);
    dnnl::reorder(plain_memory, packed_).execute(stream_, plain_memory, packed_);
    stream_.wait();
    source_ = memory(source, engine_, x_.data());
    result_ = memory(result, engine_, nullptr);
    product_ = dnnl::matmul(description);
  }

  void operator()(halfstep::MatrixF& y) {
    result_.set_data_handle(y.data());
    product_.execute(stream_, {{DNNL_ARG_SRC, source_}, {DNNL_ARG_WEIGHTS, packed_}, {DNNL_ARG_DST, result_}});
    stream_.wait();
  }

 private:
  dnnl::engine engine_;
  dnnl::stream stream_;
  std::vector<std::uint8_t> x_;
  std::vector<std::int8_t> w_;
  std::vector<float> scales_;
  dnnl::memory source_, packed_, result_;
  dnnl::matmul product_;
};

inline Peer onednn_peer() {
  return {"onednn_u8s8", 1, [](const halfstep::MatrixF& x, const halfstep::MatrixF& w) {
            auto product = std::make_shared<OnednnProduct>(x, w);
            return [product](halfstep::MatrixF& y) { (*product)(y); };
          }};
}
#endif

inline std::vector<Peer> peers() {
  std::vector<Peer> list{eigen_peer()};
#if defined(HALFSTEP_BENCH_OPENBLAS)
  list.push_back(openblas_peer());
#endif
#if defined(HALFSTEP_BENCH_ONEDNN)
  list.push_back(onednn_peer());
#endif
  return list;
}

/// Which peers take part, as a tail for the line about the machine.
inline std::string peer_versions() {
  std::string text;
#if defined(HALFSTEP_BENCH_OPENBLAS)
  text += std::string(", OpenBLAS core ") + openblas_get_corename();
#endif
#if defined(HALFSTEP_BENCH_ONEDNN)
  const dnnl_version_t* version = dnnl_version();
  text += ", oneDNN " + std::to_string(version->major) + "." + std::to_string(version->minor);
#endif
  return text;
}

}  // namespace halfstep_bench
