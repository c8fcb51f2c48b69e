// C (+)= A B for matrices that fit a core's cache, to be inlined into a kernel with LDLM_VECTOR_UNITS. Not for anything larger: nothing is
// packed. kLanes are the numbers of a register of the machine: of a wider vector GCC would keep its halves in memory. Six rows of C by 16
// columns, or by 8 with the narrowest registers, stay in registers (on x86-64 twelve of sixteen, six of thirty-two with AVX-512).
#pragma once

#include <cstdint>

namespace ldlm::small_product {

constexpr int64_t kMostColumns = 16;  // of a tile

constexpr int64_t padded(int64_t n) { return (n + kMostColumns - 1) / kMostColumns * kMostColumns; }

template <int kLanes>
struct Register {
  typedef float Type __attribute__((vector_size(4 * kLanes), aligned(4), may_alias));
};
template <int kLanes>
constexpr int kVectors = kLanes == kMostColumns ? 1 : 2;  // registers in a row of a tile

// A matrix as its first number and the distances between rows and between columns: a transpose is a view.
struct Matrix {
  const float* data;
  int64_t row, column;
};

template <int kLanes, int kRows>
[[gnu::always_inline]] inline void tile(Matrix a, const float* b, int64_t b_row, float* c, int64_t c_row, int64_t depth, bool add) {
  using Vector = typename Register<kLanes>::Type;
  Vector sum[kRows][kVectors<kLanes>];
  for (int r = 0; r < kRows; ++r) {
    for (int v = 0; v < kVectors<kLanes>; ++v) sum[r][v] = add ? *reinterpret_cast<const Vector*>(c + r * c_row + v * kLanes) : Vector{};
  }
  for (int64_t k = 0; k < depth; ++k) {
    Vector right[kVectors<kLanes>];
    for (int v = 0; v < kVectors<kLanes>; ++v) right[v] = *reinterpret_cast<const Vector*>(b + k * b_row + v * kLanes);
    for (int r = 0; r < kRows; ++r) {
      const float left = a.data[r * a.row + k * a.column];
      for (int v = 0; v < kVectors<kLanes>; ++v) sum[r][v] += left * right[v];
    }
  }
  for (int r = 0; r < kRows; ++r) {
    for (int v = 0; v < kVectors<kLanes>; ++v) *reinterpret_cast<Vector*>(c + r * c_row + v * kLanes) = sum[r][v];
  }
}

// a [rows, depth], b [depth, columns] and c [rows, columns], rows of b and c dense; columns a multiple of kMostColumns.
template <int kLanes>
[[gnu::always_inline]] inline void multiply(Matrix a, const float* b, int64_t b_row, float* c, int64_t c_row, int64_t rows, int64_t columns,
                                            int64_t depth, bool add) {
  for (int64_t j = 0; j < columns; j += kVectors<kLanes> * kLanes) {
    int64_t i = 0;
    const auto at = [&](int64_t row) { return Matrix{a.data + row * a.row, a.row, a.column}; };
    for (; i + 6 <= rows; i += 6) tile<kLanes, 6>(at(i), b + j, b_row, c + i * c_row + j, c_row, depth, add);
    switch (rows - i) {
      case 5: tile<kLanes, 5>(at(i), b + j, b_row, c + i * c_row + j, c_row, depth, add); break;
      case 4: tile<kLanes, 4>(at(i), b + j, b_row, c + i * c_row + j, c_row, depth, add); break;
      case 3: tile<kLanes, 3>(at(i), b + j, b_row, c + i * c_row + j, c_row, depth, add); break;
      case 2: tile<kLanes, 2>(at(i), b + j, b_row, c + i * c_row + j, c_row, depth, add); break;
      case 1: tile<kLanes, 1>(at(i), b + j, b_row, c + i * c_row + j, c_row, depth, add); break;
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
