"""What people, and broken scripts, might type: values of the wrong type, range or kind, and noise in an override."""

import random

from genlab.torture.trainings import IMAGES_AT_ONCE, TEXTS_AT_ONCE

VALUES = (
    *("-1", "0", "1.5", "-0.0", "1e-320", "1e400", "-1e9", "nan", "inf", "-inf", "99999999999999999999", "1_0", "0x10"),
    *("abc", "''", "' '", "null", "true", "[]", "[1,a]", "[[[1]]]", "{}", "{a:1}", "{a:{b:[nan]}}", "'${seed}'"),
    *("\u00fcn\u00efc\u00f6d\u00e9", "'\u0661\u0662'", "\U0001f600", "'a\\tb'", "../x", "'a b'", "~", "x" * 5000),
)
"""As they are written after the equal sign; some are right for some fields, most are right for none."""

NOISE = "=+-~@:/\\.,[](){}'\"$ \t#*?!%&|<>^;`_aZ09\u00e9\u2028"
PIECES = ("${oc.env:HOME}", "${", "???", "null", "choice(1,2)", "range(0,3)", "model", "optimizer=", "seed=", "hydra")

ROOTS: dict[str, tuple[str, ...]] = {
    "sample": ("run=TRAINED", "length=5"),
    "evaluate": ("run=TRAINED", "only=[bits_per_char]"),
    "report": ("runs=TRAINED",),
    "compare": ("runs=[TRAINED,ANOTHER]",),
    "studies": ("budget=smoke",),
    "dashboard": ("panels=vae",),
    "fetch": ("corpus=null", "dataset=null"),
    "doctor": (),
}
"""Verbs other than train, with what makes them work; TRAINED and ANOTHER stand for finished runs' folders."""

EXPERIMENTS = ("char_rnn", "classifier", "dcgan", "vae", "dcgan_infogan")


def training(experiment: str, text: str) -> list[str]:
    """The words of a training of an iteration or two, which asks for nothing from the network."""
    own = (f"data.text={text}", *TEXTS_AT_ONCE) if experiment == "char_rnn" else IMAGES_AT_ONCE
    return ["train", f"experiment={experiment}", *own, "trainer.accelerator=cpu"]


def noise(chance: random.Random) -> str:
    """A word of the characters that Hydra's grammar, and shells, give a meaning to."""
    parts = [chance.choice(NOISE) if chance.random() < 0.7 else chance.choice(PIECES) for _ in range(12)]
    word = "".join(parts[: chance.randint(1, 12)])
    return (
        word if chance.random() < 0.5 else f"{chance.choice(('seed', 'model.init', 'name', '+a', '++b', '~c'))}={word}"
    )
