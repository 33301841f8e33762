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
