#include "kernels/every_quantizer.hpp"

#include <tuple>
#include <typeinfo>

#include "halfstep/kernels/pack.hpp"
#include "support/all_quantizers.hpp"

namespace hs = halfstep;

namespace halfstep_tests {
namespace {

template <class Q>
hs::PackedMatrix pack_weight(const hs::MatrixF& matrix, const hs::QuantizeOptions& options) {
  return hs::pack(hs::quantize<Q>(matrix, options));
}

template <class Q>
KernelQuantizer kernel_quantizer() {
  static const Q plain{}, fitted = hs::fit<Q>({-1.5f, 3.0f, 1.0f}, hs::Symmetry::affine);
  KernelQuantizer result{typeid(Q).name(), Q::bits, {fitted, fitted}, {plain, plain}, false, nullptr};
  if constexpr (hs::stated_bits<Q>() == Q::bits) {
    result.is_weight = true;
    result.pack = &pack_weight<Q>;
  }
  return result;
}

}  // namespace

const std::vector<KernelQuantizer>& every_quantizer() {
  static const std::vector<KernelQuantizer> all = []<class... Q>(std::tuple<Q...>*) {
    return std::vector<KernelQuantizer>{kernel_quantizer<Q>()...};
  }(static_cast<AllQuantizers*>(nullptr));
  return all;
}

}  // namespace halfstep_tests
