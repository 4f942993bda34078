"""Twenty iterations whose losses are kept in a file: nobody changes the numbers without saying so.

``python -m pytest tests/vae/test_golden.py --regenerate-golden`` writes the file anew.
"""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np

from genlab.vae.data import VaeDataModule

GOLDEN = Path(__file__).parents[1] / "golden" / "vae.json"
NAMES = ("train/loss", "train/log_likelihood", "train/kl")


def test_twenty_iterations_are_those_of_the_golden_file(
    make_module: Callable[..., Any],
    few_digits: Callable[..., Any],
    train: Callable[..., Any],
    drawn_in_double: Callable[..., Any],
    regenerate_golden: bool,
) -> None:
    """On 48 of scikit-learn's digits in batches of 3, in float64: a pass and a bit, Adam 2e-3."""
    data = few_digits(VaeDataModule, batch_size=3)
    run = train(drawn_in_double(make_module()), data, 20, precision="64-true", limit_val_batches=0)
    losses = {name: list(run.of(name).values()) for name in NAMES}
    if regenerate_golden:
        GOLDEN.write_text(json.dumps(losses, indent=2) + "\n", encoding="utf-8")
    golden = json.loads(GOLDEN.read_text(encoding="utf-8"))
    assert golden.keys() == losses.keys()
    for name in NAMES:
        assert len(losses[name]) == 20
        np.testing.assert_allclose(losses[name], golden[name], rtol=1e-6, err_msg=name)
