#pragma once

/// \file
/// The innermost step of every byte product, one specialization of `DotStep` per instruction set. The primary template
/// is not defined: an instruction set that the flags of the translation unit do not allow has no route.

#include "halfstep/simd/isa.hpp"

#include <cstddef>
#include <cstdint>

namespace halfstep::inline HALFSTEP_ABI::simd {

/// acc[c] += sum over j < 4 of a[c][j] * w[c][j], a unsigned and w signed bytes, exact for all values.
///
/// One step multiplies a register of weights: `columns` columns, each with 4 consecutive k, in that order
/// (`w[4 * c + j]`), so the same panel of bytes serves every instruction set. The members:
///
///     columns                       int32 lanes of an accumulator
///     bytes                         of weights that a step consumes: 4 * columns
///     Acc, Weights, Activations     registers (where bytes are widened first, two to a Weights or Activations)
///     Bytes                         a register of `bytes` bytes as they are in memory
///     load_bytes(const void*)       Bytes, unaligned
///     weights(Bytes)                Weights of signed bytes
///     broadcast(const uint8_t*)     Activations: the same 4 unsigned bytes for each column, unaligned
///     unsigned_activations(Bytes)   Activations of unsigned bytes, one for each weight
///     signed_activations(Bytes)     Activations of signed bytes
///     ones()                        Activations that are 1 as they stand (no offset)
///     zero(), load(const int32_t*), store(int32_t*, Acc), add(Acc, Acc), sum(Acc)
///     step(Acc, Activations, Weights)
///     unsigned_offset, signed_offset
///
/// The offsets: `broadcast` and `unsigned_activations` yield a - unsigned_offset, `signed_activations` yields
/// a - signed_offset. Most are 0; instructions that exist for one pair of signs only need one of them, +-128. Add
/// offset * (sum of the column's weights) once, after the last step.
///
/// An accumulator is exact while the products that went in sum to an int32: for any 65793 unsigned (131071 signed)
/// activations at the least. Between two stores it may wrap around and back.
template <class Isa>
struct DotStep;

}  // namespace halfstep::inline HALFSTEP_ABI::simd
