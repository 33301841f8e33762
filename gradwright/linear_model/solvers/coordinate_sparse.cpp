// Sweeps of coordinate descent over sparse columns, the intercept eliminated; coordinate_sparse.py has the equations.

#include <cmath>
#include <cstdint>
#include <vector>
#include <algorithm>
#include "penalty.h"

typedef int64_t I;

template <class T>
static int run(I n, I m, const I *chosen, const I *ptr, const int32_t *rows, const T *x, const double *h,
               double total, double *g, double gb, const double *ridge, const double *l1, double *w,
               double *intercept, int sweeps, double tol) {
    // a row's h u and its curvature lie together: whoever changes the one needs the other
    struct Row { double u, h; };
    std::vector<Row> row(n);
    for (I i = 0; i < n; i++) row[i] = {0., h[i]};
    std::vector<double> mean(m), bend(m), start(w, w + m);
    double unit = 1e-300;
    for (I a = 0; a < m; a++) {
        double first = 0, second = 0;
        for (I e = ptr[chosen[a]]; e < ptr[chosen[a] + 1]; e++) {
            double hx = h[rows[e]] * (double)x[e];
            first += hx; second += hx * (double)x[e];
        }
        mean[a] = total > 0 ? first / total : 0.;
        bend[a] = second - mean[a] * first + ridge[a];
        // the intercept in disguise has no curvature of its own, nor has an empty column: its coefficient goes to zero
        bend[a] = std::max(bend[a], std::max(1e-14 * second, 1e-300));
        g[a] -= mean[a] * gb;
        unit = std::max(unit, l1[a]);
    }
    std::vector<I> every(m), live;
    for (I a = 0; a < m; a++) every[a] = a;
    bool all = true;
    double sum = 0;
    int done = 0;
    for (; done < sweeps; done++) {
        double worst = 0;
        if (all) live.clear();
        for (I a : all ? every : live) {
            I low = ptr[chosen[a]], high = ptr[chosen[a] + 1], e = low;
            double L = bend[a], even = 0, odd = 0;
            for (; e + 1 < high; e += 2) {
                even += (double)x[e] * row[rows[e]].u;
                odd += (double)x[e + 1] * row[rows[e + 1]].u;
            }
            if (e < high) even += (double)x[e] * row[rows[e]].u;
            double t = w[a] * L - (g[a] + even + odd - mean[a] * sum + ridge[a] * (w[a] - start[a]));
            double next = prox_column(t, l1[a], L), by = next - w[a];
            if (all && (next != 0 || by != 0)) live.push_back(a);
            if (by == 0) continue;
            w[a] = next; sum += by * mean[a] * total;
            for (e = low; e < high; e++) { Row &at = row[rows[e]]; at.u += at.h * (double)x[e] * by; }
            worst = std::max(worst, L * std::fabs(by) / (l1[a] > 0 ? l1[a] : unit));
        }
        if (worst <= tol) {
            if (all) { done++; break; }
            all = true;
        } else all = false;
    }
    *intercept = total > 0 ? -(gb + sum) / total : 0.;
    return done;
}
#define ARGUMENTS(T) \
    I n, I m, const I *chosen, const I *ptr, const int32_t *rows, const T *x, const double *h, double total, \
    double *g, double gb, const double *ridge, const double *l1, double *w, double *intercept, int sweeps, double tol
#define CALL n, m, chosen, ptr, rows, x, h, total, g, gb, ridge, l1, w, intercept, sweeps, tol
extern "C" int descend_float(ARGUMENTS(float)) { return run(CALL); }
extern "C" int descend_double(ARGUMENTS(double)) { return run(CALL); }
