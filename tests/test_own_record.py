"""What models write into their checkpoints, and read back."""

from typing import Any

import pytest

from genlab.own_record import read_record, record_of


def test_a_record_is_read_back() -> None:
    checkpoint = {"state_dict": {}, **record_of("vae", {"num_classes": 10}, extra=[1.0])}
    assert read_record(checkpoint, "vae") == {"model": "vae", "facts": {"num_classes": 10}, "extra": [1.0]}
    assert checkpoint["genlab"]["model"] == "vae", "the key that checkpoints of any age have"


def test_later_facts_are_none_of_the_record() -> None:
    facts = {"num_classes": 10}
    record = record_of("vae", facts)
    facts["num_classes"] = 11
    assert read_record(record, "vae")["facts"] == {"num_classes": 10}


@pytest.mark.parametrize(
    ("checkpoint", "got"), [({}, "None"), ({"genlab": None}, "None"), (record_of("dcgan", {}), "'dcgan'")]
)
def test_another_models_checkpoint_is_refused(checkpoint: dict[str, Any], got: str) -> None:
    with pytest.raises(ValueError, match=rf"^`checkpoint` must be of a vae; got {got} \(run_dir\)$"):
        read_record(checkpoint, "vae")
