"""Twenty iterations whose losses are kept in a file: nobody changes the numbers without saying so.

``python -m pytest tests/dcgan/test_golden.py --regenerate-golden`` writes the file anew.
"""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np

from genlab.dcgan.data import DcganDataModule

GOLDEN = Path(__file__).parents[1] / "golden" / "dcgan.json"
NAMES = ("train/loss_discriminator_real", "train/loss_discriminator_fake", "train/loss_generator")


def test_twenty_iterations_are_those_of_the_golden_file(
    make_module: Callable[..., Any],
    few_digits: Callable[..., Any],
    train: Callable[..., Any],
    drawn_in_double: Callable[..., Any],
    regenerate_golden: bool,
) -> None:
    """On 48 of scikit-learn's digits in batches of 3, in float64: a pass and a bit, Adam 2e-4."""
    data = few_digits(DcganDataModule, batch_size=3)
    run = train(drawn_in_double(make_module(lr=2e-4)), data, 20, precision="64-true", limit_val_batches=0)
    losses = {name: list(run.of(name).values()) for name in NAMES}
    if regenerate_golden:
        GOLDEN.write_text(json.dumps(losses, indent=2) + "\n", encoding="utf-8")
    golden = json.loads(GOLDEN.read_text(encoding="utf-8"))
    assert golden.keys() == losses.keys()
    for name in NAMES:
        assert len(losses[name]) == 20
        np.testing.assert_allclose(losses[name], golden[name], rtol=1e-6, err_msg=name)
