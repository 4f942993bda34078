"""The IDX format of MNIST's raw files: two zero bytes, a type code, the sizes, then the values, all big-endian."""

import math
from typing import Any

import numpy as np
from numpy.typing import NDArray

from genlab.checks import refuse

_TYPES = {0x08: ">u1", 0x09: ">i1", 0x0B: ">i2", 0x0C: ">i4", 0x0D: ">f4", 0x0E: ">f8"}
_MOST_DIMENSIONS = 8  # MNIST and its kin have at most 3
_FIELD = "data.root"


def read_idx(content: bytes | bytearray, source: str) -> NDArray[Any]:
    """The array in ``content``, the bytes of one IDX file, in this machine's byte order; it can be written to.

    It is a copy, but that single bytes in a ``bytearray`` stay where they are. ``source`` is the file's name, for
    messages. Raises ``ValueError`` for anything but one whole array: another magic number, an unknown type code,
    no dimension or an empty one, bytes that are missing or left over.
    """
    kind, shape = _header(content, source)
    start = 4 + 4 * len(shape)
    expected = start + math.prod(shape) * kind.itemsize
    if len(content) != expected:
        what = "is cut off" if len(content) < expected else "goes on after its end"
        sizes = " x ".join(map(str, shape))
        rule = f"be {expected} bytes long, as its header of {sizes} {kind.name} says (it {what})"
        raise refuse(source, rule, len(content), _FIELD)
    values = np.frombuffer(content, kind, offset=start).reshape(shape)
    return values.astype(kind.newbyteorder("="), copy=not values.flags.writeable)


def _header(content: bytes | bytearray, source: str) -> tuple[np.dtype[Any], tuple[int, ...]]:
    """The type of the values and the size of each dimension."""
    magic = content[:4]
    if len(magic) < 4 or magic[:2] != b"\0\0":
        raise refuse(source, "begin with an IDX magic number (two zero bytes, type, dimensions)", magic.hex(), _FIELD)
    if magic[2] not in _TYPES:
        known = ", ".join(f"0x{code:02x}" for code in _TYPES)
        raise refuse(source, f"have an IDX type code among {known}", f"0x{magic[2]:02x}", _FIELD)
    count = magic[3]
    if not 1 <= count <= _MOST_DIMENSIONS:
        raise refuse(source, f"have 1 to {_MOST_DIMENSIONS} dimensions", count, _FIELD)
    sizes = content[4 : 4 + 4 * count]
    if len(sizes) < 4 * count:
        rule = f"have a header of {4 + 4 * count} bytes for its {count} dimensions (it is cut off)"
        raise refuse(source, rule, len(content), _FIELD)
    shape = tuple(int.from_bytes(sizes[start : start + 4], "big") for start in range(0, len(sizes), 4))
    if 0 in shape:
        raise refuse(source, "have no empty dimension", shape, _FIELD)
    return np.dtype(_TYPES[magic[2]]), shape
