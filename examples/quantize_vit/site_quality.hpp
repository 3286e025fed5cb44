#pragma once

/// \file
/// How well each product of a quantized model does alone: its output from the codes against its output in float, on the
/// inputs of a float run; and which rows of the weights are worst.

#include <halfstep/core/eigen.hpp>
#include <halfstep/core/error_stats.hpp>
#include <halfstep/kernels/decode_planes.hpp>
#include <halfstep/kernels/matmul.hpp>
#include <halfstep/kernels/pack_activation.hpp>
#include <halfstep/layers/recording_engine.hpp>
#include <halfstep/layers/site_spec.hpp>
#include <halfstep/models/vision_transformer.hpp>

#include <algorithm>
#include <cstddef>
#include <string>
#include <variant>
#include <vector>

namespace quantize_vit {

namespace hs = halfstep;
using hs::Index;

/// SQNR in dB of every site of `specs`, in the order of a run.
inline std::vector<double> site_sqnr_db(const hs::Vit& vit, const hs::SiteSpecs& specs, const hs::ImageView& images,
                                        hs::FloatProduct product) {
  std::vector<hs::ErrorStats> stats(static_cast<std::size_t>(vit.sites.size()));
  const auto visit = [&](const hs::ProductRecord& record) {
    hs::MatrixF exact(record.lhs.rows, record.rhs.rows), codes(record.lhs.rows, record.rhs.rows);
    const hs::SiteSpec& spec = specs.at(record.site);
    const auto* linear = std::get_if<hs::LinearSpec>(&spec);
    hs::MatrixF x = hs::as_eigen(record.lhs);
    if (linear != nullptr && linear->transform) linear->transform.apply(record.lhs, hs::mutable_view(x));
    product(hs::view(x), record.rhs, hs::mutable_view(exact));
    if (linear != nullptr) {
      codes = hs::matmul(x, linear->weight, {.activation = std::get<hs::Activation>(linear->input)});
    } else if (const auto* attention = std::get_if<hs::AttentionSpec>(&spec)) {
      const hs::PackedMatrix rhs = hs::pack_activation(record.rhs, attention->rhs_of(record.part));
      codes = hs::matmul(record.lhs, rhs, {.activation = attention->lhs_of(record.part)});
    } else {
      codes = exact;
    }
    stats[static_cast<std::size_t>(record.site.index)].merge(hs::compare(exact, codes));
  };
  hs::RecordingEngine recording(product, visit);
  static_cast<void>(vit.forward(images, recording));
  std::vector<double> result;
  for (const hs::ErrorStats& one : stats) result.push_back(one.sqnr_db());
  return result;
}

/// Values before and after quantization of one site: its weight (of a linear one), and its input on a few images.
struct SiteValues {
  std::string setting, site;
  std::vector<float> weight, weight_after, input, input_after;
  std::vector<double> input_levels;
};

inline SiteValues site_values(const hs::Vit& vit, const hs::SiteSpecs& specs, const std::string& name,
                              const hs::ImageView& images, hs::FloatProduct product) {
  SiteValues values;
  values.site = name;
  const auto append = [](std::vector<float>& list, hs::MatrixView<const float> m) {
    for (Index r = 0; r < m.rows; ++r) {
      for (Index c = 0; c < m.cols; ++c) list.push_back(m(r, c));
    }
  };
  const auto visit = [&](const hs::ProductRecord& record) {
    if (record.site.name != name || record.part != 0) return;
    const auto* linear = std::get_if<hs::LinearSpec>(&specs.at(record.site));
    const auto* attention = std::get_if<hs::AttentionSpec>(&specs.at(record.site));
    if (linear == nullptr && attention == nullptr) return;
    hs::Workspace workspace;
    hs::MatrixF input(record.lhs.rows, record.lhs.cols);
    const auto& activation = linear != nullptr ? std::get<hs::Activation>(linear->input) : attention->lhs_of(0);
    hs::fake_quantize_into(record.lhs, activation, hs::mutable_view(input), workspace);
    append(values.input, record.lhs);
    append(values.input_after, hs::view(input));
    if (linear != nullptr) {
      append(values.weight, record.rhs);
      append(values.weight_after, hs::view(hs::decode_packed(linear->weight)));
    }
    if (!activation.is_dynamic() && activation.bits() <= 6) {
      for (const float level : values.input_after) values.input_levels.push_back(static_cast<double>(level));
    }
  };
  hs::RecordingEngine recording(product, visit);
  static_cast<void>(vit.forward(images, recording));
  return values;
}

/// One output channel of a linear site, and the error of its weights.
struct WorstRow {
  std::string site;
  hs::RowError error;
};

/// The `count` output channels of all linear sites whose quantized weights are worst by mean squared error, worst
/// first. Weights do not depend on images: `one_image` only leads to each of them once.
inline std::vector<WorstRow> worst_weight_rows(const hs::Vit& vit, const hs::SiteSpecs& specs,
                                               const hs::ImageView& one_image, hs::FloatProduct product, Index count) {
  std::vector<WorstRow> rows;
  const auto visit = [&](const hs::ProductRecord& record) {
    const auto* linear = std::get_if<hs::LinearSpec>(&specs.at(record.site));
    if (linear == nullptr) return;
    for (const hs::RowError& error : hs::worst_rows(record.rhs, hs::decode_packed(linear->weight), count)) {
      rows.push_back({record.site.name, error});
    }
  };
  hs::RecordingEngine recording(product, visit);
  static_cast<void>(vit.forward(one_image, recording));
  std::stable_sort(rows.begin(), rows.end(),
                   [](const WorstRow& a, const WorstRow& b) { return a.error.stats.mse() > b.error.stats.mse(); });
  rows.resize(std::min(rows.size(), static_cast<std::size_t>(count)));
  return rows;
}

}  // namespace quantize_vit
