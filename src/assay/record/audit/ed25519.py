"""Signatures of Ed25519 verified with nothing but Python (RFC 8032, section 5.1.7). It cannot sign.

Strict: S below the order of the group, points in their one encoding and on the curve, no key of small order, and the
equation without cofactor. Nothing secret is handled, so that nothing has to take the same time. An audit bundle carries
this file, so it imports only the standard library. About 5 ms a signature.
"""

import hashlib

__all__ = ["is_signed"]

Point = tuple[int, int, int, int]  # X, Y, Z, T with x = X/Z, y = Y/Z, xy = T/Z

P = 2**255 - 19
ORDER = 2**252 + 27742317777372353535851937790883648493
D = -121665 * pow(121666, -1, P) % P
ROOT_OF_MINUS_ONE = pow(2, (P - 1) // 4, P)
NEUTRAL: Point = (0, 1, 1, 0)


def is_signed(public_key: bytes, message: bytes, signature: bytes) -> bool:
    """Whether the private half of the key signed exactly this message; False for what is no key or signature."""
    if len(public_key) != 32 or len(signature) != 64:
        return False
    key = _point(public_key)
    scalar = int.from_bytes(signature[32:], "little")
    if key is None or scalar >= ORDER or _encoded(_times(8, key)) == _encoded(NEUTRAL):
        return False
    challenge = int.from_bytes(hashlib.sha512(signature[:32] + public_key + message).digest(), "little") % ORDER
    x, y, z, t = key
    found = _add(_times(scalar, BASE), _times(challenge, (P - x, y, z, P - t)))  # [S]B - [k]A has to be R
    return _encoded(found) == signature[:32]


def _point(encoded: bytes) -> Point | None:
    """The point, or None where the 32 bytes are not the encoding of one (section 5.1.3)."""
    y = int.from_bytes(encoded, "little")
    odd, y = y >> 255, y & ((1 << 255) - 1)
    if y >= P:
        return None
    square = (y * y - 1) * pow(D * y * y + 1, -1, P) % P
    x = pow(square, (P + 3) // 8, P)
    if (x * x - square) % P:
        x = x * ROOT_OF_MINUS_ONE % P
    if (x * x - square) % P or (x == 0 and odd):
        return None
    x = x if x & 1 == odd else P - x
    return x, y, 1, x * y % P


def _encoded(point: Point) -> bytes:
    x, y, z, _ = point
    inverse = pow(z, -1, P)
    return (y * inverse % P | (x * inverse % P & 1) << 255).to_bytes(32, "little")


def _add(one: Point, other: Point) -> Point:
    """The sum of any two points (section 5.1.4): the formulas hold for equal ones as well."""
    a = (one[1] - one[0]) * (other[1] - other[0]) % P
    b = (one[1] + one[0]) * (other[1] + other[0]) % P
    c = 2 * one[3] * other[3] * D % P
    d = 2 * one[2] * other[2] % P
    e, f, g, h = b - a, d - c, d + c, b + a
    return e * f % P, g * h % P, f * g % P, e * h % P


def _times(number: int, point: Point) -> Point:
    total = NEUTRAL
    while number:
        if number & 1:
            total = _add(total, point)
        point, number = _add(point, point), number >> 1
    return total


def _base() -> Point:
    found = _point((4 * pow(5, -1, P) % P).to_bytes(32, "little"))
    assert found is not None
    return found


BASE = _base()
