"""Keeping freed memory within the process, where the C library is glibc.

By default glibc gives the memory of every large tensor back to the kernel as soon as it is freed; a training step that
frees and takes the same megabytes again then spends much of its time on fresh pages.
"""

import ctypes
import platform

# The parameters of mallopt (3), as malloc.h numbers them.
TRIM_THRESHOLD, TOP_PAD, MMAP_MAX = -1, -2, -4
PAD = 256 << 20  # bytes asked of the kernel at a time


def keep_freed_memory() -> bool:
    """Tell glibc to serve every request from its heap and never to trim that; whether there is a glibc to tell."""
    if platform.libc_ver()[0] != "glibc":
        return False
    mallopt = ctypes.CDLL(None).mallopt
    return all(mallopt(parameter, value) for parameter, value in ((MMAP_MAX, 0), (TRIM_THRESHOLD, -1), (TOP_PAD, PAD)))
