// A loss of one prediction z. BODY is printed: it sets the loss l, the slope g and the curvature h at z, for target y,
// multiplier u and the loss's own numbers a, b, c.

template <class A>
static inline void point(A z, A y, A u, A a, A b, A c, A &l, A &g, A &h) { BODY }

// The loss, slopes and curvatures of m rows from i0 with predictions z: zb becomes s_i times the slopes, or where the mode
// is to curve, s_i times the curvatures times the direction that zb holds. Answers the sum of losses.
static inline double slopes(int mode, I i0, int m, int K, A *zb, const Data &q, const A *z, A *tmp) {
    double total = 0;
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
    return total;
}

// Change of the loss of row i along step D, and its first two derivatives there, times its weight w.
static inline void along_row(I i, int K, const A *Z, const float *D, double step, const Data &q, double w,
                             double &change, double &slope, double &curve) {
    double l0 = 0, l1 = 0, g = 0, h = 0;
    point<double>(Z[i], q.y[i], q.u ? q.u[i] : 0., q.a, q.b, q.c, l0, g, h);
    point<double>(Z[i] + step * D[i], q.y[i], q.u ? q.u[i] : 0., q.a, q.b, q.c, l1, g, h);
    change += w * (l1 - l0); slope += w * g * D[i]; curve += w * h * D[i] * D[i];
}

// Second derivatives of m rows from i0, times what is their own: (pairs, n), the pairs k >= l of a softmax.
static inline void second(I n, I i0, int m, int K, const A *Z, const Data &q, const double *own, double *out) {
    #pragma omp simd
    for (int r = 0; r < m; r++) {
        double l = 0, g = 0, h = 0;
        point<double>((double)Z[i0 + r], q.y[i0 + r], q.u ? q.u[i0 + r] : 0., q.a, q.b, q.c, l, g, h);
        out[i0 + r] = own[r] * h;
    }
}
