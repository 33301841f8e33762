// float16, converted in blocks.
#if defined(__F16C__)
typedef short short8 __attribute__((vector_size(16), aligned(2)));
typedef float float8 __attribute__((vector_size(32), aligned(4)));
static inline void widen_half(float* out, const half* in, i64 n) {
    i64 i = 0;
    for (; i + 8 <= n; i += 8) *(float8*)(out + i) = __builtin_ia32_vcvtph2ps256(*(const short8*)(in + i));
    for (; i < n; ++i) out[i] = (float)__builtin_bit_cast(_Float16, in[i]);
}
static inline void narrow_half(half* out, const float* in, i64 n) {
    i64 i = 0;
    for (; i + 8 <= n; i += 8) *(short8*)(out + i) = __builtin_ia32_vcvtps2ph256(*(const float8*)(in + i), 0);
    for (; i < n; ++i) out[i] = __builtin_bit_cast(half, (_Float16)in[i]);
}
#else
static inline void widen_half(float* out, const half* in, i64 n) {
    for (i64 i = 0; i < n; ++i) out[i] = (float)__builtin_bit_cast(_Float16, in[i]);
}
static inline void narrow_half(half* out, const float* in, i64 n) {
    for (i64 i = 0; i < n; ++i) out[i] = __builtin_bit_cast(half, (_Float16)in[i]);
}
#endif
