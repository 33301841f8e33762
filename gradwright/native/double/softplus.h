extern "C" double exp(double);
extern "C" double log1p(double);
static inline double softplus_(double x) {
    double y = log1p(exp(x > 0.0 ? -x : x));
    return x != x ? x : (x > 0.0 ? x : 0.0) + y;
}
