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
