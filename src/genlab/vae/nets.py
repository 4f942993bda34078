"""Encoder and decoder of the variational autoencoder for 1x28x28 images.

Axes: B batch, C channels, H rows, W columns, Z latent.
"""

from torch import Tensor, nn

from genlab.channels_last import Flatten, Unflatten
from genlab.checks import at_least
from genlab.transposed_convolution import ConvTranspose2d

IMAGE_SHAPE = (1, 28, 28)


class Encoder(nn.Module):
    """Images (B, 1, 28, 28) in [0, 1] to the mean and log-variance, each (B, ``latent_dim``), of q(z | x).

    Raises ``ValueError`` for a latent below 1.
    """

    def __init__(self, latent_dim: int = 2) -> None:
        super().__init__()
        at_least("latent_dim", latent_dim, 1, "model.latent_dim")
        self.body = nn.Sequential(
            *[nn.Conv2d(1, 64, 3, stride=1, padding=1), nn.ReLU(inplace=True), nn.BatchNorm2d(64)],
            *[nn.Conv2d(64, 64, 3, stride=2, padding=1), nn.ReLU(inplace=True), nn.BatchNorm2d(64)],
            *[nn.Conv2d(64, 128, 3, stride=2, padding=1), nn.ReLU(inplace=True), nn.BatchNorm2d(128)],
            *[Flatten(), nn.Linear(128 * 7 * 7, 100), nn.ReLU(inplace=True)],
        )
        self.mu = nn.Linear(100, latent_dim)
        self.logvar = nn.Linear(100, latent_dim)

    def forward(self, x_BCHW: Tensor) -> tuple[Tensor, Tensor]:
        """Mean and log-variance (B, Z)."""
        h_BF = self.body(x_BCHW)
        return self.mu(h_BF), self.logvar(h_BF)


class Decoder(nn.Module):
    """Latents (B, ``latent_dim``) to one number a pixel (B, 1, 28, 28): a logit, or a Gaussian's mean.

    Raises ``ValueError`` for a latent below 1.
    """

    def __init__(self, latent_dim: int = 2) -> None:
        super().__init__()
        at_least("latent_dim", latent_dim, 1, "model.latent_dim")
        self.layers = nn.Sequential(
            *[nn.Linear(latent_dim, 100), nn.ReLU(inplace=True)],
            *[nn.Linear(100, 128 * 7 * 7), nn.ReLU(inplace=True), Unflatten(1, (128, 7, 7))],
            *[ConvTranspose2d(128, 64, 4, stride=2, padding=1), nn.ReLU(inplace=True), nn.BatchNorm2d(64)],
            *[ConvTranspose2d(64, 64, 4, stride=2, padding=1), nn.ReLU(inplace=True), nn.BatchNorm2d(64)],
            ConvTranspose2d(64, 1, 3, stride=1, padding=1),
        )

    def forward(self, z_BZ: Tensor) -> Tensor:
        """One number a pixel (B, 1, 28, 28)."""
        x_BCHW: Tensor = self.layers(z_BZ)
        return x_BCHW
