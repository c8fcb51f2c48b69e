// C (+)= A B for matrices that fit a core's cache, to be inlined into a kernel with LDLM_VECTOR_CLONES. Not for anything larger: nothing is
// packed. Six rows by one vector of C stay in registers (twelve of sixteen with AVX2, six of thirty-two with AVX-512).
#pragma once

#include <cstdint>

namespace ldlm::small_product {

constexpr int64_t kLanes = 16;  // numbers in a vector; with AVX2 the compiler takes two for one

typedef float Vector __attribute__((vector_size(4 * kLanes), aligned(4), may_alias));

constexpr int64_t padded(int64_t n) { return (n + kLanes - 1) / kLanes * kLanes; }

// A matrix as its first number and the distances between rows and between columns: a transpose is a view.
struct Matrix {
  const float* data;
  int64_t row, column;
};

template <int kRows>
[[gnu::always_inline]] inline void tile(Matrix a, const float* b, int64_t b_row, float* c, int64_t c_row, int64_t depth, bool add) {
  Vector sum[kRows];
  for (int r = 0; r < kRows; ++r) sum[r] = add ? *reinterpret_cast<const Vector*>(c + r * c_row) : Vector{};
  for (int64_t k = 0; k < depth; ++k) {
    const Vector right = *reinterpret_cast<const Vector*>(b + k * b_row);
    for (int r = 0; r < kRows; ++r) sum[r] += a.data[r * a.row + k * a.column] * right;
  }
  for (int r = 0; r < kRows; ++r) *reinterpret_cast<Vector*>(c + r * c_row) = sum[r];
}

// a [rows, depth], b [depth, columns] and c [rows, columns], rows of b and c dense; columns a multiple of kLanes.
[[gnu::always_inline]] inline void multiply(Matrix a, const float* b, int64_t b_row, float* c, int64_t c_row, int64_t rows, int64_t columns,
                                            int64_t depth, bool add) {
  for (int64_t j = 0; j < columns; j += kLanes) {
    int64_t i = 0;
    const auto at = [&](int64_t row) { return Matrix{a.data + row * a.row, a.row, a.column}; };
    for (; i + 6 <= rows; i += 6) tile<6>(at(i), b + j, b_row, c + i * c_row + j, c_row, depth, add);
    switch (rows - i) {
      case 5: tile<5>(at(i), b + j, b_row, c + i * c_row + j, c_row, depth, add); break;
      case 4: tile<4>(at(i), b + j, b_row, c + i * c_row + j, c_row, depth, add); break;
      case 3: tile<3>(at(i), b + j, b_row, c + i * c_row + j, c_row, depth, add); break;
      case 2: tile<2>(at(i), b + j, b_row, c + i * c_row + j, c_row, depth, add); break;
      case 1: tile<1>(at(i), b + j, b_row, c + i * c_row + j, c_row, depth, add); break;
    }
  }
}

// to [columns, rows] = the transpose of from [rows, columns]
[[gnu::always_inline]] inline void transpose(const float* from, int64_t from_row, float* to, int64_t to_row, int64_t rows, int64_t columns) {
  for (int64_t j = 0; j < columns; ++j) {
    for (int64_t i = 0; i < rows; ++i) to[j * to_row + i] = from[i * from_row + j];
  }
}

}  // namespace ldlm::small_product
