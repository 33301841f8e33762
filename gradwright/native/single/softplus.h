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
