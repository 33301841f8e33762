// Sweeps of coordinate descent over a quadratic model with L1 and group penalties; coordinate.py has the equations.

#include <cmath>
#include <cstdint>
#include <vector>
#include <algorithm>
#include "penalty.h"

typedef int64_t I;

struct Model {
    I n, m, K; const I *ptr, *rows; const double *x, *h, *s; double *z, *mean;
    double slope(I j, I k) const {
        double t = 0;
        for (I e = ptr[j]; e < ptr[j + 1]; e++) {
            I i = rows ? rows[e] : e - ptr[j];
            t += x[e] * (s ? s[i] * h[i * K + k] * (z[i * K + k] - mean[i]) : h[i] * z[i]);
        }
        return t;
    }
    void move(I j, I k, double by) {
        for (I e = ptr[j]; e < ptr[j + 1]; e++) {
            I i = rows ? rows[e] : e - ptr[j];
            z[i * K + k] += x[e] * by;
            if (s) mean[i] += h[i * K + k] * x[e] * by;
        }
    }
};
// groups: columns first[g] .. first[g+1]; a group of gamma < 0 is one column with its own L1
extern "C" int descend(I n, I m, I K, const I *ptr, const I *rows, const double *x, const double *h, const double *s,
                       const double *g, const double *ridge, const double *l1, const double *bend, double *theta,
                       double *delta, double *z, double *mean, I groups, const I *first, const double *gamma,
                       int sweeps, double tol) {
    Model q{n, m, K, ptr, rows, x, h, s, z, mean};
    std::vector<char> still(groups, 0);
    std::vector<double> slope;
    bool all = true;
    int done = 0;
    for (; done < sweeps; done++) {
        double worst = 0;
        for (I G = 0; G < groups; G++) {
            if (!all && still[G]) continue;
            I low = first[G], high = first[G + 1];
            double moved = 0;
            if (gamma[G] < 0) {
                for (I k = 0; k < K; k++) {
                    I at = low * K + k;
                    double L = bend[at], a = g[at] + q.slope(low, k) + ridge[low] * delta[at];
                    double v = prox_column(theta[at] * L - a, l1[low], L), by = v - theta[at];
                    if (by == 0 || L <= 0) continue;
                    theta[at] = v; delta[at] += by; q.move(low, k, by);
                    moved = std::max(moved, L * by * by);
                }
            } else {
                I size = (high - low) * K;
                double L = 0;
                slope.resize(size);
                for (I a = 0; a < size; a++) L += bend[low * K + a];
                for (int again = 0; again < 3; again++) {
                    double norm = 0, most = 0;
                    for (I a = 0; a < size; a++) {
                        I j = low + a / K, at = low * K + a;
                        slope[a] = theta[at] * L - (g[at] + q.slope(j, a % K) + ridge[j] * delta[at]);
                        norm += slope[a] * slope[a];
                    }
                    norm = std::sqrt(norm);
                    double keep = prox_group(norm, gamma[G], L);
                    for (I a = 0; a < size; a++) {
                        I at = low * K + a;
                        double by = keep * slope[a] - theta[at];
                        if (by == 0) continue;
                        theta[at] += by; delta[at] += by; q.move(low + a / K, a % K, by);
                        most = std::max(most, L * by * by);
                    }
                    moved = std::max(moved, most);
                    if (most == 0) break;
                }
            }
            bool zero = true;
            for (I a = low * K; a < high * K; a++) zero = zero && theta[a] == 0;
            still[G] = zero && moved == 0;
            worst = std::max(worst, moved);
        }
        if (worst <= tol) {
            if (all) { done++; break; }
            all = true;
        } else all = false;
    }
    return done;
}
