#pragma once

/// \file
/// Names for headers that mention the library's types and use them elsewhere: members by pointer, parameters by
/// reference. Costs next to nothing to include. `QuantizedMatrix` and what else is constrained by a concept has no
/// declaration here, and neither has `MatrixF`, which is Eigen's.

#include "halfstep/config.hpp"

#include <cstdint>

namespace halfstep {

struct KernelTable;
struct TileKernel;

}  // namespace halfstep

namespace halfstep::inline HALFSTEP_ABI {

// core
using Index = std::int64_t;
class AnyMatrixView;
#if HALFSTEP_HAS_EXCEPTIONS
class Error;
#endif
class ErrorStats;
class ExecutorRef;
class Random;
class SerialExecutor;
class ThreadPool;
class Workspace;
struct BuildInfo;
template <class T>
struct BasicLinearView;
using LinearView = BasicLinearView<float>;
template <class T>
struct MatrixView;
template <class T>
struct BasicMutableVectorView;
using MutableVectorView = BasicMutableVectorView<float>;
template <class T>
struct BasicNormView;
using NormView = BasicNormView<float>;
struct Progress;
struct Range;
struct Shape;
struct Tiling;
template <class T>
struct BasicVectorView;
using VectorView = BasicVectorView<float>;

// quantizers
template <int Bits>
struct Uniform;
template <int Bits>
struct TanQ;

// kernels
class Activation;
class EncodedMatrix;
class Epilogue;
class PackedMatrix;
struct MatmulOptions;
struct QuantizeOptions;

// calibrators
class HessianAccumulator;
class Histogram;
class InputDifference;
class MinMax;
class RunningAverage;
class RunningPercentile;
class RunningPercentileMax;
struct Allocation;
struct GptqOptions;
struct GptqReport;
struct LayerOptions;
template <class T>
struct BasicRotation;
using Rotation = BasicRotation<float>;
template <class T>
struct BasicShiftScale;
using ShiftScale = BasicShiftScale<float>;
class TimestepMaxima;

}  // namespace halfstep::inline HALFSTEP_ABI
