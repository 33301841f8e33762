// log sum_k exp z_k - z_y for K classes: the functions of pointwise.h. Classes are outermost, so that every loop over
// rows is one of vectors.

static inline double slopes(int mode, I i0, int m, int K, A *zb, const Data &q, const A *z, A *tmp) {
    double total = 0;
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
    return total;
}

static inline void along_row(I i, int K, const A *Z, const float *D, double step, const Data &q, double w,
                             double &change, double &slope, double &curve) {
    int t = (int)q.y[i];
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
}

static inline void second(I n, I i0, int m, int K, const A *Z, const Data &q, const double *own, double *out) {
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
}
