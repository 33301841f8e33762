// What needs the predictions alone and no pass over X: the loss along a line, and the weights of a Hessian.
#include "kernel.h"
#include "maths.h"
#include "loss.h"

// Change of the loss from Z to Z + step D, and its first two derivatives there along D: no pass over X.
extern "C" void along(I n, int K, const A *Z, const float *D, double step, const double *y, const double *s,
                      const double *u, const double *abc, double *out, int threads) {
    Data q{y, s, nullptr, u, abc[0], abc[1], abc[2]};
    double change = 0, slope = 0, curve = 0;
    #pragma omp parallel for num_threads(threads) schedule(static) reduction(+ : change, slope, curve)
    for (I i = 0; i < n; i++) {
        double w = s ? s[i] : 1.;
        if (w == 0) continue;
        along_row(i, K, Z, D, step, q, w, change, slope, curve);
    }
    out[0] = change; out[1] = slope; out[2] = curve;
}

// Second derivatives of each row's loss by its predictions, times scale s_i: (pairs, n), the pairs k >= l of a softmax.
extern "C" void weights(I n, int K, const A *Z, const double *y, const double *s, const double *u, const double *abc,
                        double scale, double *out, int threads) {
    Data q{y, s, nullptr, u, abc[0], abc[1], abc[2]};
    #pragma omp parallel for num_threads(threads) schedule(static)
    for (I block = 0; block < (n + ROWS - 1) / ROWS; block++) {
        I i0 = block * ROWS;
        int m = (int)std::min<I>(ROWS, n - i0);
        double own[ROWS];
        for (int r = 0; r < m; r++) own[r] = s ? s[i0 + r] * scale : scale;
        second(n, i0, m, K, Z, q, own, out);
    }
}
