"""Generator and discriminator of the DCGAN (Radford et al. 2016, https://arxiv.org/abs/1511.06434) for 1x28x28 images.

Axes: B batch, C channels, H rows, W columns, Z latent.
"""

from itertools import pairwise

from torch import Tensor, nn

from genlab.channels_last import Flatten, Unflatten
from genlab.checks import at_least, in_range, one_of, refuse
from genlab.dropout import Dropout
from genlab.transposed_convolution import ConvTranspose2d

INITS = ("normal", "xavier")
IMAGE_SHAPE = (1, 28, 28)
NORMAL_STD = 0.02  # the paper's figure is a standard deviation


class Generator(nn.Module):
    """Noise (B, ``latent_dim``) to images (B, 1, 28, 28) in [-1, 1].

    With ``num_layers`` 3 transposed convolutions the noise becomes 128 maps of 7x7, with 4 of them 128 of 4x4.
    Raises ``ValueError`` for another ``num_layers``, a latent below 1 or an unknown ``init``.
    """

    def __init__(self, latent_dim: int = 100, num_layers: int = 3, init: str = "normal") -> None:
        super().__init__()
        self.latent_dim = at_least("latent_dim", latent_dim, 1, "model.latent_dim")
        _three_or_four(num_layers, "model.generator.num_layers")
        side = 7 if num_layers == 3 else 4
        layers: list[nn.Module] = [
            nn.Linear(latent_dim, 128 * side * side),
            Unflatten(1, (128, side, side)),
            nn.BatchNorm2d(128),
        ]
        if num_layers == 4:
            layers += [ConvTranspose2d(128, 128, 3, stride=2, padding=1), nn.BatchNorm2d(128), nn.ReLU(inplace=True)]
        layers += [ConvTranspose2d(128, 64, 4, stride=2, padding=1), nn.BatchNorm2d(64), nn.ReLU(inplace=True)]
        layers += [ConvTranspose2d(64, 64, 4, stride=2, padding=1), nn.BatchNorm2d(64), nn.ReLU(inplace=True)]
        layers += [ConvTranspose2d(64, 1, 3, stride=1, padding=1), nn.Tanh()]
        self.layers = nn.Sequential(*layers)
        initialise(self, init)

    def forward(self, z_BZ: Tensor) -> Tensor:
        """The images (B, 1, 28, 28) that the noise stands for."""
        x_BCHW: Tensor = self.layers(z_BZ)
        return x_BCHW


class Discriminator(nn.Module):
    """Images (B, 1, 28, 28) in [-1, 1] to logits (B,): above zero for real ones.

    ``num_layers`` convolutions, 3 or 4, 3x3 with stride 2, each followed by LeakyReLU(0.2), dropout and batch norm.
    ``in_channels`` counts the image and what is shown beside it; the logit is linear in ``feature_dim`` numbers.
    Raises ``ValueError`` for another ``num_layers``, a ``dropout`` outside [0, 1) or an unknown ``init``.
    """

    def __init__(self, num_layers: int = 4, dropout: float = 0.0, init: str = "normal", in_channels: int = 1) -> None:
        super().__init__()
        _three_or_four(num_layers, "model.discriminator.num_layers")
        share = in_range("dropout", dropout, 0, 1, "model.dropout", high_open=True)
        channels = [at_least("in_channels", in_channels, 1, "model.design"), 16, 32, 64, 128][: num_layers + 1]
        layers: list[nn.Module] = []
        for before, after in pairwise(channels):
            layers += [nn.Conv2d(before, after, 3, stride=2, padding=1), nn.LeakyReLU(0.2)]
            layers += [Dropout(share), nn.BatchNorm2d(after)]
        side = 4 if num_layers == 3 else 2
        self.feature_dim = channels[-1] * side * side
        self.layers = nn.Sequential(*layers, Flatten(), nn.Linear(self.feature_dim, 1))
        initialise(self, init)

    def forward(self, x_BCHW: Tensor) -> Tensor:
        """The logits (B,)."""
        return self.logits(self.features(x_BCHW))

    def features(self, x_BCHW: Tensor) -> Tensor:
        """What the last layer is given (B, ``feature_dim``)."""
        features_BD: Tensor = self.layers[:-1](x_BCHW)
        return features_BD

    def logits(self, features_BD: Tensor) -> Tensor:
        """The logits (B,) of features."""
        logits_B1: Tensor = self.layers[-1](features_BD)
        return logits_B1[:, 0]


def initialise(net: nn.Module, init: str) -> None:
    """Draw the weights of every convolution and linear layer anew, and zero their biases.

    ``normal`` is N(0, 0.02), 0.02 being the standard deviation (Radford et al. 2016); ``xavier`` is uniform after
    Glorot and Bengio 2010. Batch norms start at scale 1 and shift 0. Raises ``ValueError`` for another name.
    """
    one_of("init", init, INITS, "model.init")
    for layer in net.modules():
        if isinstance(layer, nn.Linear | nn.Conv2d | nn.ConvTranspose2d):
            if init == "normal":
                nn.init.normal_(layer.weight, 0.0, NORMAL_STD)
            else:
                nn.init.xavier_uniform_(layer.weight)
            assert layer.bias is not None
            nn.init.zeros_(layer.bias)


def _three_or_four(num_layers: object, path: str) -> None:
    if not isinstance(num_layers, int) or num_layers not in (3, 4):
        raise refuse("num_layers", "be 3 or 4", num_layers, path)
