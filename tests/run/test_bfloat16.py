"""bfloat16 without fast products of it: they are the exact ones, rounded once, wherever a run makes them."""

import json
import re
from collections.abc import Callable
from contextlib import nullcontext
from pathlib import Path

import pytest
import torch
from torch import Tensor, nn
from torch.nn import functional
from torch.utils._python_dispatch import TorchDispatchMode

from genlab.run.bfloat16 import lacks_bfloat16, products_in_float32

UNIT = 2**-8  # half of the distance between two numbers of bfloat16, as a share of the smaller one
SUM = 2**-18  # what single precision loses in a sum of a few hundred products, as a share of its size

Product = Callable[..., Tensor]
PRODUCTS: dict[str, tuple[Product, list[tuple[int, ...]]]] = {
    "matrices": (torch.mm, [(5, 300), (300, 7)]),
    "a linear layer": (functional.linear, [(6, 40), (3, 40), (3,)]),
    "one number": (functional.linear, [(1, 1), (1, 1), (1,)]),
    "no image": (functional.conv2d, [(0, 3, 8, 8), (4, 3, 4, 4), (4,)]),
    "batches of matrices": (torch.bmm, [(3, 4, 50), (3, 50, 2)]),
    "a sum of such": (torch.baddbmm, [(3, 4, 2), (3, 4, 50), (3, 50, 2)]),
    "a convolution": (lambda *a: functional.conv2d(*a, 2, 1), [(2, 3, 8, 8), (4, 3, 4, 4), (4,)]),
    "a transposed one": (lambda *a: functional.conv_transpose2d(*a, 2, 1), [(2, 3, 7, 7), (3, 4, 4, 4), (4,)]),
    "one of one channel": (lambda *a: functional.conv2d(*a), [(1, 1, 1, 1), (1, 1, 1, 1), (1,)]),
}


def with_gradients(product: Product, operands: list[Tensor], seed: int) -> list[Tensor]:
    """The product and the gradients of its operands, for an upstream gradient of numbers that bfloat16 has."""
    leaves = [each.detach().clone().requires_grad_() for each in operands]
    found = product(*leaves)
    upstream = torch.randn(found.shape, generator=torch.Generator().manual_seed(seed)).bfloat16()
    found.backward(upstream.to(found.dtype))
    return [found.detach(), *(leaf.grad for leaf in leaves if leaf.grad is not None)]


@pytest.mark.parametrize("name", PRODUCTS)
def test_products_and_their_gradients_are_the_exact_ones_rounded_once(name: str) -> None:
    product, shapes = PRODUCTS[name]
    torch.manual_seed(0)
    operands = [torch.randn(shape).bfloat16() for shape in shapes]
    exact = with_gradients(product, [each.double() for each in operands], 1)
    sizes = with_gradients(product, [each.double().abs() for each in operands], 1)
    with products_in_float32(True):
        ours = with_gradients(product, operands, 1)
    assert len(ours) == len(exact) == len(shapes) + 1
    for found, wanted, size in zip(ours, exact, sizes, strict=True):
        assert found.dtype == torch.bfloat16
        largest = size.abs().max() if size.numel() else 0.0
        torch.testing.assert_close(found.double(), wanted, rtol=UNIT, atol=float(SUM * largest))


@pytest.mark.parametrize("name", PRODUCTS)
def test_they_are_those_of_torch_to_the_last_place(name: str) -> None:
    product, shapes = PRODUCTS[name]
    torch.manual_seed(2)
    operands = [torch.randn(shape).bfloat16() for shape in shapes]
    theirs = with_gradients(product, operands, 3)
    with products_in_float32(True):
        ours = with_gradients(product, operands, 3)
    for found, wanted in zip(ours, theirs, strict=True):
        largest = float(wanted.abs().max()) if wanted.numel() else 0.0
        torch.testing.assert_close(found, wanted, rtol=2 * UNIT, atol=2**-7 * largest)
        assert found.stride() == wanted.stride()


def test_penalties_on_gradients_have_gradients() -> None:
    """Products of a gradient of a gradient, as a critic's penalty makes them, against those of single precision."""
    torch.manual_seed(0)
    images = torch.randn(4, 1, 8, 8)
    net = nn.Sequential(nn.Conv2d(1, 3, 4, 2, 1), nn.LeakyReLU(), nn.Flatten(), nn.Linear(48, 1))

    def gradients(enabled: bool) -> list[Tensor]:
        shown = images.clone().requires_grad_()
        net.zero_grad()
        with products_in_float32(enabled):
            with torch.autocast("cpu", torch.bfloat16, enabled=enabled):
                (slope,) = torch.autograd.grad(net(shown).float().sum(), shown, create_graph=True)
            slope.square().sum().backward()
        return [parameter.grad.clone() for parameter in net.parameters() if parameter.grad is not None]

    for found, wanted in zip(gradients(True), gradients(False), strict=True):
        assert (found - wanted).norm() <= 0.02 * wanted.norm()


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
def test_other_numbers_are_left_as_they_are(dtype: torch.dtype) -> None:
    torch.manual_seed(0)
    operands = [torch.randn(shape, dtype=dtype) for shape in ((3, 2, 9, 9), (4, 2, 3, 3), (4,))]
    wanted = with_gradients(functional.conv2d, operands, 1)
    with products_in_float32(True):
        ours = with_gradients(functional.conv2d, operands, 1)
    assert all(torch.equal(*pair) for pair in zip(ours, wanted, strict=True))


def test_nothing_is_done_where_it_is_not_wanted() -> None:
    assert isinstance(products_in_float32(False), nullcontext)


@pytest.mark.parametrize(
    ("precision", "device", "has_it", "lacks"),
    [
        ("bf16-mixed", "cpu", False, True),
        ("bf16-true", "cpu", False, True),
        ("bf16-mixed", "cpu", True, False),
        ("bf16-mixed", "cuda", False, False),
        ("32-true", "cpu", False, False),
        ("16-mixed", "cpu", False, False),
        (32, "cpu", False, False),
    ],
)
def test_it_is_wanted_on_a_processor_alone_that_has_none(
    monkeypatch: pytest.MonkeyPatch, precision: object, device: str, has_it: bool, lacks: bool
) -> None:
    monkeypatch.setattr(torch.ops.mkldnn, "_is_mkldnn_bf16_supported", lambda: has_it)
    assert lacks_bfloat16(precision, torch.device(device)) is lacks


WORDS = ["data.dataset=digits", "data.batch_size=8", "data.val_size=16", "trainer.accelerator=cpu"]


MULTIPLIES = re.compile(r"::_?\w*(conv|mm|mv|matmul|dot|linear|einsum)")


class Processor(TorchDispatchMode):
    """Notes the products that come to the processor, by their names, and in which numbers."""

    def __init__(self) -> None:
        super().__init__()
        self.seen: set[torch.dtype] = set()

    def __torch_dispatch__(self, func, types, args=(), kwargs=None):
        if MULTIPLIES.search(func.name()):
            self.seen |= {each.dtype for each in args if isinstance(each, Tensor)}
        return func(*args, **(kwargs or {}))


@pytest.fixture
def lacking(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(torch.ops.mkldnn, "_is_mkldnn_bf16_supported", lambda: False)


def train(genlab, *words: str) -> tuple[list[str], set[torch.dtype]]:
    """What the command says of bfloat16, and the kinds of numbers that were multiplied."""
    with Processor() as processor:
        answer = genlab("train", *WORDS, *words)
    assert answer.code == 0, answer.err
    return [line for line in answer.err.splitlines() if "bfloat16" in line], processor.seen


def said(folder: Path) -> object:
    return json.loads((folder / "provenance.json").read_text())["machine"]["bfloat16"]


@pytest.mark.usefixtures("lacking", "sixty_four_digits")
@pytest.mark.parametrize("experiment", ["classifier", "dcgan", "vae"])
def test_a_run_leaves_no_product_to_torch_and_says_so(experiment: str, genlab, place: Path) -> None:
    words = [f"experiment={experiment}", "trainer.max_steps=2", "run_dir=run"]
    lines, seen = train(genlab, *words, "trainer.precision=bf16-mixed")
    assert len(lines) == 1
    assert lines[0].startswith("note: torch has no fast products of bfloat16 for this processor")
    assert seen == {torch.float32}
    assert said(place / "run") == "multiplied in float32"


@pytest.mark.usefixtures("lacking")
def test_a_text_in_bfloat16_leaves_no_product_to_torch(genlab, tiny, place: Path) -> None:
    with Processor() as processor:
        answer = genlab("train", *tiny(trainer__precision="bf16-true", trainer__max_steps=2), "run_dir=run")
    assert answer.code == 0, answer.err
    assert processor.seen == {torch.float32}
    assert said(place / "run") == "multiplied in float32"


@pytest.mark.parametrize("product", [torch.mm, torch.addmm])
def test_a_product_goes_to_the_place_that_is_given(product: Product) -> None:
    torch.manual_seed(0)
    operands = [torch.randn(5, 5).bfloat16() for _ in range(2 if product is torch.mm else 3)]
    place = torch.zeros(5, 5, dtype=torch.bfloat16)
    with products_in_float32(True), torch.no_grad():
        assert product(*operands, out=place) is place
    torch.testing.assert_close(place.double(), product(*[each.double() for each in operands]), rtol=UNIT, atol=1e-5)


def test_numbers_of_two_kinds_are_refused_as_torch_refuses_them() -> None:
    with products_in_float32(True), pytest.raises(RuntimeError, match="dtype"):
        torch.mm(torch.ones(2, 2).bfloat16(), torch.ones(2, 2))


@pytest.mark.usefixtures("lacking", "sixty_four_digits")
def test_it_can_be_left_to_torch(genlab, place: Path) -> None:
    words = ["experiment=classifier", "trainer.max_steps=2", "run_dir=run"]
    lines, seen = train(genlab, *words, "trainer.precision=bf16-mixed", "emulate_bfloat16=false")
    assert not lines
    assert torch.bfloat16 in seen
    assert said(place / "run") == "multiplied by torch"


@pytest.mark.usefixtures("lacking", "sixty_four_digits")
def test_single_precision_has_nothing_of_it(genlab, place: Path) -> None:
    lines, seen = train(genlab, "experiment=classifier", "trainer.max_steps=2", "run_dir=run")
    assert (lines, seen) == ([], {torch.float32})
    assert said(place / "run") is None


@pytest.mark.usefixtures("lacking", "sixty_four_digits")
def test_a_run_goes_on_as_if_it_had_not_been_stopped(genlab, place: Path) -> None:
    words = ["experiment=dcgan", "trainer.precision=bf16-mixed", "callbacks.image_grids.epochs=[]"]
    train(genlab, *words, "trainer.max_steps=2", "run_dir=straight")
    train(genlab, *words, "trainer.max_steps=1", "run_dir=parts")
    train(genlab, *words, "trainer.max_steps=2", "run_dir=parts")
    ours, theirs = (
        torch.load(place / name / "checkpoints" / "last.ckpt", weights_only=True) for name in ("parts", "straight")
    )
    assert ours["global_step"] == theirs["global_step"] == 2
    assert all(torch.equal(weight, ours["state_dict"][name]) for name, weight in theirs["state_dict"].items())
