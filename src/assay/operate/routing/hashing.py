"""Hashes of units, and how weights divide what they give: the same on every machine, for ever.

A split keeps the name of its scheme, since another one would move all units.

* `murmur3`: flagd's fractional evaluation, version 2: murmur3_x86_32("{salt}:{unit}", seed 0), 2^32 buckets. Variant i
  is the first whose cumulative weight exceeds (bucket · total) >> 32: whole numbers only.
* `gb_v2`: GrowthBook, version 2: fnv1a32(str(fnv1a32(salt + unit))) modulo 10,000. `gb_v1`: fnv1a32(unit + salt) modulo
  1,000. Variant i is the first whose cumulative share, a sum of floats as there, is above bucket / buckets. A test of
  GrowthBook goes on with the same variants if all units take part: there a coverage cuts the share of each variant
  short, here a hash of its own says who takes part. Namespaces and sticky buckets are not taken over.
"""

import math
from collections.abc import Callable, Sequence

import mmh3

from assay.errors import InvalidInput, nearest
from assay.record.models.routes import HashVersion

__all__ = ["BUCKETS", "HIGHEST_TOTAL", "bounds", "fnv1a32", "hasher", "part_bound", "scheme_of"]

BUCKETS: dict[HashVersion, int] = {"murmur3": 2**32, "gb_v1": 1_000, "gb_v2": 10_000}
HIGHEST_TOTAL = 2**31 - 1  # of weights


def scheme_of(said: str) -> HashVersion:
    """The scheme of that name; InvalidInput, with the nearest right spelling, where there is none."""
    for scheme in BUCKETS:
        if scheme == said:
            return scheme
    raise _unknown(said)


def hasher(hash_version: HashVersion, salt: str) -> Callable[[str], int]:
    """A function from a unit to its bucket, 0 to `BUCKETS[hash_version]` - 1. InvalidInput for an unknown scheme."""
    if hash_version == "murmur3":
        prefix = _octets(f"{salt}:")
        hashed = mmh3.hash

        # Encoded here, because mmh3 5.3 crashes the interpreter on a string with a lone surrogate.
        def murmur3(unit: str) -> int:
            return hashed(prefix + unit.encode("utf-8", "surrogatepass"), 0, False)

        return murmur3
    if hash_version == "gb_v1":
        return lambda unit: fnv1a32(unit + salt) % 1_000
    if hash_version == "gb_v2":
        return lambda unit: fnv1a32(str(fnv1a32(salt + unit))) % 10_000
    raise _unknown(hash_version)


def bounds(hash_version: HashVersion, weights: Sequence[int]) -> list[int]:
    """For each variant the first bucket that is beyond it: a unit has the variant `bisect_right(bounds, bucket)`.

    A weight below 0 counts as 0. Where all are 0 nobody has a variant: the bounds are 0, and the position is the number
    of variants. InvalidInput for a total above 2^31 - 1.
    """
    weights = [max(weight, 0) for weight in weights]
    total = sum(weights)
    if total > HIGHEST_TOTAL:
        raise InvalidInput(f"the weights add up to {total}", expected=f"at most {HIGHEST_TOTAL}")
    if hash_version not in BUCKETS:
        raise _unknown(hash_version)
    found, whole, share = [], 0, 0.0
    for weight in weights:
        whole += weight
        share += weight / total if total else 0.0
        if hash_version == "murmur3":
            found.append(-(-(whole << 32) // total) if total else 0)
        else:
            found.append(_first_at_or_above(share, BUCKETS[hash_version]))
    return found


def part_bound(hash_version: HashVersion, part: int, whole: int) -> int:
    """The first bucket that is beyond `part` of `whole`, counted from bucket 0; it grows with the part."""
    return -(-part * BUCKETS[hash_version] // whole)


def fnv1a32(text: str) -> int:
    """FNV-1a of 32 bits over code points, as GrowthBook's Python client computes it."""
    state = 0x811C9DC5
    for character in text:
        state = (state ^ ord(character)) * 0x01000193 & 0xFFFFFFFF
    return state


def _first_at_or_above(share: float, buckets: int) -> int:
    """The lowest k with k / buckets >= share, in the arithmetic of floats."""
    found = math.ceil(share * buckets)
    while found > 0 and (found - 1) / buckets >= share:
        found -= 1
    while found / buckets < share:
        found += 1
    return found


def _octets(text: str) -> bytes:
    return text.encode("utf-8", "surrogatepass")


def _unknown(hash_version: str) -> InvalidInput:
    close = nearest(hash_version, [*BUCKETS])
    return InvalidInput(
        f"there is no hash {hash_version!r}",
        expected=", ".join(BUCKETS),
        hint=f"did you mean {close!r}?" if close else None,
    )
