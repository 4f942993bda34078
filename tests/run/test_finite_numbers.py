"""NaN and infinity end a training, with a name, an iteration and the batch."""

import math
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
import pytorch_lightning as pl
import torch
from torch import Tensor
from torch.utils.data import DataLoader

from genlab.datasets.image_batches import Batch
from genlab.run.finite_numbers import FiniteNumbers, plain


class Line(pl.LightningModule):
    """Fits a line; ``spoil`` is done to it at step 3."""

    def __init__(self, spoil: str = "") -> None:
        super().__init__()
        self.layer, self.spoil = torch.nn.Linear(1, 1), spoil

    def configure_optimizers(self) -> Any:
        return torch.optim.SGD(self.parameters(), 0.01)

    def training_step(self, batch: Tensor, batch_idx: int) -> Tensor:
        loss = (self.layer(batch) - 1).square().mean()
        third = batch_idx == 2
        if third and self.spoil == "gradient":
            self.layer.bias.register_hook(lambda gradient: gradient * math.inf)
        if third and self.spoil == "parameter":
            self.layer.bias.register_hook(lambda _: self.layer.bias.data.fill_(math.inf) and None)
        if third and self.spoil == "error":
            raise RuntimeError("something else")
        self.log("train/figure", math.nan if third and self.spoil == "figure" else 1.0)
        return loss

    def validation_step(self, batch: Tensor, batch_idx: int) -> None:
        self.log("val/figure", math.inf if self.spoil == "held out" else 1.0)


def train(module: Line, folder: Path, data: list[Tensor]) -> pl.Trainer:
    trainer = pl.Trainer(
        max_steps=5,
        accelerator="cpu",
        logger=False,
        log_every_n_steps=1,
        callbacks=[FiniteNumbers()],
        default_root_dir=folder,
        num_sanity_val_steps=0,
        enable_checkpointing=False,
        enable_progress_bar=False,
        enable_model_summary=False,
    )
    loaders = [DataLoader(part, batch_size=None) for part in (data, data[:1])]  # type: ignore[arg-type]
    trainer.fit(module, *loaders)
    return trainer


DATA = [torch.full((2, 1), float(number)) for number in range(5)]

pytestmark = pytest.mark.filterwarnings("ignore:.*does not have many workers.*", "ignore:.*LeafSpec.*")


@pytest.mark.parametrize(
    ("spoil", "said", "iteration"),
    [
        ("gradient", "the gradient of layer.bias is inf at iteration 3", 3),
        ("parameter", "the parameter of layer.bias is inf at iteration 3", 3),
        ("figure", "train/figure is nan at iteration 3", 3),
    ],
)
def test_the_first_number_that_is_wrong_is_named_and_its_batch_kept(
    spoil: str, said: str, iteration: int, tmp_path: Path
) -> None:
    with pytest.raises(FloatingPointError, match=said) as raised:
        train(Line(spoil), tmp_path, DATA)
    assert raised.value.__notes__ == [f"the batch is in failure/batch_{iteration}.pt"]
    kept = torch.load(tmp_path / "failure" / f"batch_{iteration}.pt", weights_only=True)
    assert (kept["iteration"], torch.equal(kept["batch"], DATA[iteration - 1])) == (iteration, True)
    assert said in kept["reason"]


@pytest.mark.parametrize("spoil", ["", "held out"])
def test_numbers_that_are_all_finite_are_let_pass_and_held_out_ones_too(spoil: str, tmp_path: Path) -> None:
    assert train(Line(spoil), tmp_path, DATA).global_step == 5
    assert not (tmp_path / "failure").exists()


def test_a_gradient_whose_norm_is_too_large_for_its_type_is_no_reason_to_stop() -> None:
    module = Line()
    for parameter in module.parameters():
        parameter.grad = torch.full_like(parameter, 3e38)
    trainer: Any = SimpleNamespace(
        precision_plugin=None,
        global_step=1,
        log_every_n_steps=2,
        fit_loop=SimpleNamespace(epoch_loop=SimpleNamespace(_batches_that_stepped=1)),
    )
    FiniteNumbers().on_train_batch_end(trainer, module, None, None, 0)
    module.layer.bias.grad = torch.tensor([math.nan])
    with pytest.raises(FloatingPointError, match=r"the gradient of layer\.bias is nan"):
        FiniteNumbers().on_train_batch_end(trainer, module, None, None, 0)


def test_a_scaler_may_skip_a_gradient_but_no_parameter_may_be_bad() -> None:
    module = Line()
    module.layer.weight.grad = torch.tensor([[math.inf]])
    trainer: Any = SimpleNamespace(
        precision_plugin=SimpleNamespace(scaler=object()),
        global_step=7,
        log_every_n_steps=2,
        fit_loop=SimpleNamespace(epoch_loop=SimpleNamespace(_batches_that_stepped=1)),
    )
    FiniteNumbers().on_train_batch_end(trainer, module, None, None, 0)
    module.layer.weight.data.fill_(math.inf)
    with pytest.raises(FloatingPointError, match=r"the parameter of layer\.weight is inf at iteration 7"):
        FiniteNumbers().on_train_batch_end(trainer, module, None, None, 0)


def test_any_other_error_keeps_a_batch_that_is_to_blame_and_no_other(tmp_path: Path) -> None:
    with pytest.raises(RuntimeError, match="something else") as raised:
        train(Line("error"), tmp_path, DATA)
    assert not hasattr(raised.value, "__notes__")
    assert not (tmp_path / "failure").exists()
    with pytest.raises(RuntimeError, match="something else") as raised:
        train(Line("error"), tmp_path, [*DATA[:2], torch.full((2, 1), math.nan)])
    assert raised.value.__notes__[0] == "the batch holds NaN or infinity"


def test_a_batch_is_kept_as_plain_values() -> None:
    batch = Batch(torch.zeros(2, 1, 2, 2), torch.ones(2))
    kept = plain([batch, ("name", 3), None])
    assert isinstance(kept[0], dict)
    assert torch.equal(kept[0]["labels"], torch.ones(2))
    assert kept[1:] == [["name", 3], None]
