#pragma once

/// \file
/// Any quantizer with its type forgotten, so that what is checked of all of them is compiled once.

#include <cstdint>

#include "halfstep/quantizers/concepts.hpp"

namespace halfstep_tests {

/// Refers to a quantizer, which must outlive it, and calls its scalar functions.
class QuantizerRef {
 public:
  template <halfstep::ScalarQuantizer Q>
  QuantizerRef(const Q& q)  // NOLINT(google-explicit-constructor): any quantizer is one
      : quantizer_(&q), functions_(&functions_of<Q>) {}

  [[nodiscard]] int level_count() const { return functions_->level_count; }
  [[nodiscard]] std::int32_t encode(float x) const { return functions_->encode(quantizer_, x); }
  [[nodiscard]] float decode(std::int32_t code) const { return functions_->decode(quantizer_, code); }
  [[nodiscard]] halfstep::Lowering lower() const { return functions_->lower(quantizer_); }

 private:
  struct Functions {
    int level_count;
    std::int32_t (*encode)(const void*, float);
    float (*decode)(const void*, std::int32_t);
    halfstep::Lowering (*lower)(const void*);
  };
  template <class Q>
  static constexpr Functions functions_of = {
      halfstep::level_count<Q>,
      [](const void* q, float x) -> std::int32_t { return static_cast<const Q*>(q)->encode(x); },
      [](const void* q, std::int32_t code) -> float { return static_cast<const Q*>(q)->decode(code); },
      [](const void* q) { return halfstep::lower(*static_cast<const Q*>(q)); }};

  const void* quantizer_;
  const Functions* functions_;
};

}  // namespace halfstep_tests
