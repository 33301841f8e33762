// What every kernel begins with: types, bfloat16, and the larger and smaller of two numbers.
typedef long long i64;
typedef unsigned short bf16;
typedef unsigned short half;
extern "C" int omp_get_thread_num(void);
extern "C" int omp_get_num_threads(void);
static inline float widen(bf16 x) { return __builtin_bit_cast(float, (unsigned)x << 16); }
static inline bf16 narrow(float x) {
    unsigned b = __builtin_bit_cast(unsigned, x);
    unsigned r = (b + 0x7fffu + ((b >> 16) & 1u)) >> 16;
    return (bf16)(x != x ? 0x7fc0u : r);
}
// A NaN of either is kept. Written with || the comparisons become branches, and no loop around them is vectorised.
template <class T> static inline T larger(T x, T y) { const T z = x <= y ? y : x; return y != y ? y : z; }
template <class T> static inline T smaller(T x, T y) { const T z = x >= y ? y : x; return y != y ? y : z; }
