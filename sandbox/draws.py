"""Draws that are a function of the seed and what they are for: the same in every process and on every machine."""

import hashlib


def draw(seed: int, *names: object) -> int:
    """64 bits of a hash of the seed and the names."""
    return int.from_bytes(hashlib.sha256("/".join(map(str, (seed, *names))).encode()).digest()[:8])


def uniform(seed: int, *names: object) -> float:
    """A number in [0, 1)."""
    return (draw(seed, *names) >> 11) / 2.0**53
