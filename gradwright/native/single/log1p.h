static inline float log1p_(float x) {
    // what 1 + x loses by rounding is made good by the ratio, whose errors cancel
    float u = 1.f + x, v = u - 1.f;
    float y = log_(u) * (x / (v == 0.f ? 1.f : v));
    return v == 0.f ? x : x == __builtin_inff() || x <= -1.f ? log_(u) : y;
}
