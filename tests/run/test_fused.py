"""An optimiser in one pass over memory makes the plain one's updates: it looks at no strides, so all must agree."""

from pathlib import Path

import pytest
import torch
from tests.run.conftest import Genlab, Tiny

IMAGES = (
    *(
        "data.dataset=digits",
        "data.download=false",
        "data.val_size=64",
        "data.batch_size=32",
        "trainer.accelerator=cpu",
    ),
    *("trainer.precision=64-true", "trainer.max_epochs=-1", "trainer.max_steps=4"),
)
EXPERIMENTS = {
    "dcgan": ("model.dropout=0.2", "model.r1_weight=1", "model.ema_decay=0.9"),
    "dcgan_conditional": ("model.loss=wgan_gp",),
    "dcgan_infogan": (),
    "vae": ("model.latent_dim=5",),
    "classifier": (),
    "classifier_lenet": (),
}


def weights(run: Path) -> dict[str, torch.Tensor]:
    state: dict[str, torch.Tensor] = torch.load(run / "checkpoints/last.ckpt", weights_only=True)["state_dict"]
    return state


def assert_alike(genlab: Genlab, place: Path, *words: str) -> None:
    found = {}
    for fused in ("true", "null"):
        assert genlab("train", *words, f"optimizer.fused={fused}", f"run_dir=fused-{fused}").code == 0
        found[fused] = weights(place / f"fused-{fused}")
    torch.testing.assert_close(found["true"], found["null"], rtol=1e-6, atol=1e-8)


@pytest.mark.parametrize("experiment", EXPERIMENTS)
def test_image_models_are_trained_alike(experiment: str, genlab: Genlab, place: Path) -> None:
    assert_alike(genlab, place, f"experiment={experiment}", *IMAGES, *EXPERIMENTS[experiment])


@pytest.mark.parametrize("num_layers", [1, 2])
def test_the_character_rnn_is_trained_alike(num_layers: int, genlab: Genlab, place: Path, tiny: Tiny) -> None:
    words = tiny(model__num_layers=num_layers, trainer__precision="64-true")
    assert_alike(genlab, place, "experiment=char_rnn", *words)
