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
