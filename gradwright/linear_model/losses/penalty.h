// The minimum of 1/2 curvature x^2 - t x + penalty(x) for one column and, as a factor of t of length norm, for a group.
static inline double prox_column(double t, double l1, double curvature) {
    double size = std::fabs(t) - l1;
    return size > 0 ? (t > 0 ? size : -size) / curvature : 0.;
}
static inline double prox_group(double norm, double gamma, double curvature) {
    return norm > gamma && curvature > 0 ? (1. - gamma / norm) / curvature : 0.;
}
