// One pass over dense rows of X.
#include "block.h"

constexpr int VL = 64 / sizeof(A);
typedef A V __attribute__((vector_size(64)));
typedef T VT __attribute__((vector_size(VL * sizeof(T))));
template <class S>
static inline V load(const S *p) {
    if constexpr (std::is_same_v<S, A>) {
        V v;
        std::memcpy(&v, p, sizeof v);
        return v;
    } else {
        VT v;
        std::memcpy(&v, p, sizeof v);
        return __builtin_convertvector(v, V);
    }
}
static inline void add_to(double *sums, V v) {
    A t[VL];
    std::memcpy(t, &v, sizeof v);
    for (int i = 0; i < VL; i++) sums[i] += (double)t[i];
}
// halves onto halves, in registers: one lane after the other would wait for each addition
typedef A Half __attribute__((vector_size(32)));
typedef A Quarter __attribute__((vector_size(16)));
static inline A sum(V v) {
    Half a, b;
    std::memcpy(&a, &v, 32); std::memcpy(&b, (const char *)&v + 32, 32);
    a += b;
    Quarter c, e;
    std::memcpy(&c, &a, 16); std::memcpy(&e, (const char *)&a + 16, 16);
    c += e;
    if constexpr (sizeof(A) == 8) return c[0] + c[1];
    else return (c[0] + c[2 % (16 / sizeof(A))]) + (c[1] + c[3 % (16 / sizeof(A))]);
}

template <int KT, int RT>
static inline void forward(const T *x, I stride, I dp, const A *W, const A *b, int K, A *out) {
    V acc[RT][KT] = {};
    for (I j = 0; j < dp; j += VL) {
        V w[KT];
        for (int k = 0; k < KT; k++) std::memcpy(&w[k], W + k * dp + j, sizeof(V));
        for (int r = 0; r < RT; r++) {
            V v = load(x + r * stride + j);
            for (int k = 0; k < KT; k++) acc[r][k] += v * w[k];
        }
    }
    for (int r = 0; r < RT; r++) for (int k = 0; k < KT; k++) out[r * K + k] = sum(acc[r][k]) + b[k];
}
template <int KT>
static void forward_block(const T *x, I stride, I dp, const A *W, const A *b, int K, int m, A *out) {
    int r = 0;
    for (; r + 4 <= m; r += 4) forward<KT, 4>(x + r * stride, stride, dp, W, b, K, out + r * K);
    for (; r < m; r++) forward<KT, 1>(x + r * stride, stride, dp, W, b, K, out + r * K);
}
template <int KT, int JT>
static inline void backward(const T *x, I stride, I dp, I j, const A *R, int K, int m, double *G) {
    V acc[JT][KT] = {};
    for (int r = 0; r < m; r++) {
        V v[JT];
        for (int t = 0; t < JT; t++) v[t] = load(x + r * stride + j + t * VL);
        for (int k = 0; k < KT; k++) {
            A c = R[r * K + k];
            V w = c - V{};
            for (int t = 0; t < JT; t++) acc[t][k] += v[t] * w;
        }
    }
    for (int t = 0; t < JT; t++) for (int k = 0; k < KT; k++) add_to(G + k * dp + j + t * VL, acc[t][k]);
}
template <int KT>
static void backward_block(const T *x, I stride, I dp, const A *R, int K, int m, double *G) {
    I j = 0;
    for (; j + 4 * VL <= dp; j += 4 * VL) backward<KT, 4>(x, stride, dp, j, R, K, m, G);
    for (; j < dp; j += VL) backward<KT, 1>(x, stride, dp, j, R, K, m, G);
}
#define CLASSES(f, ...) \
    { int k = 0; \
      for (; k + 5 <= K; k += 5) f<5>(__VA_ARGS__); \
      for (; k + 4 <= K; k += 4) f<4>(__VA_ARGS__); \
      for (; k + 2 <= K; k += 2) f<2>(__VA_ARGS__); \
      for (; k < K; k++) f<1>(__VA_ARGS__); }

extern "C" double dense_pass(int mode, const T *X, I n, I d, I stride, const A *W, const A *b, int K, const double *y,
                             const double *s, const double *off, const double *u, const double *abc, A *Z, float *D,
                             double *G, double *gb, int threads) {
    I dp = (d + VL - 1) / VL * VL;
    Data q{y, s, off, u, abc[0], abc[1], abc[2]};
    std::vector<double> sums((size_t)threads * (K * dp + K + 1), 0.);
    #pragma omp parallel num_threads(threads)
    {
        int t = omp_get_thread_num(), team = omp_get_num_threads();
        double *g = sums.data() + (size_t)t * (K * dp + K + 1), *gk = g + K * dp, *loss = gk + K;
        std::vector<A> zb(ROWS * K), tmp(ROWS * K);
        std::vector<T> copy;
        I blocks = (n + ROWS - 1) / ROWS, first = blocks * t / team, last = blocks * (t + 1) / team;
        for (I block_ = first; block_ < last; block_++) {
            I i0 = block_ * ROWS, step = stride;
            int m = (int)std::min<I>(ROWS, n - i0);
            const T *x = X + i0 * stride;
            // a vector may read past the end of a row into the next ones, but not past the end of X or into a gap
            if (dp != d && (stride != d || (n - i0 - m) * d < dp - d)) {
                copy.assign((size_t)ROWS * dp, T(0));
                for (int r = 0; r < m; r++) std::memcpy(copy.data() + r * dp, x + r * stride, d * sizeof(T));
                x = copy.data(); step = dp;
            }
            CLASSES(forward_block, x, step, dp, W + k * dp, b + k, K, m, zb.data() + k)
            *loss += block(mode, i0, m, K, zb.data(), q, Z, D, tmp.data());
            if (mode == PREDICT) continue;
            CLASSES(backward_block, x, step, dp, zb.data() + k, K, m, g + k * dp)
            for (int k = 0; k < K; k++) gk[k] += column_sum(zb.data() + k, K, m);
        }
    }
    double total = 0;
    for (int t = 0; t < threads; t++) {
        const double *g = sums.data() + (size_t)t * (K * dp + K + 1);
        for (int k = 0; k < K; k++) {
            for (I j = 0; j < d; j++) G[j * K + k] += g[k * dp + j];
            gb[k] += g[K * dp + k];
        }
        total += g[K * dp + K];
    }
    return total;
}
