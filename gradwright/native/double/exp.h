extern "C" double exp(double);
static inline double exp_(double x) { return exp(x); }
