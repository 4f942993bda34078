"""IDX files: what is whole is read to the value, what is not is refused with its name."""

from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays
from numpy.typing import NDArray

from genlab.datasets.idx import read_idx

HEADER = bytes([0, 0, 0x08, 2, 0, 0, 0, 2, 0, 0, 0, 3])
CODES = {"u1": 0x08, "i1": 0x09, "i2": 0x0B, "i4": 0x0C, "f4": 0x0D, "f8": 0x0E}


def written(values: NDArray[Any]) -> bytes:
    kind = values.dtype.str[1:]
    sizes = np.array(values.shape, ">u4").tobytes()
    return bytes([0, 0, CODES[kind], values.ndim]) + sizes + values.astype(f">{kind}").tobytes()


def refused(content: bytes) -> str:
    with pytest.raises(ValueError, match=r"^`some/file` must ") as error:
        read_idx(content, "some/file")
    message = str(error.value)
    assert "\n" not in message
    assert message.endswith("(data.root)")
    return message


def test_a_known_file_has_known_values() -> None:
    values = read_idx(HEADER + bytes([1, 2, 3, 250, 251, 252]), "x")
    assert values.dtype == np.uint8
    np.testing.assert_array_equal(values, [[1, 2, 3], [250, 251, 252]])


def test_values_of_several_bytes_are_big_endian() -> None:
    values = read_idx(bytes([0, 0, 0x0C, 1, 0, 0, 0, 2, 0, 0, 1, 2, 255, 255, 255, 254]), "x")
    assert values.dtype == np.dtype(np.int32)
    assert values.dtype.isnative
    assert values.tolist() == [258, -2]


@given(
    st.sampled_from(list(CODES)).flatmap(
        lambda kind: arrays.arrays(kind, arrays.array_shapes(max_dims=4, max_side=5)),
    ),
    st.sampled_from([bytes, bytearray]),
)
def test_what_is_written_is_read(values: NDArray[Any], kind: type) -> None:
    got = read_idx(kind(written(values)), "x")
    assert got.dtype == values.dtype
    np.testing.assert_array_equal(got, values)
    assert got.flags.writeable


def test_bytes_are_copied() -> None:
    content = HEADER + bytes(6)
    read_idx(content, "x")[:] = 7
    assert content == HEADER + bytes(6)


@pytest.mark.parametrize("length", range(len(HEADER) + 6))
def test_every_truncation_is_refused(length: int) -> None:
    message = refused((HEADER + bytes(6))[:length])
    if length >= len(HEADER):
        assert "be 18 bytes long, as its header of 2 x 3 uint8 says (it is cut off)" in message
        assert f"got {length} " in message
    elif length >= 4:
        assert "a header of 12 bytes for its 2 dimensions (it is cut off)" in message


def test_bytes_left_over_are_refused() -> None:
    assert "(it goes on after its end); got 19 " in refused(HEADER + bytes(7))


@pytest.mark.parametrize("magic", [b"\x1f\x8b\x08\x02", b"\0\1\x08\x02", b"\1\0\x08\x02"])
def test_another_magic_number_is_refused(magic: bytes) -> None:
    assert f"got '{magic.hex()}'" in refused(magic + HEADER[4:] + bytes(6))


@pytest.mark.parametrize("code", [0, 7, 0x0A, 0x0F, 255])
def test_an_unknown_type_is_refused(code: int) -> None:
    message = refused(bytes([0, 0, code, 2]) + HEADER[4:] + bytes(6))
    assert "among 0x08, 0x09, 0x0b, 0x0c, 0x0d, 0x0e" in message
    assert f"0x{code:02x}'" in message


@pytest.mark.parametrize("count", [0, 9, 255])
def test_no_dimension_or_very_many_are_refused(count: int) -> None:
    assert f"have 1 to 8 dimensions; got {count} " in refused(
        bytes([0, 0, 8, count]) + bytes([0, 0, 0, 1] * count) + b"x"
    )


@pytest.mark.parametrize("shape", [(0, 3), (2, 0)])
def test_an_empty_dimension_is_refused(shape: tuple[int, int]) -> None:
    assert f"got {shape}" in refused(written(np.zeros(shape, np.uint8)))


def test_sizes_beyond_any_memory_are_refused_without_trying() -> None:
    sizes = bytes([255] * 12)
    assert f"be {(2**32 - 1) ** 3 * 8 + 16} bytes long" in refused(bytes([0, 0, 0x0E, 3]) + sizes + bytes(100))
