#include "halfstep/kernels/encode_into.hpp"

#include <vector>

#include "halfstep/core/thread_pool.hpp"
#include "halfstep/quantizers/mx_float.hpp"
#include "kernels/matrices.hpp"
#include "support/allocations.hpp"
#include "support/catch.hpp"
#include "support/executors.hpp"
#include "support/test_quantizers.hpp"

namespace hs = halfstep;
using namespace halfstep_tests;

TEST_CASE("codes, scales and zeros are those of encode", "[encode_into]") {
  hs::ThreadPool pool(3);
  BackwardsExecutor backwards;
  hs::EncodedMatrix out;
  hs::Workspace workspace;
  for (const hs::Activation& activation :
       {hs::Activation(), hs::Activation(hs::Uniform<4>{0.5f, 7}), hs::Activation(PowerQuantizer<4>{2.0f}),
        hs::Activation::per_token<hs::Uniform<5>>(hs::Symmetry::symmetric), hs::Activation::per_block<hs::MXFP4>()}) {
    for (const hs::Index cols : {0, 1, 15, 16, 17, 97, 257}) {
      for (const hs::Index rows : {0, 1, 7, 1000}) {
        const hs::MatrixF x = random_eigen(rows, cols, 1, 1, 0.3f);
        for (const hs::Index group : {0, 16}) {
          const hs::EncodedMatrix expected = hs::encode(x, activation, group);
          CAPTURE(rows, cols, group);
          for (const hs::ExecutorRef executor :
               {hs::ExecutorRef(), hs::ExecutorRef(pool), hs::ExecutorRef(backwards)}) {
            hs::encode_into(x, activation, out, workspace, group, executor);
            REQUIRE(out == expected);
          }
          hs::encode_into(ColumnMajorF(x), activation, out, workspace, group);
          REQUIRE(out == expected);
        }
      }
    }
  }
}

TEST_CASE("memory of encoded rows is used again", "[encode_into]") {
  const hs::MatrixF x = random_eigen(64, 300, 2);
  const ColumnMajorF turned = x;
  hs::EncodedMatrix out;
  hs::Workspace workspace;
  const hs::Activation per_token, blocks = hs::Activation::per_block<hs::MXFP4>();
  const auto run = [&] {
    hs::encode_into(x, per_token, out, workspace);
    hs::encode_into(turned, per_token, out, workspace);
    hs::encode_into(x, blocks, out, workspace);
    hs::encode_into(x.topRows(3), per_token, out, workspace);
  };
  run();
  CHECK(allocations_of(run) == 0);
}

TEST_CASE("what has no codes is refused", "[encode_into]") {
  const hs::MatrixF x = random_eigen(3, 70, 3);
  hs::EncodedMatrix out;
  hs::Workspace workspace;
  CHECK_RAISES(hs::encode_into(x, hs::Activation::kept_in_float(), out, workspace),
               "halfstep: encode_into: activation keeps floats, expected a quantizer");
  CHECK_RAISES(hs::encode_into(x, hs::Activation::per_block<hs::MXFP4>(), out, workspace, 48),
               "halfstep: encode_into: activation has blocks of 32 values");
}
