extern "C" double log(double);
static inline double log_(double x) { return log(x); }
