/// What including the library costs a translation unit: CPU seconds of the compiler, -O0 and -O2, of units that include
/// this or that, and of one quantizer with one product against Eigen and xsimd alone. Targets, which are watched and no
/// test: fwd.hpp 0.05 s, a core header 0.25 s, the unit with a product 1.5 times what Eigen and xsimd cost (the counter
/// `times_eigen_xsimd`).
///
/// Rows are named `compile/<what>/<optimization>`. The compiler is that of this build, called without a launcher.

#include <sys/resource.h>
#include <unistd.h>

#include <benchmark/benchmark.h>

#include <cstdio>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <map>
#include <string>
#include <vector>

namespace {

struct Unit {
  const char* name;
  const char* text;
};

const Unit units[] = {
    {"empty", ""},
    {"eigen_xsimd", "#include <Eigen/Core>\n#include <xsimd/xsimd.hpp>\n"},
    {"fwd", "#include <halfstep/fwd.hpp>\n"},
    {"core_matrix_view", "#include <halfstep/core/matrix_view.hpp>\n"},
    {"core_thread_pool", "#include <halfstep/core/thread_pool.hpp>\n"},
    {"kernels_tile_compiled", "#include <halfstep/kernels/tile_compiled.hpp>\n"},
    {"umbrella", "#include <halfstep/halfstep.hpp>\n"},
    {"one_product",
     "#include <halfstep/kernels/matmul.hpp>\n#include <halfstep/kernels/pack.hpp>\n"
     "#include <halfstep/kernels/quantize.hpp>\n#include <halfstep/quantizers/uniform.hpp>\n"
     "halfstep::MatrixF f(const halfstep::MatrixF& x, const halfstep::MatrixF& w) {\n"
     "  return halfstep::matmul(x, halfstep::pack(halfstep::quantize<halfstep::Uniform<4>>(w)));\n}\n"},
    {"eigen_product",
     "#include <Eigen/Core>\n#include <xsimd/xsimd.hpp>\n"
     "Eigen::MatrixXf f(const Eigen::MatrixXf& x, const Eigen::MatrixXf& w) { return x * w.transpose(); }\n"},
};

/// CPU seconds of all children so far.
double child_seconds() {
  rusage usage{};
  getrusage(RUSAGE_CHILDREN, &usage);
  const auto seconds = [](const timeval& t) {
    return static_cast<double>(t.tv_sec) + 1e-6 * static_cast<double>(t.tv_usec);
  };
  return seconds(usage.ru_utime) + seconds(usage.ru_stime);
}

/// The last time of each row, by name.
std::map<std::string, double>& seconds_of() {
  static std::map<std::string, double> all;
  return all;
}

/// Writes `text` to a new file, whose name nobody can foresee, and returns its path; empty where there is none.
std::string new_source(const char* text) {
  std::string path = (std::filesystem::temp_directory_path() / "halfstep_compile_time_XXXXXX").string();
  const int file = mkstemp(path.data());
  if (file < 0) return {};
  close(file);
  std::ofstream(path) << text;
  return path;
}

void compile(benchmark::State& state, const Unit& unit, const std::string& optimization) {
  const std::string source = new_source(unit.text);
  if (source.empty()) return state.SkipWithError("no file can be written");
  const std::string command = std::string(HALFSTEP_BENCH_COMPILER) + " -std=c++20 " + optimization + " -w -x c++ -c '" +
                              source + "' -o /dev/null " + HALFSTEP_BENCH_INCLUDES;
  double seconds = 0;
  for (auto _ : state) {
    const double before = child_seconds();
    if (std::system(command.c_str()) != 0) {
      state.SkipWithError("does not compile");
      break;
    }
    seconds = child_seconds() - before;
    state.SetIterationTime(seconds);
  }
  std::remove(source.c_str());
  seconds_of()[unit.name + optimization] = seconds;
  if (const double base = seconds_of()["eigen_xsimd" + optimization]; base > 0) {
    state.counters["times_eigen_xsimd"] = seconds / base;
  }
}

}  // namespace

int main(int argc, char** argv) {
  for (const char* optimization : {"-O0", "-O2"}) {
    for (const Unit& unit : units) {
      const std::string name = std::string("compile/") + unit.name + "/" + (optimization + 1);
      benchmark::RegisterBenchmark(
          name.c_str(), [&unit, optimization](benchmark::State& state) { compile(state, unit, optimization); })
          ->UseManualTime()
          ->Iterations(3)
          ->Unit(benchmark::kMillisecond);
    }
  }
  benchmark::Initialize(&argc, argv);
  benchmark::RunSpecifiedBenchmarks();
}
