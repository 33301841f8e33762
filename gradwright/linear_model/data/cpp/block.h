// The loss of a block of rows. loss.h is printed: what a loss makes of its predictions (losses/pointwise.h or softmax.h).
#include "kernel.h"
#include "maths.h"
#include "loss.h"

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
    return slopes(mode, i0, m, K, zb, q, z, tmp);
}
