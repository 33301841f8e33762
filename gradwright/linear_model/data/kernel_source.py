"""The C++ of one pass over X: predictions, loss and gradient, while a block of rows is in the cache.

``T`` is the type of X, ``A`` the type predictions are computed in; sums over rows are kept in double. A pass does one
of three things: *evaluate* (new predictions into Z, their change into D, loss and gradient), *curve* (Hessian times a
direction at the predictions Z) and *predict*.
"""

from __future__ import annotations

LOSSES = {
    "logistic": """
        A e = exp_(-std::fabs(z)), q = A(1) / (A(1) + e), big = z >= 0 ? q : e * q, small = z >= 0 ? e * q : q;
        l = (z > 0 ? z : A(0)) - y * z + log1p_(e); g = (A(1) - y) * big - y * small; h = big * small;""",
    "squared": "A r = z - y; l = A(.5) * r * r; g = r; h = 1;",
    "poisson": "A m = exp_(z); l = m - y * z; g = m - y; h = m;",
    "gamma": "A q = y * exp_(-z); l = z + q; g = A(1) - q; h = q;",
    "tweedie": """
        A two = A(2) - a, one = A(1) - a, m = exp_(two * z), q = y * exp_(one * z);
        l = m / two - q / one; g = m - q; h = two * m - one * q;""",
    "huber": """
        A r = z - y, t = std::fabs(r); bool in = t <= a;
        l = in ? A(.5) * r * r : a * (t - A(.5) * a); g = in ? r : (r > 0 ? a : -a); h = in ? A(1) : A(0);""",
    "squared_hinge": """
        A s = y > 0 ? A(1) : A(-1), m = A(1) - s * z; m = m > 0 ? m : A(0);
        l = m * m; g = A(-2) * s * m; h = m > 0 ? A(2) : A(0);""",
    "squared_epsilon_insensitive": """
        A r = z - y, m = std::fabs(r) - a; m = m > 0 ? m : A(0);
        l = m * m; g = (r > 0 ? A(2) : A(-2)) * m; h = m > 0 ? A(2) : A(0);""",
    "envelope": """
        A r = z - y, t = u + a * r, w = std::fabs(t) - a * b; w = w > 0 ? (t > 0 ? w : -w) : A(0);
        A low = c > 0 && y < 0 ? A(0) : A(-1), high = c > 0 && y > 0 ? A(0) : A(1);
        A v = w < low ? low : w > high ? high : w;
        l = v * r - b * std::fabs(v) - (v - u) * (v - u) / (A(2) * a); g = v; h = (v == w && w != 0) ? a : A(0);""",
}
"""Loss, slope and curvature of one prediction z with target y, multiplier u and the loss's own numbers a, b, c."""


def source(data: str, compute: str, loss: str, part: str) -> str:
    """The program for X of C type ``data``, predictions of C type ``compute`` and one loss.

    ``part`` is dense, sparse_32, sparse_64 (by the type of the indices), or line for what needs no X; each compiles in
    a second or two.
    """
    chosen = f"#define SOFTMAX {int(loss == 'softmax')}\nusing T = {data};\nusing A = {compute};\n"
    body = {"dense": BLOCK + DENSE, "line": ALONG + WEIGHTS}.get(part)
    if body is None:
        body = BLOCK + SPARSE.replace("INDEX", "int32_t" if part == "sparse_32" else "int64_t")
    return HEAD + chosen + MATHS + POINT.replace("BODY", LOSSES.get(loss, "")) + body


HEAD = """
// sums need not round as any other engine's do
#ifdef __clang__
#pragma clang fp contract(fast)
#else
#pragma GCC optimize("fp-contract=fast")
#endif
#include <cmath>
#include <cstring>
#include <vector>
#include <cstdint>
#include <algorithm>
#include <type_traits>
#include <omp.h>
typedef int64_t I;
"""

MATHS = """
static inline float exp_(float x) {
    float y = x > 88.5f ? 88.5f : x < -87.f ? -87.f : x;
    float t = y * 1.44269504f + 12582912.f, n = t - 12582912.f;
    float r = y - n * 0.693145752f - n * 1.42860677e-6f, q = 0.00019875691f;
    q = q * r + 0.0013981999f; q = q * r + 0.0083334519f; q = q * r + 0.041665795f;
    q = q * r + 0.16666665f; q = q * r + 0.5f;
    int k = (int)(__builtin_bit_cast(unsigned, t) - 0x4b400000u);
    float e = ((q * r) * r + r + 1.f) * __builtin_bit_cast(float, (unsigned)(k + 127) << 23);
    return x < -87.f ? 0.f : x > 88.5f ? __builtin_inff() : x != x ? x : e;
}
static inline double exp_(double x) {
    double y = x > 709. ? 709. : x < -708. ? -708. : x;
    double t = y * 1.4426950408889634 + 6755399441055744., n = t - 6755399441055744.;
    double r = y - n * 0.693147180369123816490 - n * 1.90821492927058770002e-10, q = 1. / 6227020800.;
    q = q * r + 1. / 479001600.; q = q * r + 1. / 39916800.; q = q * r + 1. / 3628800.; q = q * r + 1. / 362880.;
    q = q * r + 1. / 40320.; q = q * r + 1. / 5040.; q = q * r + 1. / 720.; q = q * r + 1. / 120.;
    q = q * r + 1. / 24.; q = q * r + 1. / 6.; q = q * r + .5;
    int64_t k = __builtin_bit_cast(int64_t, t) - 0x4338000000000000LL;
    double e = ((q * r) * r + r + 1.) * __builtin_bit_cast(double, (uint64_t)(k + 1023) << 52);
    return x < -708. ? 0. : x > 709. ? (double)__builtin_inff() : x != x ? x : e;
}
// log(1 + e) for e in [0, 1]: 2 artanh(e / (2 + e)), whose series needs no branch
static inline float log1p_(float e) {
    float s = e / (2.f + e), v = s * s, q = 1.f / 13;
    q = q * v + 1.f / 11; q = q * v + 1.f / 9; q = q * v + 1.f / 7; q = q * v + 1.f / 5; q = q * v + 1.f / 3;
    return 2.f * (s + s * v * q);
}
static inline double log1p_(double e) {
    double s = e / (2. + e), v = s * s, q = 1. / 33;
    q = q * v + 1. / 31; q = q * v + 1. / 29; q = q * v + 1. / 27; q = q * v + 1. / 25; q = q * v + 1. / 23;
    q = q * v + 1. / 21; q = q * v + 1. / 19; q = q * v + 1. / 17; q = q * v + 1. / 15; q = q * v + 1. / 13;
    q = q * v + 1. / 11; q = q * v + 1. / 9; q = q * v + 1. / 7; q = q * v + 1. / 5; q = q * v + 1. / 3;
    return 2. * (s + s * v * q);
}
// log(1 + e) for any e >= 0: the powers of two of a sum above 2 go apart
static inline double log1p_from_0(double e) {
    double one = 1. + e;
    uint64_t bits = __builtin_bit_cast(uint64_t, one);
    int64_t power = (int64_t)(bits >> 52) - 1023;
    double rest = __builtin_bit_cast(double, (bits & 0xfffffffffffffULL) | 0x3ff0000000000000ULL) - 1.;
    double log = (double)power * 0.69314718055994530942 + log1p_(power ? rest : e);
    return e != e ? e : log;
}
static inline float fma_(float a, float b, float c) { return __builtin_fmaf(a, b, c); }
static inline double fma_(double a, double b, double c) { return __builtin_fma(a, b, c); }
"""

POINT = """
struct Data { const double *y, *s, *off, *u; double a, b, c; };
#if !SOFTMAX
template <class A>
static inline void point(A z, A y, A u, A a, A b, A c, A &l, A &g, A &h) { BODY }
#endif
"""

BLOCK = """
enum { EVALUATE, CURVE, PREDICT };
constexpr int ROWS = 64;
// four sums side by side, none of which waits for memory
static inline double column_sum(const A *z, int step, int m) {
    double t[4] = {};
    int r = 0;
    for (; r + 4 <= m; r += 4) for (int i = 0; i < 4; i++) t[i] += (double)z[(r + i) * step];
    for (; r < m; r++) t[0] += (double)z[r * step];
    return (t[0] + t[1]) + (t[2] + t[3]);
}
// zb holds the new predictions (or the direction's) of m rows; it becomes s_i times the slope (or curvature times it).
static double block(int mode, I i0, int m, int K, A *zb, const Data &q, A *Z, float *D, A *tmp) {
    if (mode != CURVE) {
        if (q.off) for (int e = 0; e < m * K; e++) zb[e] += (A)q.off[i0 * K + e];
        A *z = Z + i0 * K;
        if (D) for (int e = 0; e < m * K; e++) D[i0 * K + e] = (float)(zb[e] - z[e]);
        for (int e = 0; e < m * K; e++) z[e] = zb[e];
        if (mode == PREDICT) return 0;
    }
    const A *z = Z + i0 * K;
    double total = 0;
#if SOFTMAX
    // classes outermost, so that every loop over rows is one of vectors
    A top[ROWS], rest[ROWS], scale[ROWS], sum[ROWS];
    int label[ROWS];
    for (int k = 0; k < K; k++) for (int r = 0; r < m; r++) tmp[k * ROWS + r] = z[r * K + k];
    for (int r = 0; r < m; r++) { top[r] = tmp[r]; label[r] = (int)q.y[i0 + r]; sum[r] = 0; rest[r] = -1; }
    for (int k = 1; k < K; k++)
        for (int r = 0; r < m; r++) top[r] = tmp[k * ROWS + r] > top[r] ? tmp[k * ROWS + r] : top[r];
    // the largest term is exactly 1; counting it apart keeps log(1 + rest) exact for confident rows
    A small[ROWS] = {};
    for (int k = 0; k < K; k++) {
        A *t = tmp + k * ROWS;
        #pragma omp simd
        for (int r = 0; r < m; r++) {
            t[r] = exp_(t[r] - top[r]);
            small[r] += t[r] < 1 ? t[r] : A(0);
            rest[r] += t[r] < 1 ? A(0) : A(1);
        }
    }
    for (int r = 0; r < m; r++) { rest[r] += small[r]; scale[r] = A(1) / (A(1) + rest[r]); }
    const double *s = q.s ? q.s + i0 : nullptr;
    if (mode == EVALUATE) {
        double logs[ROWS];
        #pragma omp simd
        for (int r = 0; r < m; r++) logs[r] = log1p_from_0((double)rest[r]);
        for (int r = 0; r < m; r++) {
            double w = s ? s[r] : 1.;
            if (w != 0) total += w * (logs[r] + ((double)top[r] - (double)z[r * K + label[r]]));
            scale[r] *= (A)w;
        }
        for (int k = 0; k < K; k++) {
            A *t = tmp + k * ROWS;
            for (int r = 0; r < m; r++) {
                A p = t[r] * scale[r];
                zb[r * K + k] = p;
                sum[r] += label[r] == k ? A(0) : p;
            }
        }
        for (int r = 0; r < m; r++) zb[r * K + label[r]] = -sum[r];
    } else {
        for (int k = 0; k < K; k++) {
            A *t = tmp + k * ROWS;
            for (int r = 0; r < m; r++) { t[r] *= scale[r]; sum[r] += t[r] * zb[r * K + k]; }
        }
        for (int k = 0; k < K; k++)
            for (int r = 0; r < m; r++)
                zb[r * K + k] = (s ? (A)s[r] : A(1)) * tmp[k * ROWS + r] * (zb[r * K + k] - sum[r]);
    }
#else
    const double *y = q.y + i0, *s = q.s ? q.s + i0 : nullptr, *u = q.u ? q.u + i0 : nullptr;
    A ys[ROWS], us[ROWS], ls[ROWS];
    for (int r = 0; r < m; r++) { ys[r] = (A)y[r]; us[r] = u ? (A)u[r] : A(0); }
    #pragma omp simd
    for (int r = 0; r < m; r++) {
        A l = 0, g = 0, h = 0;
        point(z[r], ys[r], us[r], (A)q.a, (A)q.b, (A)q.c, l, g, h);
        ls[r] = l;
        zb[r] = mode == CURVE ? h * zb[r] : g;
    }
    if (s) for (int r = 0; r < m; r++) { zb[r] *= (A)s[r]; if (s[r] != 0) total += s[r] * (double)ls[r]; }
    else total = column_sum(ls, 1, m);
#endif
    return total;
}
"""

DENSE = """
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
#define CLASSES(f, ...) \\
    { int k = 0; \\
      for (; k + 5 <= K; k += 5) f<5>(__VA_ARGS__); \\
      for (; k + 4 <= K; k += 4) f<4>(__VA_ARGS__); \\
      for (; k + 2 <= K; k += 2) f<2>(__VA_ARGS__); \\
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
"""

SPARSE = """
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
"""

ALONG = """
// Change of the loss from Z to Z + step D, and its first two derivatives there along D: no pass over X.
extern "C" void along(I n, int K, const A *Z, const float *D, double step, const double *y, const double *s,
                      const double *u, const double *abc, double *out, int threads) {
    double change = 0, slope = 0, curve = 0;
    #pragma omp parallel for num_threads(threads) schedule(static) reduction(+ : change, slope, curve)
    for (I i = 0; i < n; i++) {
        double w = s ? s[i] : 1.;
        if (w == 0) continue;
#if SOFTMAX
        int t = (int)y[i];
        double top0 = -__builtin_inf(), top1 = top0, s0 = 0, s1 = 0, m = 0, v = 0;
        const A *z = Z + i * K; const float *d = D + i * K;
        for (int k = 0; k < K; k++) { top0 = std::max(top0, (double)z[k]); top1 = std::max(top1, z[k] + step * d[k]); }
        for (int k = 0; k < K; k++) {
            double e = exp_(z[k] + step * d[k] - top1);
            s0 += exp_((double)z[k] - top0); s1 += e; m += e * d[k]; v += e * (double)d[k] * d[k];
        }
        m /= s1; v = v / s1 - m * m;
        change += w * (std::log(s1 / s0) + top1 - top0 - step * d[t]);
        slope += w * (m - d[t]); curve += w * v;
#else
        double l0 = 0, l1 = 0, g = 0, h = 0;
        point<double>(Z[i], y[i], u ? u[i] : 0., abc[0], abc[1], abc[2], l0, g, h);
        point<double>(Z[i] + step * D[i], y[i], u ? u[i] : 0., abc[0], abc[1], abc[2], l1, g, h);
        change += w * (l1 - l0); slope += w * g * D[i]; curve += w * h * D[i] * D[i];
#endif
    }
    out[0] = change; out[1] = slope; out[2] = curve;
}
"""

WEIGHTS = """
// Second derivatives of each row's loss by its predictions, times scale s_i: (pairs, n), the pairs k >= l of a softmax.
extern "C" void weights(I n, int K, const A *Z, const double *y, const double *s, const double *u, const double *abc,
                        double scale, double *out, int threads) {
    constexpr int ROWS = 64;
    #pragma omp parallel for num_threads(threads) schedule(static)
    for (I block = 0; block < (n + ROWS - 1) / ROWS; block++) {
        I i0 = block * ROWS;
        int m = (int)std::min<I>(ROWS, n - i0);
        double own[ROWS];
        for (int r = 0; r < m; r++) own[r] = s ? s[i0 + r] * scale : scale;
#if SOFTMAX
        std::vector<double> p((size_t)K * ROWS);
        double top[ROWS], sum[ROWS] = {};
        for (int k = 0; k < K; k++) for (int r = 0; r < m; r++) p[k * ROWS + r] = (double)Z[(i0 + r) * K + k];
        for (int r = 0; r < m; r++) top[r] = p[r];
        for (int k = 1; k < K; k++) for (int r = 0; r < m; r++) top[r] = std::max(top[r], p[k * ROWS + r]);
        for (int k = 0; k < K; k++) {
            double *t = p.data() + k * ROWS;
            #pragma omp simd
            for (int r = 0; r < m; r++) { t[r] = exp_(t[r] - top[r]); sum[r] += t[r]; }
        }
        for (int r = 0; r < m; r++) sum[r] = 1. / sum[r];
        for (int k = 0; k < K; k++) for (int r = 0; r < m; r++) p[k * ROWS + r] *= sum[r];
        I pair = 0;
        for (int k = 0; k < K; k++)
            for (int l = 0; l <= k; l++, pair++) {
                double *w = out + pair * n + i0;
                const double *a = p.data() + k * ROWS, *b = p.data() + l * ROWS;
                for (int r = 0; r < m; r++) w[r] = own[r] * (k == l ? a[r] - a[r] * a[r] : -a[r] * b[r]);
            }
#else
        #pragma omp simd
        for (int r = 0; r < m; r++) {
            double l = 0, g = 0, h = 0;
            point<double>((double)Z[i0 + r], y[i0 + r], u ? u[i0 + r] : 0., abc[0], abc[1], abc[2], l, g, h);
            out[i0 + r] = own[r] * h;
        }
#endif
    }
}
"""
