#pragma once

/// \file
/// What another project embeds: views, quantizers, packing, products, calibrators. Files, models, recipes and reports
/// are included by name (`halfstep/io/...`, `halfstep/models/...`, `halfstep/recipes/...`, `halfstep/report/...`).

// core: views, tilings, errors, threads, memory
#include "halfstep/core/bit_packing.hpp"
#include "halfstep/core/eigen.hpp"
#include "halfstep/core/error.hpp"
#include "halfstep/core/error_stats.hpp"
#include "halfstep/core/executor.hpp"
#include "halfstep/core/float16.hpp"
#include "halfstep/core/linear_view.hpp"
#include "halfstep/core/matrix_view.hpp"
#include "halfstep/core/norm_view.hpp"
#include "halfstep/core/parallel_for.hpp"
#include "halfstep/core/random.hpp"
#include "halfstep/core/thread_pool.hpp"
#include "halfstep/core/tiling.hpp"
#include "halfstep/core/workspace.hpp"

// quantizers
#include "halfstep/quantizers/adalog.hpp"
#include "halfstep/quantizers/binary.hpp"
#include "halfstep/quantizers/block_format.hpp"
#include "halfstep/quantizers/absmax.hpp"
#include "halfstep/quantizers/concepts.hpp"
#include "halfstep/quantizers/level_table.hpp"
#include "halfstep/quantizers/log2.hpp"
#include "halfstep/quantizers/log_sqrt2.hpp"
#include "halfstep/quantizers/minifloat.hpp"
#include "halfstep/quantizers/mx_float.hpp"
#include "halfstep/quantizers/nv_float.hpp"
#include "halfstep/quantizers/power_of_two_factor.hpp"
#include "halfstep/quantizers/scale_storage.hpp"
#include "halfstep/quantizers/shift_log2.hpp"
#include "halfstep/quantizers/tanq.hpp"
#include "halfstep/quantizers/ternary.hpp"
#include "halfstep/quantizers/twin_uniform.hpp"
#include "halfstep/quantizers/shifted_uniform.hpp"
#include "halfstep/quantizers/uniform.hpp"

// kernels: codes in and out of matrices, packing, products
#include "halfstep/kernels/encoded_matrix.hpp"
#include "halfstep/kernels/head_gate.hpp"
#include "halfstep/kernels/matmul.hpp"
#include "halfstep/kernels/matmul_encoded.hpp"
#include "halfstep/kernels/pack.hpp"
#include "halfstep/kernels/pack_activation.hpp"
#include "halfstep/kernels/quantize.hpp"
#include "halfstep/kernels/quantize_blocks.hpp"
#include "halfstep/kernels/quantized_matrix.hpp"
#include "halfstep/kernels/softmax.hpp"
#include "halfstep/kernels/split_matmul.hpp"
#include "halfstep/kernels/split_matrix.hpp"
#include "halfstep/kernels/unpack.hpp"

// calibrators
#include "halfstep/calibrators/range/headwise_range.hpp"
#include "halfstep/calibrators/range/histogram.hpp"
#include "halfstep/calibrators/range/min_max.hpp"
#include "halfstep/calibrators/range/mse_range.hpp"
#include "halfstep/calibrators/range/percentile.hpp"
#include "halfstep/calibrators/range/running_average.hpp"
#include "halfstep/calibrators/transform/fold.hpp"
#include "halfstep/calibrators/transform/noisy_bias.hpp"
#include "halfstep/calibrators/transform/shift_scale.hpp"
