"""Files that are not what they should be: texts, IDX files, checkpoints, and what else lies in a run's folder."""

import gzip
import json
import pickle
import random
import struct
from collections.abc import Callable
from pathlib import Path
from typing import Any

TEXT = b"Harry went down the long corridor and Ron said that the stone was gone.\n"


class Trap:
    """Makes a file when it is unpickled."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def __reduce__(self) -> tuple[Callable[..., Any], tuple[Path, str]]:
        return (Path.write_text, (self.path, "sprung"))


def cut(content: bytes, chance: random.Random) -> bytes:
    """The beginning of it, perhaps nothing."""
    return content[: chance.randint(0, max(0, len(content) - 1))]


def flip(content: bytes, chance: random.Random) -> bytes:
    """Some bits of it turned over."""
    spoiled = bytearray(content)
    for _ in range(chance.choice((1, 1, 8, 64))):
        if spoiled:
            spoiled[chance.randrange(len(spoiled))] ^= 1 << chance.randrange(8)
    return bytes(spoiled)


def scramble(content: bytes, chance: random.Random) -> bytes:
    """As many bytes at random, or a few."""
    return chance.randbytes(chance.choice((0, 1, 16, min(len(content), 4096))))


DAMAGES = (cut, flip, scramble)


def bad_text(chance: random.Random) -> bytes:
    """A text that is empty, binary, one character, one huge line, or in another encoding."""
    whole = TEXT * chance.choice((1, 3, 40))
    kinds: list[Callable[[], bytes]] = [
        lambda: b"",
        lambda: b"a" * chance.choice((1, 2, 21, 5000)),
        lambda: b"\n" * chance.choice((1, 3000)),
        lambda: chance.randbytes(chance.choice((1, 100, 5000))),
        lambda: b"\xef\xbb\xbf" + whole,
        lambda: whole.decode().encode("utf-16"),
        lambda: whole + b"\xed\xa0\x80" + whole,
        lambda: whole + b"\0" + whole,
        lambda: whole.replace(b"\n", b"") * 200,
        lambda: whole.replace(b"\n", b"\r"),
        lambda: ("\u00e9\u4e2d\U0001f600\u202e" * 500).encode(),
        lambda: "".join(chr(chance.choice((0x80, 0x2028, 0xFFFF, 0x10FFFF))) for _ in range(500)).encode(),
        lambda: flip(whole, chance),
        lambda: whole,
    ]
    return chance.choice(kinds)()


def idx(shape: tuple[int, ...], kind: int = 8, body: bytes | None = None) -> bytes:
    """An IDX file of that shape; ``body`` is what follows its header, noughts if it is left out."""
    count = 1
    for size in shape:
        count *= size
    header = struct.pack(f">HBB{len(shape)}I", 0, kind, len(shape), *shape)
    return header + (bytes(count) if body is None else body)


def bad_idx(chance: random.Random) -> bytes:
    """An IDX file that is cut, flipped, lies about its size, or is of another shape or type; or a whole one."""
    sizes = (0, 1, 2, 27, 28, 29, 60_000, 2**31, 2**32 - 1)
    whole = idx((3, 28, 28))
    kinds: list[Callable[[], bytes]] = [
        lambda: chance.choice(DAMAGES)(whole, chance),
        lambda: idx(tuple(chance.choices(sizes, k=chance.randint(0, 9))), chance.randrange(256), b"\0" * 100),
        lambda: idx((2, 28, 29)),
        lambda: idx((3,), body=bytes([chance.randrange(256) for _ in range(3)])),
        lambda: whole + b"\0",
        lambda: struct.pack(">HBB", 0, 8, chance.choice((0, 255))),
        lambda: whole,
    ]
    return chance.choice(kinds)()


def packed(content: bytes, chance: random.Random) -> bytes:
    """The file in gzip, itself damaged more often than not."""
    whole = gzip.compress(content)
    return whole if chance.random() < 0.2 else chance.choice(DAMAGES)(whole, chance)


def spoil_checkpoint(path: Path, chance: random.Random, trap: Path) -> str:
    """Damage the checkpoint, or put another thing in its place, and say what was done."""
    import torch

    if chance.random() < 0.4:
        damage = chance.choice(DAMAGES)
        path.write_bytes(damage(path.read_bytes(), chance))
        return damage.__name__
    content = torch.load(path, map_location="cpu", weights_only=True)
    done = chance.choice(("pickle", "torch pickle", "drop", "replace", "shape", "dtype", "nan", "other"))
    if done == "pickle":
        path.write_bytes(pickle.dumps(Trap(trap)))
        return done
    if done == "other":
        content = chance.choice(([1, 2], {}, {"state_dict": None}, "text", None, torch.zeros(2)))
    elif done == "torch pickle":
        content[chance.choice(sorted(content))] = Trap(trap)
    else:
        done = _change(content, done, chance)
    torch.save(content, path)
    return done


def _change(content: dict[str, Any], done: str, chance: random.Random) -> str:
    """Change a key of the checkpoint, of what genlab keeps there, or a tensor of its weights."""
    import torch

    weights = content["state_dict"]
    where = chance.choice((content, content["genlab"], content["genlab"]["facts"], weights))
    name = chance.choice(sorted(where))
    weight = chance.choice(sorted(weights))
    if done == "drop":
        del where[name]
    elif done == "replace":
        where[name] = chance.choice((None, -1, 3.5, "x", [], {}, torch.ones(3), float("nan")))
    elif done == "shape":
        weights[weight] = torch.ones(chance.choice(((), (0,), (1, 1), (7, 3), (2, 2, 2))))
    elif done == "dtype":
        weights[weight] = weights[weight].to(chance.choice((torch.float64, torch.int64, torch.bool, torch.complex64)))
    else:
        weights[weight] = torch.full_like(weights[weight], float("nan"))
    return f"{done} {name if done in ('drop', 'replace') else weight}"


RUN_FILES = ("config.yaml", "status.json", "metrics.csv", "provenance.json", "evaluation/bits_per_char.json")


def spoil_run(run: Path, chance: random.Random) -> str:
    """Remove or damage one of the files that describe a run, and say what was done."""
    path = run / chance.choice(RUN_FILES)
    done = chance.choice(("removed", "a folder", "emptied", "other", "cut", "flip", "scramble", "dropped", "replaced"))
    whole = path.read_bytes()
    if done in ("removed", "a folder"):
        path.unlink()
        if done == "a folder":
            path.mkdir()
    elif done in ("dropped", "replaced") and path.suffix != ".csv":
        path.write_text(_changed(path, done, chance), encoding="utf-8")
    else:
        damage: dict[str, Callable[[], bytes]] = {
            "emptied": lambda: b"",
            "other": lambda: chance.choice(
                (b"null", b"[]", b"3", b'"x"', b"{}", b"[[[[", b"a: &a [*a]", b"{}{}", b"NaN")
            ),
            "cut": lambda: cut(whole, chance),
            "flip": lambda: flip(whole, chance),
        }
        path.write_bytes(damage.get(done, lambda: scramble(whole, chance))())
    return f"{path.name} {done}"


def _changed(path: Path, done: str, chance: random.Random) -> str:
    """The JSON or YAML file without one of its values, or with another in its place."""
    import yaml

    content = yaml.safe_load(path.read_text(encoding="utf-8"))
    where: Any = content
    while isinstance(where, dict) and where:
        name = chance.choice(sorted(where))
        if not isinstance(where[name], dict) or not where[name] or chance.random() < 0.3:
            break
        where = where[name]
    if done == "dropped":
        del where[name]
    else:
        where[name] = chance.choice((None, -1, 1e300, "x", [], {}, [None], True, "\u00fc", "../../x"))
    return json.dumps(content)
