// One pass over rows of a CSR matrix; INDEX, the type of its indices, is printed with the types.
#include "block.h"

constexpr int AHEAD = 12;  // entries: which lines of W and G come next is known to nobody but us
template <class N, int FIXED>
static double sparse_rows(int mode, const T *v, const N *cols, const N *ptr, I n, I d, const A *W, const A *b, int K,
                          int Kp, const Data &q, A *Z, float *D, double *G, double *gb, int threads) {
    size_t size = (size_t)d * Kp + K + 1;
    std::vector<double> sums(mode == PREDICT ? 1 : size * threads, 0.);
    #pragma omp parallel num_threads(threads)
    {
        int t = omp_get_thread_num(), team = omp_get_num_threads();
        int P = FIXED ? FIXED : Kp;
        double *g = mode == PREDICT ? sums.data() : sums.data() + t * size, *gk = g + (size_t)d * Kp, loss = 0;
        std::vector<A> zb(ROWS * K), tmp(ROWS * K), loose(FIXED ? 0 : Kp);
        std::vector<double> slopes(FIXED ? 0 : Kp);
        // of a size known here they stay in registers
        A near[FIXED ? FIXED : 1];
        double far[FIXED ? FIXED : 1];
        A *acc = FIXED ? near : loose.data();
        double *rv = FIXED ? far : slopes.data();
        I blocks = (n + ROWS - 1) / ROWS, first = blocks * t / team, last = blocks * (t + 1) / team;
        N end = ptr[n];
        for (I block_ = first; block_ < last; block_++) {
            I i0 = block_ * ROWS;
            int m = (int)std::min<I>(ROWS, n - i0);
            for (int r = 0; r < m; r++) {
                for (int k = 0; k < P; k++) acc[k] = 0;
                for (N e = ptr[i0 + r]; e < ptr[i0 + r + 1]; e++) {
                    const A *w = W + (size_t)cols[e] * P;
                    if (P > 1 && e + AHEAD < end) __builtin_prefetch(W + (size_t)cols[e + AHEAD] * P);
                    A x = (A)v[e];
                    #pragma omp simd
                    for (int k = 0; k < P; k++) acc[k] = fma_(x, w[k], acc[k]);
                }
                for (int k = 0; k < K; k++) zb[r * K + k] = acc[k] + b[k];
            }
            loss += block(mode, i0, m, K, zb.data(), q, Z, D, tmp.data());
            if (mode == PREDICT) continue;
            for (int r = 0; r < m; r++) {
                for (int k = 0; k < P; k++) rv[k] = 0;
                for (int k = 0; k < K; k++) { rv[k] = (double)zb[r * K + k]; gk[k] += rv[k]; }
                for (N e = ptr[i0 + r]; e < ptr[i0 + r + 1]; e++) {
                    double *out = g + (size_t)cols[e] * P;
                    if (P > 1 && e + AHEAD < end) {
                        __builtin_prefetch(g + (size_t)cols[e + AHEAD] * P, 1);
                        __builtin_prefetch(g + (size_t)cols[e + AHEAD] * P + 8, 1);
                    }
                    double x = (double)v[e];
                    #pragma omp simd
                    for (int k = 0; k < P; k++) out[k] = fma_(x, rv[k], out[k]);
                }
            }
        }
        if (mode != PREDICT) gk[K] = loss;
    }
    if (mode == PREDICT) return 0;
    double total = 0;
    for (int t = 0; t < threads; t++) {
        const double *g = sums.data() + t * size;
        for (I j = 0; j < d; j++) for (int k = 0; k < K; k++) G[j * K + k] += g[j * Kp + k];
        for (int k = 0; k < K; k++) gb[k] += g[(size_t)d * Kp + k];
        total += g[(size_t)d * Kp + K];
    }
    return total;
}
extern "C" double sparse_pass(int mode, const T *v, const INDEX *cols, const INDEX *ptr, I n, I d, const A *W,
                              const A *b, int K, int Kp, const double *y, const double *s, const double *off,
                              const double *u, const double *abc, A *Z, float *D, double *G, double *gb, int threads) {
    Data q{y, s, off, u, abc[0], abc[1], abc[2]};
    auto run = Kp == 1 ? sparse_rows<INDEX, 1> : Kp == 8 ? sparse_rows<INDEX, 8> : Kp == 16 ? sparse_rows<INDEX, 16>
                                                                                  : sparse_rows<INDEX, 0>;
    return run(mode, v, cols, ptr, n, d, W, b, K, Kp, q, Z, D, G, gb, threads);
}
