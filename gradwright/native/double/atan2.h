extern "C" double atan2(double, double);
static inline double atan2_(double y, double x) { return atan2(y, x); }
