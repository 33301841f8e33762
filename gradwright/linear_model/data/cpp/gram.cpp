// Weighted Gram matrices of rows, in the lower triangle: H += sum w_i x_i x_i' with x_i = ((row - shift) inverse, 1).
//
// types.h is printed: T is the type of X, B the type of products, BLOCK the rows whose products are summed in B before
// they are added to a sum in double.

#ifdef __clang__
#pragma clang fp contract(fast)
#else
#pragma GCC optimize("fp-contract=fast")
#endif
#include <cstring>
#include <type_traits>
#include <vector>
#include <cstdint>
#include <algorithm>
#include <omp.h>
#include "types.h"

typedef int64_t I;
typedef B V __attribute__((vector_size(64)));
constexpr int L = 64 / sizeof(B), ROWS = BLOCK, UP = 6;
#ifdef __AVX512F__
constexpr int ACROSS = 2;  // 12 sums in registers of 64 bytes, or 12 pairs of registers of 32
#else
constexpr int ACROSS = 1;
#endif
static inline V load(const B *p) { V v; std::memcpy(&v, p, sizeof v); return v; }
static inline void add_to(double *sums, V v) {
    B t[L];
    std::memcpy(t, &v, sizeof v);
    for (int l = 0; l < L; l++) sums[l] += (double)t[l];
}

// N rows of H by J vectors of its columns: H += sum over m rows of a_i x_j
template <int N, int J>
static inline void tile(const B *a, const B *x, I width, int m, double *H) {
    V sums[N][J] = {};
    for (int r = 0; r < m; r++) {
        V v[J];
        for (int j = 0; j < J; j++) v[j] = load(x + r * width + j * L);
        for (int i = 0; i < N; i++) {
            V w = a[r * width + i] - V{};
            for (int j = 0; j < J; j++) sums[i][j] += w * v[j];
        }
    }
    for (int i = 0; i < N; i++)
        for (int j = 0; j < J; j++)
            add_to(H + i * width + j * L, sums[i][j]);
}
template <int N>
static void strip(const B *a, const B *x, I width, int m, I top, double *H) {
    I j = 0, end = top + N;  // columns up to the diagonal
    for (; j + (ACROSS - 1) * L < end; j += ACROSS * L) tile<N, ACROSS>(a + top, x + j, width, m, H + top * width + j);
    for (; j < end; j += L) tile<N, 1>(a + top, x + j, width, m, H + top * width + j);
}
static void triangle(const B *a, const B *x, I width, int m, I p, double *H) {
    I i = 0;
    for (; i + UP <= p; i += UP) strip<UP>(a, x, width, m, i, H);
    for (; i + 2 <= p; i += 2) strip<2>(a, x, width, m, i, H);
    for (; i < p; i++) strip<1>(a, x, width, m, i, H);
}

extern "C" double gram(const T *X, I n, I d, I stride, const double *shift, const double *inverse, int intercept,
                       const double *w, int pairs, double *H, int threads) {
    I p = d + intercept, width = (p + L - 1) / L * L, size = pairs * p * width;
    std::vector<double> sums((size_t)threads * size, 0.), longest(threads, 0.);
    // the difference is rounded once at most: in double, or between numbers of X's own type
    typedef std::conditional_t<sizeof(T) == 4, B, double> C;
    std::vector<C> from(shift, shift + d);
    std::vector<B> by(inverse, inverse + d);
    #pragma omp parallel num_threads(threads)
    {
        int t = omp_get_thread_num(), team = omp_get_num_threads();
        double *own = sums.data() + (size_t)t * size;
        std::vector<B> x((size_t)ROWS * width, B(0)), a((size_t)ROWS * width, B(0));
        I blocks = (n + ROWS - 1) / ROWS, first = blocks * t / team, last = blocks * (t + 1) / team;
        for (I block = first; block < last; block++) {
            I i0 = block * ROWS;
            int m = (int)std::min<I>(ROWS, n - i0);
            for (int r = 0; r < m; r++) {
                const T *row = X + (i0 + r) * stride;
                B *out = x.data() + r * width;
                for (I j = 0; j < d; j++) out[j] = (B)((C)row[j] - from[j]) * by[j];
                if (intercept) out[d] = 1;
                V squares = {};
                for (I j = 0; j < width; j += L) { V v = load(out + j); squares += v * v; }
                double length = 0;
                for (int l = 0; l < L; l++) length += (double)squares[l];
                longest[t] = std::max(longest[t], length);
            }
            for (int q = 0; q < pairs; q++) {
                for (int r = 0; r < m; r++) {
                    B weight = (B)w[q * n + i0 + r];
                    for (I j = 0; j < width; j++) a[r * width + j] = weight * x[r * width + j];
                }
                triangle(a.data(), x.data(), width, m, p, own + q * p * width);
            }
        }
    }
    for (int t = 0; t < threads; t++)
        for (int q = 0; q < pairs; q++)
            for (I i = 0; i < p; i++)
                for (I j = 0; j <= i; j++) H[(q * p + i) * p + j] += sums[t * size + (q * p + i) * width + j];
    return *std::max_element(longest.begin(), longest.end());
}
