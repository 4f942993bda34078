"""scikit-learn's bundled handwritten digits (8x8) in the size of MNIST's: small, always there, and not MNIST."""

import numpy as np
from numpy.typing import NDArray

SIZE = 28
TEST_SHARE = 0.2
_SEED = 0
_WHITE = 16  # the largest value in the bundled images

Uint8 = NDArray[np.uint8]
Int64 = NDArray[np.int64]


def load_small() -> tuple[Uint8, Int64, str]:
    """The bundled images (1797, 8, 8) with values 0 to 16, their labels, and where they come from."""
    import sklearn  # here, for it takes a while to load and few need it
    from sklearn.datasets import load_digits

    bundled = load_digits()
    images = bundled.images.astype(np.uint8)
    return images, bundled.target.astype(np.int64), f"sklearn.datasets.load_digits (scikit-learn {sklearn.__version__})"


def enlarge(images: Uint8, size: int = SIZE) -> Uint8:
    """Images (N, h, w) of values 0 to 16 as (N, size, size) of 0 to 255: bilinear, pixels as squares."""
    rows, columns = (_bilinear(length, size) for length in images.shape[1:])
    resized = rows @ images @ columns.T * (255 / _WHITE) / (2 * size) ** 2
    return np.rint(resized).astype(np.uint8)


def split_off_test(labels: Int64, share: float = TEST_SHARE, seed: int = _SEED) -> tuple[Int64, Int64]:
    """Indices of the training and of the test set, each ascending: ``share`` of every class goes to the test set.

    ``RandomState``, for NumPy promises that its numbers stay what they are.
    """
    random = np.random.RandomState(seed)
    test = []
    for label in np.unique(labels):
        members = random.permutation(np.flatnonzero(labels == label))
        test.append(members[: round(share * len(members))])
    chosen = np.sort(np.concatenate(test))
    return np.setdiff1d(np.arange(len(labels)), chosen), chosen


def _bilinear(length: int, size: int) -> NDArray[np.float64]:
    """The matrix (size, length) that interpolates between the centres of pixels, the edges held, times 2 ``size``.

    Its entries are whole numbers, so that sums are exact and ties are rounded alike on every machine.
    """
    centres = np.clip((2 * np.arange(size) + 1) * length - size, 0, 2 * size * (length - 1))
    distances = np.abs(centres[:, None] - 2 * size * np.arange(length))
    weights: NDArray[np.float64] = np.maximum(0, 2 * size - distances).astype(np.float64)
    return weights
