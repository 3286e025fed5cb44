// Agreement with golden/vq.safetensors but for gradients, losses and calibration loops: seeds, codes, candidates and
// packed bytes exact, codebooks 1e-4 of the largest entry, other real numbers likewise.

#include <algorithm>
#include <cmath>
#include <cstddef>
#include <cstdint>
#include <string>
#include <utility>
#include <vector>

#include "halfstep/calibrators/rounding/codebook_candidates.hpp"
#include "halfstep/calibrators/rounding/k_means.hpp"
#include "halfstep/core/bit_packing.hpp"
#include "halfstep/kernels/residual_matrix.hpp"
#include "halfstep/kernels/table_matmul.hpp"
#include "support/catch.hpp"
#include "support/golden.hpp"
#include "support/golden_codes.hpp"
#include "support/with_bits.hpp"

using namespace halfstep;
using namespace halfstep_tests;

namespace {

constexpr int words = 256;  // room for any number that a file uses

template <int Dim>
using Book = Codebook<Dim, words>;

/// Calls `visit(std::integral_constant<int, dim>())`.
template <class Visit>
void with_dim(int dim, Visit visit) {
  if (!with_value<1, 2, 3, 4, 6, 8, 16>(dim, visit)) FAIL("no codebook of " << dim << " values");
}

/// The first words of a codebook from a tensor `[used, Dim]`; those behind them repeat the first.
template <int Dim>
Book<Dim> book_of(const std::vector<float>& values) {
  Book<Dim> book;
  for (std::size_t i = 0; i < book.size; ++i) {
    book.values[i] = i < values.size() ? values[i] : values[i % static_cast<std::size_t>(Dim)];
  }
  return book;
}

/// Real numbers within `relative` of the largest expected one.
template <class Found>
void check_close(const std::vector<float>& expected, const Found& found, double relative = 1e-4) {
  double largest = 0;
  for (const float e : expected) largest = std::max(largest, std::fabs(static_cast<double>(e)));
  CHECK(mismatches(expected, [&](std::size_t i) { return found[i]; }, {.absolute = relative * largest}) == 0);
}

/// Exact codes; `found` may hold more of them.
template <class Code, class Found>
void check_equal(const std::vector<Code>& expected, const Found& found) {
  CHECK(mismatches(expected, [&](std::size_t i) { return found[i]; }) == 0);
}

/// One case of the file.
struct VqCase {
  const Golden& g;
  std::string prefix;
  LoadedMatrix<float> w;
  std::vector<int> dk;  // dim, words asked for, words used, iterations, first seed

  VqCase(const Golden& golden, std::string name)
      : g(golden), prefix(std::move(name)), w(g.matrix(prefix + "W")), dk(g.values<int>(prefix + "dk")) {}

  [[nodiscard]] MatrixView<const float> weight() const { return {w.values.data(), w.rows, w.cols}; }
  [[nodiscard]] Index count() const { return w.rows * w.cols / dk.at(0); }
  [[nodiscard]] VectorSamples samples() const { return {w.values.data(), count()}; }
  [[nodiscard]] std::vector<float> reals(const std::string& name) const { return g.values<float>(prefix + name); }
  [[nodiscard]] std::vector<std::int32_t> codes(const std::string& name) const {
    return g.values<std::int32_t>(prefix + name);
  }
  template <int Dim>
  [[nodiscard]] Book<Dim> book(const std::string& name) const {
    return book_of<Dim>(reals(name));
  }
};

template <class Visit>
void for_each_case(Visit visit) {
  const Golden g("vq");
  for (const GoldenCase& found : g.cases("*.dk")) {
    CAPTURE(found.prefix);
    const VqCase c(g, found.prefix);
    with_dim(c.dk.at(0), [&](auto dim) { visit(c, dim); });
  }
}

/// `iterations` steps from `start`, and the codes before the last one.
template <int Dim>
std::pair<Book<Dim>, std::vector<std::uint8_t>> iterate(Book<Dim> book, int used, const VectorSamples& samples,
                                                        int iterations) {
  KMeans<Dim, words> run(samples, used, EmptyWord::zero, {});
  for (int i = 0; i < iterations; ++i) {
    run.assign(book);
    run.update(book);
  }
  return {book, run.take_codes()};
}

}  // namespace

TEST_CASE("golden: seeds of k-means", "[golden]") {
  for_each_case([](const VqCase& c, auto dim) {
    const int used = c.dk[2];
    CHECK(words_for(c.dk[1], c.count()) == used);
    const std::vector<float> u = c.reals("u");
    const auto seeds = plus_plus_seeds<dim()>(c.w.values.data(), c.count(), used, c.dk[4], [&](int n) {
      return static_cast<double>(u.at(static_cast<std::size_t>(n - 1)));
    });
    check_equal(c.codes("seed_idx"), seeds);
    const auto start = codebook_of_seeds<dim(), words>(c.w.values.data(), seeds);
    check_equal(c.reals("C0"), start.values);
    const auto spread = mahalanobis_seeds<dim()>(c.w.values.data(), c.count(), used);
    check_equal(c.reals("mahalanobis_init"), codebook_of_seeds<dim(), words>(c.w.values.data(), spread).values);
  });
}

TEST_CASE("golden: k-means, its codes before and after the last step, and 8 bits", "[golden]") {
  for_each_case([](const VqCase& c, auto dim) {
    const auto start = c.book<dim()>("C0");
    const auto [book, stale] = iterate<dim()>(start, c.dk[2], c.samples(), c.dk[3]);
    check_close(c.reals("codebook"), book.values);
    check_equal(c.codes("codes_stale"), stale);
    const auto whole = k_means_from(start, c.dk[2], c.samples(), {.iterations = c.dk[3]});
    check_close(c.reals("codebook"), whole.codebook.values);
    check_equal(c.codes("codes_nearest"), whole.codes);

    const auto stored = c.book<dim()>("codebook");
    const auto codes = quantize_vectors<Book<dim()>>(c.weight(), {stored});
    std::vector<std::uint8_t> all;
    for (Index r = 0; r < codes.rows(); ++r) {
      for (Index v = 0; v < codes.vectors(); ++v) all.push_back(codes.code(r, v));
    }
    check_equal(c.codes("codes_nearest"), all);
    const int bits = c.g.scalar<int>(c.prefix + "packed_bits");
    const auto bytes = c.g.values<std::uint8_t>(c.prefix + "packed");
    std::vector<std::uint8_t> packed(bytes.size());
    pack_bits(all, bits, packed);
    CHECK(packed == bytes);

    const auto in_bytes = to_int8(stored);
    CHECK(static_cast<double>(in_bytes.scale) ==
          Approx(static_cast<double>(c.g.scalar<float>(c.prefix + "codebook_scale"))).epsilon(1e-6));
    check_equal(c.codes("codebook_int8"), in_bytes.values);
  });
}

TEST_CASE("golden: weighted k-means", "[golden]") {
  for_each_case([](const VqCase& c, auto dim) {
    const std::vector<float> h = c.reals("h");
    VectorSamples samples = c.samples();
    samples.weights = h.data();
    samples.period = c.w.cols / dim();
    const auto [book, stale] = iterate<dim()>(c.book<dim()>("C0"), c.dk[2], samples, 8);
    check_close(c.reals("wk.codebook"), book.values);
    check_equal(c.codes("wk.codes"), stale);
  });
}

TEST_CASE("golden: residual codebooks", "[golden]") {
  for_each_case([](const VqCase& c, auto dim) {
    const std::vector<float> first = c.reals("res.C0a"), second = c.reals("res.C0b");
    const int used = static_cast<int>(first.size()) / dim();
    const auto a = k_means_from(book_of<dim()>(first), used, c.samples(), {.iterations = 6});
    check_close(c.reals("res.Ca"), a.codebook.values);
    const auto stage = quantize_vectors<Book<dim()>>(c.weight(), {a.codebook});
    MatrixF left = dequantize(stage);
    for (Index i = 0; i < left.size(); ++i) left.data()[i] = c.w.values[static_cast<std::size_t>(i)] - left.data()[i];
    const auto b = k_means_from(book_of<dim()>(second), static_cast<int>(second.size()) / dim(),
                                {left.data(), c.count()}, {.iterations = 6});
    check_close(c.reals("res.Cb"), b.codebook.values);
    const auto both = quantize_residual<Book<dim()>>(c.weight(), {{a.codebook}, {b.codebook}});
    const std::vector<std::int32_t> codes = c.codes("res.codes");
    const Index vectors = both.cols() / dim();
    check_equal(codes, [&] {
      std::vector<int> found;
      for (Index s = 0; s < c.count(); ++s) {
        for (const auto& part : both.stages()) found.push_back(part.code(s / vectors, s % vectors));
      }
      return found;
    }());
    check_close(c.reals("res.rec"), dequantize(both).data());
  });
}

TEST_CASE("golden: candidate sets and their mixtures", "[golden]") {
  for_each_case([](const VqCase& c, auto dim) {
    const auto book = c.book<dim()>("codebook");
    // Words that repeat the first would be candidates of their own: move them out of reach.
    auto apart = book;
    for (int w = c.dk[2]; w < words; ++w) std::fill_n(apart.word(w), dim(), 1e6f);
    const CodebookCandidates two = candidates(apart, c.w.values.data(), c.count(), 2);
    check_equal(c.codes("n2.idx"), two.index);
    check_close(c.reals("n2.dist"), two.distance);
    const std::vector<float> logits = distance_logits(two);
    check_close(c.reals("n2.logits"), logits);
    check_close(c.reals("n2.What"), soft_vectors(apart, two, logits));
    const CodebookCandidates three = candidates(apart, c.w.values.data(), c.count(), 3);
    check_equal(c.codes("n3.idx"), three.index);
    check_close(c.reals("n3.What"), soft_vectors(apart, three, c.reals("n3.logits")));
  });
}

TEST_CASE("golden: products by tables", "[golden]") {
  for_each_case([](const VqCase& c, auto dim) {
    const auto book = c.book<dim()>("codebook");
    const LoadedMatrix<float> x = c.g.matrix(c.prefix + "x");
    const MatrixView<const float> row(x.values.data(), 1, static_cast<Index>(x.values.size()));
    const MatrixF y = table_matmul(row, quantize_vectors<Book<dim()>>(c.weight(), {book}));
    check_close(c.reals("y_lut"), y.data());
    std::vector<float> transposed(book.size), table(static_cast<std::size_t>(words)), found;
    transpose_words(book, transposed.data());
    for (Index v = 0; v < row.cols / dim(); ++v) {
      fill_product_table<dim()>(x.values.data() + v * dim(), transposed.data(), words, table.data());
      found.insert(found.end(), table.begin(), table.begin() + c.dk[2]);
    }
    check_close(c.reals("lut"), found);
  });
}

TEST_CASE("golden: words without vectors become zero", "[golden]") {
  const Golden g("vq");
  const LoadedMatrix<float> sub = g.matrix("deg.sub");
  with_dim(static_cast<int>(sub.cols), [&](auto dim) {
    const std::vector<float> start = g.values<float>("deg.C0");
    const auto result = k_means_from(book_of<dim()>(start), static_cast<int>(start.size()) / dim(),
                                     {sub.values.data(), sub.rows}, {.iterations = 3});
    check_close(g.values<float>("deg.codebook"), result.codebook.values);
    check_equal(g.values<std::int32_t>("deg.codes"), result.codes);
  });
}

TEST_CASE("golden: vq is consumed", "[golden]") {
  const std::string reason = "calibrating a codebook on data, with its losses and gradients, comes later";
  Golden("vq").require_all_consumed_at_end({{"*.X", "the activations of that calibration"},
                                            {"*.calib*", reason},
                                            {"*.loss", reason},
                                            {"*.dz", reason},
                                            {"*.dC", reason}});
}
