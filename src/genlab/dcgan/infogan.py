"""InfoGAN: codes that the generator must show, found without labels (Chen et al. 2016, https://arxiv.org/abs/1606.03657).

Axes: B batch, Z latent, K values of the categorical code, C continuous codes, D features.
"""

import math

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from genlab.checks import at_least, in_range
from genlab.dcgan.designs import Design, Label, Latents, Made, Reader, Term, chosen_labels, one_hot, room_for
from genlab.precision import in_full

HIDDEN = 128  # units of the layer that reads the codes


class InfoGan(Design):
    """z is noise, a categorical code of ``num_codes`` values, and ``num_continuous`` codes, uniform in [-1, 1].

    A head on the discriminator's features reads the codes back; the generator and it minimise ``code_weight`` times the
    cross-entropy of the categorical code (nats) and ``continuous_weight`` times half the squared error of the others,
    which bound the information between codes and image from below (equation 5, with a Gaussian of variance 1). The
    discriminator's own layers learn from its own loss alone. Which digit a value stands for is nobody's choice: it
    cannot be asked for one. Raises ``ValueError`` for a number out of range.
    """

    def __init__(
        self,
        latent_dim: int,
        num_classes: int = 10,
        iterations_per_pass: int = 1,
        num_codes: int = 10,
        num_continuous: int = 2,
        code_weight: float = 1.0,
        continuous_weight: float = 0.1,
    ) -> None:
        super().__init__(latent_dim, num_classes, iterations_per_pass)
        self.num_labels = at_least("num_codes", num_codes, 2, "model.design.num_codes")
        self.num_continuous = at_least("num_continuous", num_continuous, 0, "model.design.num_continuous")
        self.free_dim = room_for(latent_dim, num_codes + num_continuous)
        self.noise_dim = self.free_dim + num_continuous + 1
        self.code_weight = in_range("code_weight", code_weight, 0, math.inf, "model.design.code_weight")
        self.continuous_weight = in_range(
            "continuous_weight", continuous_weight, 0, math.inf, "model.design.continuous_weight"
        )

    def join(self, feature_dim: int) -> None:
        """Make the head that reads codes from ``feature_dim`` features."""
        codes = self.num_labels + self.num_continuous
        self.head = nn.Sequential(nn.Linear(feature_dim, HIDDEN), nn.LeakyReLU(0.2), nn.Linear(HIDDEN, codes))

    def latents(self, noise: Tensor, labels: Label = None) -> Latents:
        """[noise, continuous codes, categorical code]; the last number of ``noise`` draws the latter."""
        chosen = chosen_labels(noise[:, -1], labels, self.num_labels)
        free, continuous = noise[:, : self.free_dim], noise[:, self.free_dim : -1]
        uniform = 2 * torch.special.ndtr(continuous) - 1
        return Latents(torch.cat([free, uniform, one_hot(chosen, self.num_labels).to(noise)], dim=1), chosen)

    def combine(self, identity: Tensor, style: Tensor) -> Tensor:
        """The categorical code of one with everything else of the other."""
        return torch.cat([style[:, : -self.num_labels], identity[:, -self.num_labels :]], dim=1)

    def terms(self, reader: Reader | None, made: Made, iteration: int) -> dict[str, Term]:
        """How badly the codes are read back."""
        assert made.latents.labels is not None
        read = in_full(self.head(made.features))
        logits_BK, found_BC = read[:, : self.num_labels], read[:, self.num_labels :]
        terms = {"loss_code": Term(F.cross_entropy(logits_BK, made.latents.labels), self.code_weight)}
        if self.num_continuous:
            wanted_BC = made.latents.z[:, self.free_dim : -self.num_labels]
            terms["loss_continuous"] = Term(0.5 * F.mse_loss(found_BC, wanted_BC), self.continuous_weight)
        return terms
