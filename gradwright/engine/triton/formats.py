"""What Triton kernels call to read and write other formats than plain ones; ``core`` has their definitions.

Numbers that share a scale lie side by side in a block, a group begins where a multiple of 32 does, and what is outside
of the tensor is 0.
"""

from __future__ import annotations

FORMATS = """

@triton.jit
def mixed(x):
    x = (x ^ (x >> 16)) * 0x7FEB352D
    x = (x ^ (x >> 15)) * 0x846CA68B
    return x ^ (x >> 16)


@triton.jit
def drawn(key, place):
    # random bits of an entry: a hash of its tensor's key and its place
    return mixed(place.to(tl.uint32) * 0x9E3779B9 + key)


@triton.jit
def uniform(key, place):
    # a multiple of 2**-24
    return (drawn(key, place) >> 8).to(tl.float32) * 5.9604644775390625e-08


@triton.jit
def below(x):
    # the whole number at x or below, of less than 2**31; a GPU's own takes the smallest numbers for 0
    whole = x.to(tl.int32).to(tl.float32)
    return tl.where(whole > x, whole - 1.0, whole)


@triton.jit
def of_group(s, x):
    # a number of each group, for each of its entries
    return tl.reshape(tl.broadcast_to(s[:, None], [x.numel // GROUP, GROUP]), x.shape)


@triton.jit
def largest_of(x):
    # the bits of the largest magnitude of each group, which order numbers, infinity and NaN
    magnitudes = x.to(tl.int32, bitcast=True) & 0x7FFFFFFF
    return tl.max(tl.reshape(magnitudes, [x.numel // GROUP, GROUP]), 1)


@triton.jit
def scale_of(largest):
    # bfloat16, away from zero; zero where there is no reciprocal, NaN where there is one inside
    upper = ((largest + 0xFFFF) >> 16) << 16
    upper = tl.where(largest < 0x00800000, 0, tl.where(largest > 0x7F800000, 0x7FC00000, upper))
    return upper.to(tl.float32, bitcast=True)


@triton.jit
def kept(scale):
    # the upper half of its bits, which is all there is
    return (scale.to(tl.uint32, bitcast=True) >> 16).to(tl.uint16)


@triton.jit
def widened(scale):
    return (scale.to(tl.uint32) << 16).to(tl.float32, bitcast=True)


@triton.jit
def reciprocal(scale):
    return tl.div_rn(tl.full(scale.shape, 1.0, tl.float32), scale)


@triton.jit
def is_reciprocal(inverse):
    return (inverse > 0) & (inverse < float("inf"))


@triton.jit
def widen_companded(code, scale):
    c = code.to(tl.float32)
    return tl.div_rn(c, 254.0 - tl.abs(c)) * of_group(widened(scale), c)


@triton.jit
def narrow_companded(x, key, place):
    scale = scale_of(largest_of(x))
    inverse = of_group(reciprocal(scale), x)
    r = tl.abs(x) * inverse
    a = tl.where(r < 1.0, r, 1.0)
    low = below(tl.div_rn(254.0 * a, 1.0 + a))
    above = (a * (254.0 - low) - low) * (253.0 - low)
    code = low.to(tl.int32) + (uniform(key, place) * 254.0 < above).to(tl.int32)
    code = tl.where(x < 0, -code, code)
    return tl.where(is_reciprocal(inverse), code, 0).to(tl.int8), kept(scale)


@triton.jit
def widen_square(code, scale):
    c = code.to(tl.float32)
    r = c * of_group(widened(scale) * (1.0 / 255.0), c)
    return r * r


@triton.jit
def narrow_square(x, key, place):
    root = tl.sqrt_rn(largest_of(x).to(tl.float32, bitcast=True))
    scale = scale_of(root.to(tl.int32, bitcast=True) & 0x7FFFFFFF)
    inverse = of_group(reciprocal(scale), x)
    r = tl.sqrt_rn(tl.where(x > 0, x, 0.0)) * inverse
    t = tl.where(r < 1.0, r, 1.0) * 255.0
    low = below(t)
    code = low.to(tl.int32) + (uniform(key, place) * (2.0 * low + 1.0) < t * t - low * low).to(tl.int32)
    code = tl.where(x > 0, tl.where(code < 1, 1, code), 0)
    return tl.where(is_reciprocal(inverse), code, 0).to(tl.uint8), kept(scale)


@triton.jit
def exponent_of(x):
    return x.to(tl.int32, bitcast=True) & 0x7F800000


@triton.jit
def power_of(exponent, SMALLEST: tl.constexpr):
    return tl.where(exponent > SMALLEST, exponent, SMALLEST).to(tl.float32, bitcast=True)


@triton.jit
def with_low(half, low, FACTOR: tl.constexpr, SMALLEST: tl.constexpr):
    x = half.to(tl.float32)
    exponent = exponent_of(x)
    whole = x + low.to(tl.float32) * (1.0 / FACTOR) * power_of(exponent, SMALLEST)
    return tl.where(exponent < 0x7F800000, whole, x)


@triton.jit
def low_of(x, half, FACTOR: tl.constexpr, SMALLEST: tl.constexpr):
    h = half.to(tl.float32)
    exponent = exponent_of(h)
    away = tl.div_rn(x - h, power_of(exponent, SMALLEST)) * FACTOR
    whole = (exponent < 0x7F800000) & (tl.abs(away) < float("inf"))
    away = tl.where(whole, tl.where(away > 127.0, 127.0, tl.where(away < -127.0, -127.0, away)), 0.0)
    # to nearest even: the sum has no place for halves
    return ((away + 12582912.0) - 12582912.0).to(tl.int32).to(tl.int8)


@triton.jit
def widen_split24(half, low):
    return with_low(half, low, 32512.0, 0x00800000)


@triton.jit
def narrow_split24(x):
    half = bfloat16(x)
    return half, low_of(x, half, 32512.0, 0x00800000)


@triton.jit
def widen_split24_half(half, low):
    return with_low(half, low, 260096.0, 0x38800000)


@triton.jit
def narrow_split24_half(x):
    half = x.to(tl.float16)
    return half, low_of(x, half, 260096.0, 0x38800000)


@triton.jit
def widen_split32(half, low):
    b = half.to(tl.float32).to(tl.int32, bitcast=True) + low.to(tl.int32)
    return b.to(tl.float32, bitcast=True)


@triton.jit
def narrow_split32(x):
    b = x.to(tl.uint32, bitcast=True)
    upper = tl.where(x != x, 0x7FC00000, (b + 0x8000) & 0xFFFF0000)
    low = tl.where(x != x, 0, b - upper)
    return (upper >> 16).to(tl.uint16).to(tl.bfloat16, bitcast=True), low.to(tl.int32, bitcast=True).to(tl.int16)


@triton.jit
def narrow_drawn(x, key, place):
    b = x.to(tl.uint32, bitcast=True) + (drawn(key, place) >> 16)
    b = tl.where(x != x, 0x7FC00000, b)
    return (b >> 16).to(tl.uint16).to(tl.bfloat16, bitcast=True)


@triton.jit
def narrow_drawn_half(x, key, place):
    # thirteen bits are below the cut, and ten above it behind the first
    power = power_of(exponent_of(x), 0x38800000)
    bits = (drawn(key, place) >> 19).to(tl.float32) * 0.0001220703125
    y = below(tl.div_rn(x, power) * 1024.0 + bits) * 0.0009765625 * power
    return tl.where(tl.abs(x) < float("inf"), y, x).to(tl.float16)
"""
