// exp, log(1 + e) and a fused multiply-add that compilers make vectors of: no branches, no tables, no errno.

static inline float exp_(float x) {
    float y = x > 88.5f ? 88.5f : x < -87.f ? -87.f : x;
    float t = y * 1.44269504f + 12582912.f, n = t - 12582912.f;
    float r = y - n * 0.693145752f - n * 1.42860677e-6f, q = 0.00019875691f;
    q = q * r + 0.0013981999f; q = q * r + 0.0083334519f; q = q * r + 0.041665795f;
    q = q * r + 0.16666665f; q = q * r + 0.5f;
    int k = (int)(__builtin_bit_cast(unsigned, t) - 0x4b400000u);
    float e = ((q * r) * r + r + 1.f) * __builtin_bit_cast(float, (unsigned)(k + 127) << 23);
    return x < -87.f ? 0.f : x > 88.5f ? __builtin_inff() : x != x ? x : e;
}
static inline double exp_(double x) {
    double y = x > 709. ? 709. : x < -708. ? -708. : x;
    double t = y * 1.4426950408889634 + 6755399441055744., n = t - 6755399441055744.;
    double r = y - n * 0.693147180369123816490 - n * 1.90821492927058770002e-10, q = 1. / 6227020800.;
    q = q * r + 1. / 479001600.; q = q * r + 1. / 39916800.; q = q * r + 1. / 3628800.; q = q * r + 1. / 362880.;
    q = q * r + 1. / 40320.; q = q * r + 1. / 5040.; q = q * r + 1. / 720.; q = q * r + 1. / 120.;
    q = q * r + 1. / 24.; q = q * r + 1. / 6.; q = q * r + .5;
    int64_t k = __builtin_bit_cast(int64_t, t) - 0x4338000000000000LL;
    double e = ((q * r) * r + r + 1.) * __builtin_bit_cast(double, (uint64_t)(k + 1023) << 52);
    return x < -708. ? 0. : x > 709. ? (double)__builtin_inff() : x != x ? x : e;
}
// log(1 + e) for e in [0, 1]: 2 artanh(e / (2 + e)), whose series needs no branch
static inline float log1p_(float e) {
    float s = e / (2.f + e), v = s * s, q = 1.f / 13;
    q = q * v + 1.f / 11; q = q * v + 1.f / 9; q = q * v + 1.f / 7; q = q * v + 1.f / 5; q = q * v + 1.f / 3;
    return 2.f * (s + s * v * q);
}
static inline double log1p_(double e) {
    double s = e / (2. + e), v = s * s, q = 1. / 33;
    q = q * v + 1. / 31; q = q * v + 1. / 29; q = q * v + 1. / 27; q = q * v + 1. / 25; q = q * v + 1. / 23;
    q = q * v + 1. / 21; q = q * v + 1. / 19; q = q * v + 1. / 17; q = q * v + 1. / 15; q = q * v + 1. / 13;
    q = q * v + 1. / 11; q = q * v + 1. / 9; q = q * v + 1. / 7; q = q * v + 1. / 5; q = q * v + 1. / 3;
    return 2. * (s + s * v * q);
}
// log(1 + e) for any e >= 0: the powers of two of a sum above 2 go apart
static inline double log1p_from_0(double e) {
    double one = 1. + e;
    uint64_t bits = __builtin_bit_cast(uint64_t, one);
    int64_t power = (int64_t)(bits >> 52) - 1023;
    double rest = __builtin_bit_cast(double, (bits & 0xfffffffffffffULL) | 0x3ff0000000000000ULL) - 1.;
    double log = (double)power * 0.69314718055994530942 + log1p_(power ? rest : e);
    return e != e ? e : log;
}
// log of a number above 0: the powers of two go apart
static inline double log_(double y) {
    uint64_t bits = __builtin_bit_cast(uint64_t, y);
    int64_t power = (int64_t)(bits >> 52) - 1023;
    double rest = __builtin_bit_cast(double, (bits & 0xfffffffffffffULL) | 0x3ff0000000000000ULL) - 1.;
    return (double)power * 0.69314718055994530942 + log1p_(rest);
}
static inline float log_(float y) { return (float)log_((double)y); }
// e^x - 1 - x with all its digits: near 0 the sum of the series but for its first two terms
static inline double exp_rest_(double x) {
    double y = x > 709. ? 709. : x < -708. ? -708. : x;
    double t = y * 1.4426950408889634 + 6755399441055744., n = t - 6755399441055744.;
    double r = y - n * 0.693147180369123816490 - n * 1.90821492927058770002e-10, q = 1. / 6227020800.;
    q = q * r + 1. / 479001600.; q = q * r + 1. / 39916800.; q = q * r + 1. / 3628800.; q = q * r + 1. / 362880.;
    q = q * r + 1. / 40320.; q = q * r + 1. / 5040.; q = q * r + 1. / 720.; q = q * r + 1. / 120.;
    q = q * r + 1. / 24.; q = q * r + 1. / 6.; q = q * r + .5;
    int64_t k = __builtin_bit_cast(int64_t, t) - 0x4338000000000000LL;
    double two = __builtin_bit_cast(double, (uint64_t)(k + 1023) << 52);
    double e = two * (q * r * r) + (two * r - (x < -708. ? x : y)) + (two - 1.);
    return x > 709. ? (double)__builtin_inff() : x != x ? x : e;
}
static inline float exp_rest_(float x) { return (float)exp_rest_((double)x); }
static inline float fma_(float a, float b, float c) { return __builtin_fmaf(a, b, c); }
static inline double fma_(double a, double b, double c) { return __builtin_fma(a, b, c); }
