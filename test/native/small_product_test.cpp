// Small products with registers of every width, whatever this machine has.
#include "ops/attention/small_product.h"

#include "support.h"

namespace ldlm {

namespace {

template <int kLanes>
void expect_product(int64_t rows, bool transposed, bool add) {
  constexpr int64_t kDepth = 7, kColumns = 2 * small_product::kMostColumns;
  const Tensor a = transposed ? at::randn({kDepth, rows}).t() : at::randn({rows, kDepth}), b = at::randn({kDepth, kColumns});
  Tensor c = at::randn({rows, kColumns});
  const Tensor expected = at::mm(a.to(at::kDouble), b.to(at::kDouble)) + (add ? c : at::zeros_like(c));
  small_product::multiply<kLanes>({a.const_data_ptr<float>(), a.stride(0), a.stride(1)}, b.const_data_ptr<float>(), kColumns,
                                  c.mutable_data_ptr<float>(), kColumns, rows, kColumns, kDepth, add);
  EXPECT_LT(test::max_difference(c, expected), 1e-5) << kLanes << " lanes, " << rows << " rows, transposed " << transposed << ", add " << add;
}

}  // namespace

TEST(SmallProduct, IsTheProductForEveryWidthOfRegister) {
  for (int64_t rows = 1; rows <= 13; ++rows) {
    for (const bool transposed : {false, true}) {
      for (const bool add : {false, true}) {
        expect_product<4>(rows, transposed, add);
        expect_product<8>(rows, transposed, add);
        expect_product<16>(rows, transposed, add);
      }
    }
  }
}

}  // namespace ldlm
