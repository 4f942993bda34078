"""Char-RNN sampling: texts from ``sample_texts`` beside one call of ``nn.RNN`` a character.

Many texts are drawn from ``nn.RNN`` in two ways: one after the other, as examples do it, and all in one call a step.
"""

import time
from collections.abc import Callable, Mapping

from genlab.benchmarks.peers import Rnn, rnn_from, sample_rnn
from genlab.benchmarks.rounds import Case, Measure, alternate, compare, thread_settings, with_threads
from genlab.benchmarks.training import EngineLoop, Setting, data_of
from genlab.char_rnn.nets import CharRnn
from genlab.char_rnn.sampling import Draw, line_start, sample_texts
from genlab.char_rnn.text import Vocabulary

OURS, RNN, BATCHED = "genlab sampling", "nn.RNN call a character", "nn.RNN call for all streams"
TEMPERATURE = 0.8

# Against ``nn.RNN`` with all streams in one call, where both sides do the same products.
BATCHED_TARGET = 1.0

# So cold that both can only take the likeliest character: what they draw can then be compared.
COLD, COLD_LENGTH = 1e-5, 50


def sampling_cases(
    hidden_size: int, length: int, targets: Mapping[int, float], rounds: int, updates: int = 200
) -> list[Case]:
    """Measure characters a second for each number of streams in ``targets``, with a briefly trained network.

    ``targets`` are for texts that the peer draws one after the other.
    """
    net, vocabulary = _trained(hidden_size, updates)
    peer = rnn_from(net.state_dict())
    refuse_other_texts(net, peer, vocabulary)
    return [_case(net, peer, vocabulary, count, length, target, rounds) for count, target in targets.items()]


def _trained(hidden_size: int, updates: int) -> tuple[CharRnn, Vocabulary]:
    """A network after some updates on the default corpus."""
    data = data_of(Setting(hidden_size, 20))
    net = CharRnn(len(data.vocabulary), hidden_size)
    loop = EngineLoop(net.state_dict(), 1)
    loop.train(*data.streams.chunk(0, updates))
    return loop.net, data.vocabulary


def ours(net: CharRnn, vocabulary: Vocabulary, count: int, length: int, temperature: float) -> list[str]:
    """Texts as ``genlab sample`` draws them."""
    return sample_texts(net, vocabulary, count, length, Draw(temperature), seed=0)


def theirs(peer: Rnn, vocabulary: Vocabulary, count: int, length: int, temperature: float) -> list[str]:
    """Texts as the peer draws them, from the same start."""
    start = int(vocabulary.encode(line_start(vocabulary))[0])
    drawn_TB = sample_rnn(peer, start, count, length, temperature).numpy()
    return [vocabulary.decode(drawn_TB[:, i]) for i in range(count)]


def refuse_other_texts(net: CharRnn, peer: Rnn, vocabulary: Vocabulary) -> None:
    """Raise ``RuntimeError`` unless both write the same text where only the likeliest character is drawn."""
    (a,) = ours(net, vocabulary, 1, COLD_LENGTH, COLD)
    (b,) = theirs(peer, vocabulary, 1, COLD_LENGTH, COLD)
    if a != b:
        raise RuntimeError(f"{OURS} and {RNN} must write the same; got {a!r} and {b!r}")


def _case(net: CharRnn, peer: Rnn, vocabulary: Vocabulary, count: int, length: int, target: float, rounds: int) -> Case:
    all_at_once = _timed(count * length, lambda: theirs(peer, vocabulary, count, length, TEMPERATURE))
    one_text = _timed(length, lambda: theirs(peer, vocabulary, 1, length, TEMPERATURE))
    contenders: dict[str, Measure] = {
        OURS: _timed(count * length, lambda: ours(net, vocabulary, count, length, TEMPERATURE))
    }
    for words, number in thread_settings().items():
        contenders[f"{RNN}, {words}"] = with_threads(number, one_text)
        if count > 1:
            contenders[f"{BATCHED}, {words}"] = with_threads(number, all_at_once)
    for measure in contenders.values():
        measure()
    rates = alternate(contenders, rounds)
    comparisons = [compare(rates, OURS, RNN, target)]
    if count > 1:
        comparisons.append(compare(rates, OURS, BATCHED, BATCHED_TARGET))
    what = f"sampling, {count} stream{'s' if count > 1 else ''}"
    size = f"{net.hidden_size} hidden, {length:,} characters"
    return Case(what, size, "characters/s", rates, comparisons)


def _timed(amount: int, work: Callable[[], object]) -> Measure:
    """The rate at which ``work`` gets ``amount`` done."""

    def rate() -> float:
        began = time.perf_counter()
        work()
        return amount / (time.perf_counter() - began)

    return rate
