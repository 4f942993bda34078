"""Small convolutional networks whose penultimate layer is a 50-dimensional embedding.

Axes: B batch, C channels, H rows, W columns, E embedding, K classes.
"""

from collections.abc import Sequence

from torch import Tensor, nn

from genlab.checks import at_least, in_range
from genlab.dropout import Dropout

IMAGE_SHAPE = (1, 28, 28)


class EmbeddingNet(nn.Module):
    """Images (B, 1, 28, 28) in [0, 1] to an embedding (B, ``embedding_dim``) and logits (B, ``num_classes``).

    The embedding is normalised (about mean 0 and variance 1 a dimension over real images, by a batch norm without
    scale and shift) and the logits are linear in it: what separates digits is in it, and a Gaussian can be
    matched to it. ``layers`` end in ``width`` numbers an image. Raises ``ValueError`` for sizes below 1 and a
    ``dropout`` outside [0, 1).
    """

    def __init__(
        self, layers: Sequence[nn.Module], width: int, num_classes: int, embedding_dim: int, dropout: float
    ) -> None:
        super().__init__()
        at_least("num_classes", num_classes, 1, "data.dataset")
        at_least("embedding_dim", embedding_dim, 1, "model.embedding_dim")
        share = in_range("dropout", dropout, 0, 1, "model.dropout", high_open=True)
        self.body = nn.Sequential(
            *layers,
            Dropout(share),
            nn.Linear(width, embedding_dim),
            nn.BatchNorm1d(embedding_dim, affine=False),
        )
        self.head = nn.Linear(embedding_dim, num_classes)

    def embed(self, x_BCHW: Tensor) -> Tensor:
        """The embedding (B, E)."""
        e_BE: Tensor = self.body(x_BCHW)
        return e_BE

    def forward(self, x_BCHW: Tensor) -> Tensor:
        """The logits (B, K)."""
        logits_BK: Tensor = self.head(self.embed(x_BCHW))
        return logits_BK


class DigitNet(EmbeddingNet):
    """Four convolutions, batch norm after each, and three poolings; sizes and errors as of :class:`EmbeddingNet`."""

    def __init__(self, num_classes: int = 10, embedding_dim: int = 50, dropout: float = 0.0) -> None:
        layers = [
            *_block(1, 32, 5),
            nn.MaxPool2d(2),
            *_block(32, 64, 3),
            *_block(64, 64, 3),
            nn.MaxPool2d(2),
            *_block(64, 128, 3),
            nn.MaxPool2d(2),
            nn.Flatten(),
        ]
        super().__init__(layers, 128 * 3 * 3, num_classes, embedding_dim, dropout)


class LeNet(EmbeddingNet):
    """Two 5x5 convolutions, as LeNet-5 has them (LeCun et al. 1998) but wider, and nothing normalised within.

    Another pair of eyes than :class:`DigitNet`: what both see is not the habit of one architecture.
    """

    def __init__(self, num_classes: int = 10, embedding_dim: int = 50, dropout: float = 0.0) -> None:
        layers = [
            nn.Conv2d(1, 16, 5, padding=2),
            nn.ReLU(),
            nn.MaxPool2d(2),
            nn.Conv2d(16, 32, 5),
            nn.ReLU(),
            nn.MaxPool2d(2),
            nn.Flatten(),
            nn.Linear(32 * 5 * 5, 120),
            nn.ReLU(),
        ]
        super().__init__(layers, 120, num_classes, embedding_dim, dropout)


NETS = {"digit_net": DigitNet, "lenet": LeNet}
"""The architectures by name."""


def _block(before: int, after: int, width: int) -> list[nn.Module]:
    return [
        nn.Conv2d(before, after, width, padding=width // 2, bias=False),
        nn.BatchNorm2d(after),
        nn.ReLU(inplace=True),
    ]
