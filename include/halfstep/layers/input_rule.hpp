#pragma once

/// \file
/// How the input of a linear layer meets the codes of its weight: by an activation (as codes, or kept in float), or
/// split into both.

#include "halfstep/config.hpp"
#include "halfstep/kernels/activation.hpp"
#include "halfstep/kernels/split_matrix.hpp"

#include <variant>

namespace halfstep::inline HALFSTEP_ABI {

/// Where the weights of outlier columns come from. `floats`: the weight of the model (the LLM.int8() paper). `codes`:
/// decoded, like all others (the published library).
enum class OutlierWeights { floats, codes };

/// Columns with outliers stay float, the rest becomes 8-bit codes, see kernels/split_matrix.hpp. Which columns they are
/// is found for the rows of each image or sequence that are there together: token by token over a cache others are
/// found than over a whole sequence.
struct SplitInput {
  float threshold = 6;  ///< magnitude from which on a value is an outlier; 0: none is
  RowMagnitude row_magnitude = RowMagnitude::other_columns;
  OutlierWeights outlier_weights = OutlierWeights::floats;
};

/// One of them. An `Activation`, or any scalar quantizer, converts to a rule.
using InputRule = std::variant<Activation, SplitInput>;

}  // namespace halfstep::inline HALFSTEP_ABI
