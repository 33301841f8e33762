// The C++ of kernel.py beside it, which puts in front SINGLE (0 or 1), a type F and the constants L (lanes), N (intervals;
// L in single precision), M (terms: 8 or 16) and REACH: the intervals divide [-REACH, REACH]. Loops over classes go
// through blocks, so that what they leave for one another stays in the nearest cache. The sums of powers are scattered
// over the intervals by one vector addition a class; reading a polynomial back is, in single precision with AVX-512, a
// permutation of one register.

typedef long long i64;
constexpr int B = 256;  // classes in a block
typedef F eight __attribute__((vector_size(8 * sizeof(F)), aligned(sizeof(F))));
typedef F lanes __attribute__((vector_size(L * sizeof(F)), aligned(sizeof(F))));
typedef int places __attribute__((vector_size(L * sizeof(int)), aligned(sizeof(int))));
typedef decltype(eight{} < eight{}) mask;

// Of each class: its interval, N for one that is left out, and the place v in it, from -1 to 1, with v^2 and v^4.
struct Block { int at[B + L]; F v[B + L], v2[B + L], v4[B + L]; };

static inline void locate(Block& b, const F* z, i64 n, F own, i64 label, F step, F margin) {
    for (i64 e = 0; e < n; ++e) {
        // comparisons are turned so that NaN stays NaN; its interval is N, where it is found again
        F gap = own - z[e];
        gap = margin < gap ? margin : gap;
        F g = gap * step;
        g = -N / 2 > g ? -N / 2 : g;
        g = N / 2 < g ? N / 2 : g;
        const bool shut = z[e] == -(F)__builtin_inf();  // left out; beside a label that is too, the gap is NaN
        g = shut ? 0 : g;
        unsigned j = (unsigned)(int)(g + N / 2);
        j = j > N || shut ? N : j;
        const F v = 2 * g + (F)(N - 1 - 2 * (int)j), v2 = v * v;
        b.at[e] = j;
        b.v[e] = v;
        b.v2[e] = v2;
        b.v4[e] = v2 * v2;
    }
    for (int e = 0; e < L; ++e) {  // up to a whole number of lanes
        b.at[n + e] = N;
        b.v[n + e] = b.v2[n + e] = b.v4[n + e] = 0;
    }
    if (label >= 0 && label < n) b.at[label] = N;
}

static inline F score(const F* z, i64 label, i64 classes) {
    return label >= 0 && label < classes ? z[label] : (F)__builtin_nan("");
}

static inline eight all(F x) { return eight{x, x, x, x, x, x, x, x}; }

static inline eight powers(F v, F v2, F v4) {  // v^0 to v^7
    const mask one = {0, -1, 0, -1, 0, -1, 0, -1}, two = {0, 0, -1, -1, 0, 0, -1, -1};
    const mask four = {0, 0, 0, 0, -1, -1, -1, -1};
    return (one ? all(v) : all(1)) * (two ? all(v2) : all(1)) * (four ? all(v4) : all(1));
}

extern "C" void forward(const F* z, const i64* label, i64 rows, i64 classes, i64 labels, i64 nodes, const F* table,
                        const F* log_w, double scale, double margin, F* p, F* mass, i64 threads) {
    const F step = (F)(scale * N / (2 * REACH));
    #pragma omp parallel for num_threads(threads) schedule(static)
    for (i64 pair = 0; pair < rows * labels; ++pair) {
        const F* row = z + pair / labels * classes;
        const i64 y = label[pair];
        const F own = score(row, y, classes);
        Block b;
        F total[N + 1][M] = {};
        for (i64 i = 0; i < classes; i += B) {
            const i64 n = classes - i < B ? classes - i : B;
            locate(b, row + i, n, own, y - i, step, (F)margin);
            F sums[4][N + 1][M] = {};  // in turn: to add to what was just stored would wait for it
            for (i64 e = 0; e < n; e += 4)
                for (int c = 0; c < 4; ++c) {
                    const eight low = powers(b.v[e + c], b.v2[e + c], b.v4[e + c]);
                    F* sum = sums[c][b.at[e + c]];
                    *(eight*)sum += low;
                    if (M > 8) *(eight*)(sum + 8) += low * (b.v4[e + c] * b.v4[e + c]);
                }
            // block by block: hundreds of equal numbers, added one to one, would all round the same way
            for (int j = 0; j <= N; ++j)
                for (int m = 0; m < M; ++m)
                    total[j][m] += sums[0][j][m] + sums[1][j][m] + (sums[2][j][m] + sums[3][j][m]);
        }
        const F spoilt = 0 * total[N][1];  // NaN if there is one among the logits
        F* out = mass + pair * nodes;
        for (i64 k = 0; k < nodes; k += L) {
            lanes exponent = *(const lanes*)(log_w + k) + spoilt;
            for (int j = 0; j < N; ++j) {
                if (total[j][0] == 0) continue;
                for (int m = 0; m < M; ++m) exponent += total[j][m] * *(const lanes*)(table + (j * M + m) * nodes + k);
            }
            *(lanes*)(out + k) = exponent;
        }
        for (i64 k = 0; k < nodes; ++k) out[k] = exp_(out[k]);
        F sum = 0;
        for (i64 k = 0; k < nodes; ++k) sum += out[k];
        p[pair] = sum;
    }
}

static inline lanes read(const F* of_interval, places at) {
#if SINGLE && defined(__AVX512F__) && !defined(__clang__)
    return __builtin_shuffle(*(const lanes*)of_interval, at);
#else
    lanes out;
    for (int e = 0; e < L; ++e) out[e] = of_interval[at[e]];
    return out;
#endif
}

extern "C" void backward(const F* z, const i64* label, i64 rows, i64 classes, i64 labels, i64 nodes, const F* table,
                         const F* mass, const F* upstream, double scale, double margin, F* grad, i64 threads) {
    const F step = (F)(scale * N / (2 * REACH));
    #pragma omp parallel for num_threads(threads) schedule(static)
    for (i64 r = 0; r < rows; ++r) {
        const F* row = z + r * classes;
        F* out = grad + r * classes;
        Block b;
        for (i64 pair = r * labels; pair < (r + 1) * labels; ++pair) {
            const i64 y = label[pair];
            const F own = score(row, y, classes);
            F slope[M][N + 1] = {};  // a polynomial in v for each interval
            for (i64 k = 0; k < nodes; ++k) {
                const F weight = mass[pair * nodes + k] * upstream[pair] * (F)scale;
                if (weight == 0) continue;
                for (int m = 1; m < M; ++m)
                    for (int j = 0; j < N; ++j) slope[m][j] += weight * table[(k * M + m) * N + j];
            }
            const F none = 0 * slope[1][0];  // NaN in a row that is spoilt
            lanes total = {};
            for (i64 i = 0; i < classes; i += B) {
                const i64 n = classes - i < B ? classes - i : B;
                locate(b, row + i, n, own, y - i, step, (F)margin);
                F here[B + L];
                for (i64 e = 0; e < n; e += L) {
                    const places at = *(const places*)(b.at + e);
                    const lanes v = *(const lanes*)(b.v + e);
                    lanes s = read(slope[M - 1], at);
                    for (int m = M - 2; m > 0; --m) s = s * v + read(slope[m], at);
                    *(lanes*)(here + e) = s;
                }
                for (i64 e = 0; e < n; ++e) here[e] = (b.at[e] == N) | (own - row[i + e] > (F)margin) ? none : here[e];
                for (i64 e = n; e < n + L; ++e) here[e] = 0;
                for (i64 e = 0; e < n; e += L) total += *(const lanes*)(here + e);
                if (pair == r * labels)
                    for (i64 e = 0; e < n; ++e) out[i + e] = -here[e];
                else
                    for (i64 e = 0; e < n; ++e) out[i + e] -= here[e];
            }
            F sum = 0;
            for (int c = 0; c < L; ++c) sum += total[c];
            if (y >= 0 && y < classes) out[y] += sum;
        }
    }
}
