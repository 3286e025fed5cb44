#pragma once

/// \file
/// Rules of activations as JSON, and back.
///
///     {"rule": "floats"}                       kept in float
///     {"rule": "standard"}                     8 bits for each row, or floats where a weight takes nothing else
///     {"rule": "static", "scheme": "uniform", "scheme_version": 1, "bits": 4, "params": {"scale": 0.01, ...}}
///     {"rule": "token", "scheme": "uniform", "scheme_version": 1, "bits": 8, "symmetric": false}
///     {"rule": "block", "scheme": "nvfp4", "scheme_version": 1, "bits": 4, "tensor_scale": 0.5}
///
/// Names and parameters are those of io/quantizer_scheme.hpp; floats are written so that they come back to the bit.

#include "halfstep/config.hpp"
#include "halfstep/core/fields.hpp"
#include "halfstep/io/described_tensors.hpp"
#include "halfstep/io/io_error.hpp"
#include "halfstep/io/json.hpp"
#include "halfstep/io/quantized_layout.hpp"
#include "halfstep/io/quantizer_scheme.hpp"
#include "halfstep/kernels/activation.hpp"
#include "halfstep/quantizers/block_format.hpp"
#include "halfstep/quantizers/zero_policy.hpp"

#include <array>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <tuple>
#include <type_traits>

namespace halfstep::inline HALFSTEP_ABI {

/// The quantizers of activations that files may name, of widths that each of them has. A program with quantizers of its
/// own, or with fewer, says so with a tuple of its own.
template <int... Bits>
using UniformActivations = std::tuple<Uniform<Bits>..., TanQ<Bits>...>;
template <int... Bits>
using LogActivations = std::tuple<Log2<Bits>..., LogSqrt2<Bits>..., AdaLog<Bits>..., ShiftLog2<Bits>...>;
template <int... Bits>
using MaskedLogActivations =
    std::tuple<Log2<Bits, ZeroPolicy::mask>..., LogSqrt2<Bits, ZeroPolicy::mask>..., AdaLog<Bits, ZeroPolicy::mask>...>;
template <int... Bits>
using TwinActivations = std::tuple<TwinSoftmax<Bits>..., TwinGelu<Bits>...>;

/// All that the library's recipes use.
using ActivationQuantizers =
    decltype(std::tuple_cat(UniformActivations<2, 3, 4, 5, 6, 7, 8>{}, LogActivations<2, 3, 4, 5, 6, 7, 8>{},
                            MaskedLogActivations<2, 3, 4, 5, 6, 7>{}, TwinActivations<3, 4, 5, 6, 7, 8>{},
                            std::tuple<Fp4E2M1, Fp4E1M2, Fp4E3M0, MXFP4, NVFP4>{}));

/// Calls `visit.operator()<Q>()` for each type of a tuple until one returns true; whether one did.
template <class Tuple, class Visit>
bool for_any_quantizer(Visit&& visit) {
  return [&]<class... Q>(std::type_identity<std::tuple<Q...>>) {
    return (visit.template operator()<Q>() || ...);
  }(std::type_identity<Tuple>{});
}

/// Members of `q` under the names of its scheme.
template <StorableQuantizer Q>
[[nodiscard]] nlohmann::json describe_parameters(const Q& q) {
  nlohmann::json params = nlohmann::json::object();
  const auto fields = tie_fields(q);
  for_each_parameter<Q>([&](auto index) {
    constexpr std::size_t i = decltype(index)::value;
    const std::string name(QuantizerScheme<Q>::parameters[i]);
    const auto& member = std::get<i>(fields);
    static_assert(std::is_arithmetic_v<std::remove_cvref_t<decltype(member)>>, "arrays do not stand in rules");
    params[name] = member;
  });
  return params;
}

/// The JSON of `activation`. `subject` is whose it is, in messages. Errors: E_NOT_REPRESENTABLE for a quantizer that is
/// not among `Quantizers`, or a rule that would not come back.
template <class Quantizers = ActivationQuantizers>
[[nodiscard]] nlohmann::json describe_activation(const Activation& activation, std::string_view subject) {
  if (activation.keeps_floats()) return {{"rule", "floats"}};
  if (activation.may_keep_floats()) return {{"rule", "standard"}};
  nlohmann::json json;
  const bool is_known = for_any_quantizer<Quantizers>([&]<class Q>() {
    if (!activation.is_made_of<Q>()) return false;
    json = {{"scheme", QuantizerScheme<Q>::name()}, {"scheme_version", QuantizerScheme<Q>::version}, {"bits", Q::bits}};
    if (activation.block_size() > 0) {
      json["rule"] = "block";
      json["tensor_scale"] = activation.tensor_scale();
    } else if (activation.is_dynamic()) {
      json["rule"] = "token";
      json["symmetric"] = activation.symmetry() == Symmetry::symmetric;
    } else {
      const Q q = activation.static_quantizer<Q>();
      if (!QuantizerScheme<Q>::is_valid(q)) {
        raise_io(IoErrorCode::value, subject, "has parameters that no reader accepts");
      }
      json["rule"] = "static";
      json["params"] = describe_parameters(q);
    }
    return true;
  });
  if (is_known) return json;
  raise_io(IoErrorCode::not_representable, subject, "is encoded by a quantizer that is none of those that can be ",
           "written: ", activation.bits(), " bits, ", activation.plane_count(), " planes");
}

/// Reads rules; messages come from `tensors`, whose file the JSON stands in.
class ActivationReader {
 public:
  explicit ActivationReader(const DescribedTensors& tensors) : tensors_(tensors) {}

  /// The rule that `json` describes. Errors: E_TYPE, E_RANGE, E_VALUE for what cannot be read, E_VERSION, E_UNSUPPORTED
  /// for a rule or scheme that is not known.
  template <class Quantizers = ActivationQuantizers>
  [[nodiscard]] Activation read(const nlohmann::json& json) const {
    if (!json.is_object()) tensors_.fail(IoErrorCode::type, "has a rule that is not an object");
    const std::string rule = tensors_.text(json, "rule");
    if (rule == "floats") return Activation::kept_in_float();
    if (rule == "standard") return {};
    const std::string scheme = tensors_.text(json, "scheme");
    const Index bits = tensors_.number(json, "bits"), version = tensors_.number(json, "scheme_version");
    std::optional<Activation> activation;
    for_any_quantizer<Quantizers>([&]<class Q>() {
      if (bits != Q::bits || scheme != QuantizerScheme<Q>::name()) return false;
      if (version < 1 || version > QuantizerScheme<Q>::version) {
        tensors_.fail(IoErrorCode::version, "has version ", version, " of the scheme ", in_quotes(scheme));
      }
      activation = read_of<Q>(json, rule);
      return activation.has_value();
    });
    if (activation) return *activation;
    tensors_.fail(IoErrorCode::unsupported, "has the rule ", in_quotes(rule), " of the scheme ", in_quotes(scheme),
                  " in ", bits, " bits, which is not known");
  }

 private:
  template <class Q>
  [[nodiscard]] std::optional<Activation> read_of(const nlohmann::json& json, std::string_view rule) const {
    if constexpr (BlockFormat<Q>) {
      if (rule != "block") return std::nullopt;
      return Activation::per_block<Q>(static_cast<float>(tensors_.real(json, "tensor_scale", 1e-38, 1e38)));
    } else {
      if (rule == "static") return Activation(read_quantizer<Q>(json));
      if constexpr (HasSymmetry<Q> && std::is_same_v<Q, Uniform<Q::bits>>) {
        if (rule != "token") return std::nullopt;
        const auto entry = json.find("symmetric");
        if (entry == json.end() || !entry->is_boolean()) tensors_.fail(IoErrorCode::type, "has no \"symmetric\"");
        return Activation::per_token<Q>(entry->get<bool>() ? Symmetry::symmetric : Symmetry::affine);
      }
      return std::nullopt;
    }
  }

  template <class Q>
  [[nodiscard]] Q read_quantizer(const nlohmann::json& json) const {
    const auto params = json.find("params");
    if (params == json.end() || !params->is_object()) tensors_.fail(IoErrorCode::type, "has no object \"params\"");
    Q q{};
    const auto fields = tie_fields(q);
    for_each_parameter<Q>([&](auto index) {
      constexpr std::size_t i = decltype(index)::value;
      read_member(*params, std::string(QuantizerScheme<Q>::parameters[i]).c_str(), std::get<i>(fields));
    });
    if (!QuantizerScheme<Q>::is_valid(q)) {
      tensors_.fail(IoErrorCode::value, "has parameters of ", in_quotes(QuantizerScheme<Q>::name()),
                    " that are out of range");
    }
    return q;
  }

  void read_member(const nlohmann::json& params, const char* name, float& member) const {
    constexpr double largest = 3.4028234663852886e38;
    member = static_cast<float>(tensors_.real(params, name, -largest, largest));
  }
  void read_member(const nlohmann::json& params, const char* name, std::int32_t& member) const {
    constexpr double largest = 2147483647;
    const double value = tensors_.real(params, name, -largest, largest);
    member = static_cast<std::int32_t>(value);
    if (static_cast<double>(member) != value) {
      tensors_.fail(IoErrorCode::type, "has ", value, " as \"", name, "\", expected an integer");
    }
  }

  const DescribedTensors& tensors_;
};

}  // namespace halfstep::inline HALFSTEP_ABI
