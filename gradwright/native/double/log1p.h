extern "C" double log1p(double);
static inline double log1p_(double x) { return log1p(x); }
