#pragma once

/// \file
/// Every quantizer as the kernels see it. Its type is forgotten in every_quantizer.cpp, so that the tests of products
/// and activations compile no code for each.

#include <string>
#include <vector>

#include "halfstep/core/eigen.hpp"
#include "halfstep/kernels/activation.hpp"
#include "halfstep/kernels/packed_matrix.hpp"
#include "halfstep/kernels/quantize.hpp"
#include "support/quantizer_ref.hpp"

namespace halfstep_tests {

/// Parameters of one quantizer and the activation that is made of them.
struct QuantizerAndActivation {
  QuantizerRef q;
  halfstep::Activation activation;
};

/// One type of `AllQuantizers`.
struct KernelQuantizer {
  std::string name;  ///< as the compiler names the type
  int bits;
  QuantizerAndActivation fitted;  ///< to -1.5 .. 3
  QuantizerAndActivation plain;   ///< default parameters
  bool is_weight;                 ///< whether it is one of `PackableQuantizers`
  /// A weight quantized and packed; for weights only.
  halfstep::PackedMatrix (*pack)(const halfstep::MatrixF&, const halfstep::QuantizeOptions&);
};

const std::vector<KernelQuantizer>& every_quantizer();

}  // namespace halfstep_tests
