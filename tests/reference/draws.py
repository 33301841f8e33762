"""The random numbers that depend on where and when they are drawn, written out for one entry after another."""

import math

import numpy as np

WORD = 2**32


def mixed(x):
    """Wellons' lowbias32."""
    x ^= x >> 16
    x = x * 0x7FEB352D % WORD
    x ^= x >> 15
    x = x * 0x846CA68B % WORD
    return x ^ x >> 16


def key(index, turn):
    return mixed((mixed((mixed(0) + index) % WORD) + turn) % WORD)


def crc32(word):
    """The checksum of Ethernet and zlib, a bit at a time."""
    found = WORD - 1
    for byte in word:
        found ^= byte
        for _ in range(8):
            found = found >> 1 ^ (0xEDB88320 if found & 1 else 0)
    return found ^ WORD - 1


def bits(at, size):
    return [mixed((place * 0x9E3779B9 + at) % WORD) for place in range(size)]


def normal(at, shape):
    size = math.prod(shape)
    radius, angle = (bits(at ^ crc32(word), size) for word in (b"radius", b"angle"))
    lengths = [math.sqrt(-2 * math.log((one + 0.5) / WORD)) for one in radius]
    return np.array([r * math.cos(2 * math.pi * one / WORD) for r, one in zip(lengths, angle)]).reshape(shape)
