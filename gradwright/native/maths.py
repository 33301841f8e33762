"""Functions of C++ kernels that the compiler cannot vectorise from the system's library.

In single precision they are polynomials that take the same way for every entry, so that a loop over entries becomes
vector code and the last entries of a tensor round as all others do. The polynomials are fitted to a relative error near
1e-8; with the rounding of their evaluation the results are within 1 to 3 units in the last place, special values
included; only softplus is zero where it is below 1e-38. In double precision the system's own functions are called.
"""

from __future__ import annotations

NEEDS = {"log1p": ("log",), "sigmoid": ("exp",)}
"""What each function calls."""


def math_source(ops: set[str], single: bool) -> str:
    """The definitions of those of ``ops`` that have one, and of what they need."""
    wanted = {*ops, *(needed for op in ops for needed in NEEDS.get(op, ()))}
    own = SINGLE if single else DOUBLE
    found = "".join(text for op, text in own.items() if op in wanted)
    return FMA + found if found and single else found


FMA = """\
static inline float fma_(float a, float b, float c) {
#if defined(__FMA__) || defined(__ARM_FEATURE_FMA)
    return __builtin_fmaf(a, b, c);
#else
    return a * b + c;
#endif
}
"""
"""One rounding instead of two where the machine has it in hardware: shorter chains, on which the speed depends."""

SINGLE = {
    "exp": """\
static inline float exp_(float x) {
    // e^x = 2^n e^r with |r| <= ln 2 / 2; 2^n is multiplied in two halves, so that denormal results come out right
    float y = x > 89.f ? 89.f : x < -105.f ? -105.f : x;
    float t = fma_(y, 1.44269504f, 12582912.f), n = t - 12582912.f;
    float r = fma_(n, -1.42860677e-6f, fma_(n, -0.693145752f, y));
    float q = 0.0013814611593261361f;
    q = fma_(q, r, 0.008368710055947304f);
    q = fma_(q, r, 0.04166838899254799f);
    q = fma_(q, r, 0.1666652113199234f);
    q = fma_(q, r, 0.4999999403953552f);
    int k = (int)(__builtin_bit_cast(unsigned, t) - 0x4b400000u), half = k >> 1;
    float a = __builtin_bit_cast(float, (unsigned)(half + 127) << 23);
    float b = __builtin_bit_cast(float, (unsigned)(k - half + 127) << 23);
    float e = (fma_(q * r, r, r) + 1.f) * a * b;
    return x != x ? x : e;
}
""",
    "log": """\
static inline float log_(float x) {
    // x = 2^e (1 + f) with 1 + f between the root of a half and the root of two
    float wide = x < 1.17549435e-38f ? x * 8388608.f : x;
    unsigned bits = __builtin_bit_cast(unsigned, wide);
    unsigned shifted = bits - 0x3f3504f3u;
    float e = (float)((int)shifted >> 23) - (x < 1.17549435e-38f ? 23.f : 0.f);
    float f = __builtin_bit_cast(float, (shifted & 0x007fffffu) + 0x3f3504f3u) - 1.f;
    float q = -0.07634429633617401f;
    q = fma_(q, f, 0.12761549651622772f);
    q = fma_(q, f, -0.131601944565773f);
    q = fma_(q, f, 0.14201761782169342f);
    q = fma_(q, f, -0.16623356938362122f);
    q = fma_(q, f, 0.20001226663589478f);
    q = fma_(q, f, -0.250008225440979f);
    q = fma_(q, f, 0.3333333134651184f);
    float s = f * f;
    float y = fma_(e, -2.12194440e-4f, fma_(q, s * f, -0.5f * s));
    y = fma_(e, 0.693359375f, y + f);
    y = x == __builtin_inff() ? x : y;
    y = x == 0.f ? -__builtin_inff() : y;
    return x < 0.f || x != x ? __builtin_nanf("") : y;
}
""",
    "log1p": """\
static inline float log1p_(float x) {
    // what 1 + x loses by rounding is made good by the ratio, whose errors cancel
    float u = 1.f + x, v = u - 1.f;
    float y = log_(u) * (x / (v == 0.f ? 1.f : v));
    return v == 0.f ? x : x == __builtin_inff() || x <= -1.f ? log_(u) : y;
}
""",
    "sigmoid": """\
static inline float sigmoid_(float x) { return 1.f / (1.f + exp_(-x)); }
""",
    "softplus": """\
static inline float softplus_(float x) {
    // max(x, 0) + log(1 + e), e = e^-|x|, the logarithm as 2 artanh(d / 2), d = 2 e / (2 + e); a NaN passes by the max
    float z = -__builtin_fabsf(x), y = z < -87.33654f ? -87.33654f : z;
    float t = fma_(y, 1.44269504f, 12582912.f), n = t - 12582912.f;
    float r = fma_(n, -1.42860677e-6f, fma_(n, -0.693145752f, y));
    float u = r * r, low = fma_(0.1666652113199234f, r, 0.4999999403953552f);
    float high = fma_(0.008368710055947304f, r, 0.04166838899254799f);
    float f = fma_(fma_(u, fma_(0.0013814611593261361f, u, high), low), u, r) + 1.f;
    float e = __builtin_bit_cast(float, __builtin_bit_cast(unsigned, f) + (__builtin_bit_cast(unsigned, t) << 23));
    e = z < -87.33654f ? 0.f : e;
    float d = (e + e) / (2.f + e), w = d * d, v = w * w;
    float g = fma_(0.0005244433414191008f, w, 0.0022059858310967684f);
    float l = fma_(v, g, fma_(0.012502362951636314f, w, 0.08333329856395721f));
    return (x < 0.f ? 0.f : x) + fma_(d * w, l, d);
}
""",
    "atan2": """\
static inline float atan2_(float y, float x) {
    float p = __builtin_fabsf(y), q = __builtin_fabsf(x);
    float low = p < q ? p : q, high = p < q ? q : p;
    // 0 / 0 is 0 here and infinity / infinity is 1
    float a = high == 0.f ? 0.f : low == __builtin_inff() ? 1.f : low / high;
    float s = a * a;
    float k = -0.001793593866750598f;
    k = fma_(k, s, 0.010914481244981289f);
    k = fma_(k, s, -0.031177612021565437f);
    k = fma_(k, s, 0.05795735865831375f);
    k = fma_(k, s, -0.08403436839580536f);
    k = fma_(k, s, 0.10952181369066238f);
    k = fma_(k, s, -0.14264240860939026f);
    k = fma_(k, s, 0.19998548924922943f);
    k = fma_(k, s, -0.33333298563957214f);
    float r = fma_(a, s * k, a);
    r = p > q ? 1.57079633f - r : r;
    r = (int)__builtin_bit_cast(unsigned, x) < 0 ? 3.14159265f - r : r;
    r = __builtin_copysignf(r, y);
    return x != x || y != y ? x + y : r;
}
""",
}

DOUBLE = {
    "exp": """\
extern "C" double exp(double);
static inline double exp_(double x) { return exp(x); }
""",
    "log": """\
extern "C" double log(double);
static inline double log_(double x) { return log(x); }
""",
    "log1p": """\
extern "C" double log1p(double);
static inline double log1p_(double x) { return log1p(x); }
""",
    "sigmoid": """\
static inline double sigmoid_(double x) { return 1.0 / (1.0 + exp_(-x)); }
""",
    "softplus": """\
extern "C" double exp(double);
extern "C" double log1p(double);
static inline double softplus_(double x) {
    double y = log1p(exp(x > 0.0 ? -x : x));
    return x != x ? x : (x > 0.0 ? x : 0.0) + y;
}
""",
    "atan2": """\
extern "C" double atan2(double, double);
static inline double atan2_(double y, double x) { return atan2(y, x); }
""",
}
