// What every pass over rows shares. A pass evaluates (new predictions into Z, their change into D, loss and gradient),
// curves (Hessian times a direction at the predictions Z) or predicts.
//
// types.h is printed: T is the type of X, A the type predictions are computed in; sums over rows are kept in double.

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
#include "types.h"
typedef int64_t I;

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

// Targets, weights, offsets and multipliers of all rows, of which all but the targets may be null, and the loss's own
// numbers.
struct Data { const double *y, *s, *off, *u; double a, b, c; };
