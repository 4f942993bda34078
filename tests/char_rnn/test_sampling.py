"""Drawing: distributions against closed forms, draws by inversion, engines that write the same text, scores."""

import itertools
import math
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import assume, given
from hypothesis import strategies as st
from scipy import stats

from genlab.char_rnn import numpy_sampling, sampling
from genlab.char_rnn.engines import numpy_parameters
from genlab.char_rnn.nets import CharRnn
from genlab.char_rnn.sampling import Draw, line_start, log_probs, sample_texts
from genlab.char_rnn.text import Vocabulary

MakeNet = Callable[..., CharRnn]
Distribution = Callable[[Sequence[float], Draw], np.ndarray[Any, np.dtype[np.float64]]]
VOCABULARY = Vocabulary("\nabcd")
DRAWS = [Draw(t, k, p) for t, k, p in itertools.product((0.5, 1.7), (0, 1, 3, 99), (0.6, 1.0))]


def in_torch(logits: Sequence[float], draw: Draw) -> np.ndarray[Any, np.dtype[np.float64]]:
    return sampling.next_distribution(torch.tensor([logits], dtype=torch.float64), draw)[0].numpy()


def in_numpy(logits: Sequence[float], draw: Draw) -> np.ndarray[Any, np.dtype[np.float64]]:
    given = np.array(logits, dtype=np.float64)
    return numpy_sampling.next_distribution(given, draw.temperature, draw.top_k, draw.top_p)


both = pytest.mark.parametrize("distribution", [in_torch, in_numpy])


# --- the distribution --------------------------------------------------------------------------------------------


@both
@pytest.mark.parametrize(
    ("draw", "expected"),
    [
        (Draw(1.0), [0.2, 0.4, 0.1, 0.3]),
        (Draw(0.5), [0.04 / 0.3, 0.16 / 0.3, 0.01 / 0.3, 0.09 / 0.3]),
        (Draw(1e9), [0.25] * 4),
        (Draw(1e-3), [0, 1, 0, 0]),
        (Draw(1.0, top_k=1), [0, 1, 0, 0]),
        (Draw(5.0, top_k=1), [0, 1, 0, 0]),
        (Draw(1.0, top_k=2), [0, 4 / 7, 0, 3 / 7]),
        (Draw(1.0, top_k=4), [0.2, 0.4, 0.1, 0.3]),
        (Draw(1.0, top_k=99), [0.2, 0.4, 0.1, 0.3]),
        (Draw(1.0, top_p=1e-9), [0, 1, 0, 0]),
        (Draw(1.0, top_p=0.39), [0, 1, 0, 0]),
        (Draw(1.0, top_p=0.41), [0, 4 / 7, 0, 3 / 7]),
        (Draw(1.0, top_p=0.69), [0, 4 / 7, 0, 3 / 7]),
        (Draw(1.0, top_p=0.71), [2 / 9, 4 / 9, 0, 3 / 9]),
        (Draw(1.0, top_p=0.91), [0.2, 0.4, 0.1, 0.3]),
        (Draw(1.0, top_k=2, top_p=0.5), [0, 1, 0, 0]),  # 0.4 is more than half of 0.7
        (Draw(1.0, top_k=3, top_p=0.5), [0, 4 / 7, 0, 3 / 7]),
        (Draw(0.5, top_p=0.5), [0, 1, 0, 0]),  # the temperature acts first: 0.16 / 0.3 is more than half
    ],
)
def test_next_distribution_has_closed_forms(distribution: Distribution, draw: Draw, expected: list[float]) -> None:
    logits = [7 + math.log(p) for p in (0.2, 0.4, 0.1, 0.3)]
    np.testing.assert_allclose(distribution(logits, draw), expected, rtol=1e-9, atol=1e-12)


@both
def test_ties_go_to_the_lower_index(distribution: Distribution) -> None:
    assert distribution([1, 2, 2, 2], Draw(1.0, top_k=1)).tolist() == [0, 1, 0, 0]
    assert distribution([2, 1, 2, 2], Draw(1.0, top_k=2)).tolist() == [0.5, 0, 0.5, 0]
    assert distribution([0, 0, 0, 0], Draw(1.0, top_p=0.5)).tolist() == [0.5, 0.5, 0, 0]
    assert distribution([0, 0, 0, 0], Draw(1.0, top_p=0.25)).tolist() == [1, 0, 0, 0]


@both
@pytest.mark.parametrize("size", [1, 2, 4, 8, 64])  # sums of their shares are exact
def test_a_nucleus_among_equals_is_met_exactly(distribution: Distribution, size: int) -> None:
    for kept in range(1, size + 1):
        probs = distribution([0.0] * size, Draw(1.0, top_p=kept / size))
        assert probs.tolist() == pytest.approx([1 / kept] * kept + [0] * (size - kept))


@both
def test_logits_of_any_size_are_taken(distribution: Distribution) -> None:
    for draw in (Draw(1.0), Draw(0.01), Draw(1.0, top_k=2), Draw(1.0, top_p=0.9)):
        np.testing.assert_array_equal(distribution([1000, -1000, 0], draw), [1, 0, 0])
    assert distribution([1e308, 0, 1e308], Draw(1.0)).tolist() == [0.5, 0, 0.5]
    assert distribution([1e9 - 1, 1e9], Draw(1e-300)).tolist() == [0, 1], "1e9 / 1e-300 is beyond the largest float"
    assert distribution([3.0], Draw(0.5, 2, 0.5)).tolist() == [1]


LOGITS = st.lists(st.floats(-20, 20), min_size=1, max_size=12)


@both
@given(logits=LOGITS, temperature=st.floats(0.05, 20), top_k=st.integers(0, 15), top_p=st.floats(0.01, 1))
def test_what_is_kept_is_the_smallest_set_that_is_asked_for(
    distribution: Distribution, logits: list[float], temperature: float, top_k: int, top_p: float
) -> None:
    full = distribution(logits, Draw(temperature))
    assert full.sum() == pytest.approx(1, abs=1e-12)
    kept = distribution(logits, Draw(temperature, top_k, top_p))
    support = np.flatnonzero(kept)
    assert kept.sum() == pytest.approx(1, abs=1e-12)
    assert 1 <= len(support) <= min(top_k or len(logits), len(logits))
    assert full[support].min() >= np.delete(full, support).max(initial=0)
    np.testing.assert_allclose(kept[support], full[support] / full[support].sum(), rtol=1e-9)
    goal = top_p * np.sort(full)[::-1][: top_k or None].sum()
    assert full[support].sum() >= goal - 1e-12
    assert full[support].sum() - full[support].min() < goal + 1e-12


# Two logits are the same or clearly apart: which of two that differ by rounding is the larger is nobody's to say.
EIGHTHS = st.lists(st.integers(-160, 160).map(lambda n: n / 8), min_size=1, max_size=12)


@given(logits=EIGHTHS, temperature=st.floats(0.05, 20), top_k=st.integers(0, 15), top_p=st.floats(0.01, 1))
def test_torch_and_numpy_have_one_distribution(
    logits: list[float], temperature: float, top_k: int, top_p: float
) -> None:
    draw = Draw(temperature, top_k, top_p)
    likeliest = np.sort(in_numpy(logits, Draw(temperature)))[::-1][: top_k or None]
    sums = likeliest.cumsum()[:-1]
    assume(np.abs(sums - top_p * likeliest.sum()).min(initial=1) > 1e-9)  # nor a sum that meets top_p by rounding
    np.testing.assert_allclose(in_torch(logits, draw), in_numpy(logits, draw), rtol=1e-10, atol=1e-300)


def test_the_distribution_leaves_its_logits_alone() -> None:
    logits = torch.tensor([[3.0, 1.0, 2.0]], dtype=torch.float64)
    sampling.next_distribution(logits, Draw(0.5, 2, 0.5))
    assert logits.tolist() == [[3, 1, 2]]
    array = np.array([3.0, 1.0, 2.0])
    numpy_sampling.next_distribution(array, 0.5, 2, 0.5)
    assert array.tolist() == [3, 1, 2]


@pytest.mark.parametrize(
    ("uniform", "index"),
    [(0.0, 1), (0.2499, 1), (0.25, 2), (0.7499, 2), (0.75, 4), (1 - 2**-53, 4)],
)
def test_a_draw_inverts_the_cumulative_distribution(uniform: float, index: int) -> None:
    assert numpy_sampling.draw(np.array([0, 0.25, 0.5, 0, 0.25, 0]), uniform) == index


def test_a_draw_beyond_a_sum_that_was_rounded_down_is_the_last_possible_one() -> None:
    assert numpy_sampling.draw(np.array([0.1] * 9 + [0.09, 0.0]), 1 - 2**-53) == 9


@pytest.mark.parametrize(
    "change",
    [
        {"temperature": 0.0},
        {"temperature": -1.0},
        {"temperature": math.nan},
        {"temperature": math.inf},
        {"top_k": -1},
        {"top_k": 1.5},
        {"top_p": 0.0},
        {"top_p": 1.01},
        {"top_p": math.nan},
    ],
)
def test_a_draw_out_of_range_is_refused(change: dict[str, Any]) -> None:
    name = next(iter(change))
    with pytest.raises(ValueError, match=rf"^`{name}` must .*\({name}\)$"):
        Draw(**change)


# --- texts -------------------------------------------------------------------------------------------------------


def drawn_by_numpy(net: CharRnn, prompts: Sequence[str], length: int, draw: Draw, seed: int) -> list[str]:
    """The NumPy twin by itself, from the same uniform numbers, each sample alone."""
    params, texts = numpy_parameters(net), []
    for number, prompt in enumerate(prompts):
        h = np.zeros((net.num_layers, 1, net.hidden_size))
        x = VOCABULARY.encode(prompt or "\n")[:, None]
        logits, h_all = numpy_sampling.forward(x, h, params)
        uniforms = np.random.default_rng([seed, number]).random((length, 1))
        constants = draw.temperature, draw.top_k, draw.top_p
        indices = numpy_sampling.sample(logits[-1:], h_all[:, -1].copy(), uniforms, params, *constants)
        texts.append(VOCABULARY.decode(indices[:, 0]))
    return texts


@pytest.mark.parametrize("draw", DRAWS, ids=str)
def test_every_engine_writes_the_same_text(make_net: MakeNet, draw: Draw) -> None:
    net = make_net(hidden_size=8, num_layers=2, seed=4)
    prompts = ["", "a", "abca", "d\nb"]
    by_engine = {
        name: sample_texts(net, VOCABULARY, 4, 40, draw, seed=3, prompts=prompts, engine=name)
        for name in ("auto", "compiled", "torch")
    }
    by_engine["numpy"] = drawn_by_numpy(net, prompts, 40, draw, seed=3)
    assert all(len(text) == 40 for text in by_engine["torch"])
    for name, texts in by_engine.items():
        assert texts == by_engine["torch"], name


def test_greedy_text_is_the_likeliest_character_after_another(make_net: MakeNet) -> None:
    net = make_net(hidden_size=8, seed=2)
    text = "ab"
    for _ in range(20):
        logits, _ = net(torch.tensor(VOCABULARY.encode(text))[:, None], net.initial_state(1))
        text += VOCABULARY.decode([int(logits[-1, 0].argmax())])
    for engine in ("compiled", "torch"):
        (greedy,) = sample_texts(net, VOCABULARY, 1, 20, Draw(1.0, top_k=1), 0, ["ab"], engine)
        assert greedy == text[2:]


@pytest.mark.parametrize("engine", ["compiled", "torch"])
def test_a_sample_does_not_depend_on_how_many_there_are(make_net: MakeNet, engine: str) -> None:
    net = make_net(seed=1)
    many = sample_texts(net, VOCABULARY, 7, 40, Draw(), 5, ["a", "bc"], engine)
    assert sample_texts(net, VOCABULARY, 3, 40, Draw(), 5, ["a", "bc"], engine) == many[:3]
    assert [text[:10] for text in many] == sample_texts(net, VOCABULARY, 7, 10, Draw(), 5, ["a", "bc"], engine)
    assert len(set(many)) == 7, "samples after the same prompt differ"
    assert sample_texts(net, VOCABULARY, 7, 40, Draw(), 6, ["a", "bc"], engine) != many


def test_samples_take_the_prompts_in_turn(make_net: MakeNet) -> None:
    net = make_net(seed=1)
    mixed = sample_texts(net, VOCABULARY, 5, 30, Draw(), 0, ["a", "bc"])
    for number, prompt in enumerate(["a", "bc", "a", "bc", "a"]):
        assert mixed[number] == sample_texts(net, VOCABULARY, number + 1, 30, Draw(), 0, [prompt])[number]


def test_no_prompt_is_the_start_of_a_line(make_net: MakeNet) -> None:
    net = make_net(seed=1)
    texts = [sample_texts(net, VOCABULARY, 2, 30, Draw(), 0, prompts) for prompts in ((), [""], ["\n"])]
    assert texts[0] == texts[1] == texts[2]
    assert line_start(VOCABULARY) == "\n"
    assert line_start(Vocabulary("xyz")) == "x"
    assert len(sample_texts(make_net(3), Vocabulary("xyz"), 1, 9, Draw(), 0)[0]) == 9


@pytest.mark.parametrize("engine", ["compiled", "torch"])
@pytest.mark.parametrize("draw", [Draw(1.0), Draw(0.6), Draw(1.3, top_k=3), Draw(1.5, top_p=0.8)], ids=str)
def test_frequencies_are_the_probabilities(make_net: MakeNet, engine: str, draw: Draw) -> None:
    net = make_net(seed=6)
    logits, _ = net(torch.tensor(VOCABULARY.encode("ba"))[:, None], net.initial_state(1))
    expected = in_numpy(logits[-1, 0].tolist(), draw) * 4000
    texts = sample_texts(net, VOCABULARY, 4000, 1, draw, 11, ["ba"], engine)
    counts = np.bincount(VOCABULARY.encode("".join(texts)), minlength=5)
    possible = expected > 0
    assert not counts[~possible].any()
    assert stats.chisquare(counts[possible], expected[possible]).pvalue > 1e-3
    assert stats.chisquare(counts[possible], np.roll(expected[possible], 1)).pvalue < 1e-6, "a test that can fail"


def test_a_prompt_with_characters_that_the_vocabulary_lacks_is_refused(make_net: MakeNet) -> None:
    with pytest.raises(ValueError, match=r"^`prompt` must hold only .*'x', 'y'.*\(prompt\)$"):
        sample_texts(make_net(), VOCABULARY, 1, 5, Draw(), 0, ["yaxb"])


@pytest.mark.parametrize(
    ("name", "value"), [("count", 0), ("length", 0), ("length", 2.5), ("seed", -1), ("engine", "nump"), ("engine", "")]
)
def test_what_cannot_be_drawn_is_refused(make_net: MakeNet, name: str, value: Any) -> None:
    call = {"count": 1, "length": 5, "draw": Draw(), "seed": 0} | {name: value}
    with pytest.raises(ValueError, match=rf"^`{name}` must "):
        sample_texts(make_net(), VOCABULARY, **call)


def test_an_engine_that_cannot_draw_says_so_and_auto_takes_another(
    make_net: MakeNet, monkeypatch: pytest.MonkeyPatch
) -> None:
    net = make_net(seed=1)
    expected = sample_texts(net, VOCABULARY, 2, 20, Draw(), 0, engine="torch")
    monkeypatch.setattr(sampling.importlib.util, "find_spec", lambda name: None)
    assert sample_texts(net, VOCABULARY, 2, 20, Draw(), 0) == expected
    for call in (
        lambda: sample_texts(net, VOCABULARY, 2, 20, Draw(), 0, engine="compiled"),
        lambda: log_probs(net, VOCABULARY.encode("abc"), "compiled"),
    ):
        with pytest.raises(ValueError, match=r"`engine` must be torch or auto here.*numba"):
            call()


def test_drawing_moves_no_random_state_and_no_parameter(make_net: MakeNet) -> None:
    net = make_net()
    before = torch.get_rng_state(), np.random.get_state()[1].copy(), [p.clone() for p in net.parameters()]  # type: ignore[index, union-attr]
    sample_texts(net, VOCABULARY, 2, 20, Draw(), 0)
    assert torch.equal(torch.get_rng_state(), before[0])
    np.testing.assert_array_equal(np.random.get_state()[1], before[1])  # type: ignore[index]
    assert all(torch.equal(p, copy) for p, copy in zip(net.parameters(), before[2], strict=True))


# --- scores ------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("engine", ["compiled", "torch"])
@pytest.mark.parametrize("length", [2, 3, 1000, 1001, 1002, 2345])
def test_log_probs_are_those_of_the_forward_pass(make_net: MakeNet, engine: str, length: int) -> None:
    """Across the windows that a long text is cut into, too."""
    net = make_net(hidden_size=8, num_layers=2, seed=5)
    indices = np.random.default_rng(0).integers(5, size=length)
    logits, _ = net(torch.from_numpy(indices[:-1, None]), net.initial_state(1))
    expected = torch.log_softmax(logits[:, 0], 1)[torch.arange(length - 1), torch.from_numpy(indices[1:])]
    scores = log_probs(net, indices, engine)
    assert scores.shape == (length - 1,)
    assert scores.dtype == np.float64
    np.testing.assert_allclose(scores, expected.numpy(), rtol=1e-10, atol=1e-12)


@pytest.mark.parametrize("engine", ["auto", "compiled", "torch"])
def test_the_probabilities_of_all_characters_sum_to_one(make_net: MakeNet, engine: str) -> None:
    net = make_net(seed=5)
    start = VOCABULARY.encode("abcab")
    scores = np.stack([log_probs(net, np.append(start, following), engine) for following in range(5)])
    assert np.exp(scores[:, -1]).sum() == pytest.approx(1, abs=1e-12)
    assert np.ptp(scores[:, :-1], axis=0).max() == 0, "a character's score depends on what is before it alone"


@pytest.mark.parametrize("engine", ["auto", "compiled", "torch"])
@pytest.mark.parametrize("length", [0, 1])
def test_a_text_without_a_second_character_has_no_scores(make_net: MakeNet, engine: str, length: int) -> None:
    scores = log_probs(make_net(), np.zeros(length, np.int64), engine)
    assert scores.shape == (0,)
    assert scores.dtype == np.float64


def test_a_sure_network_is_scored_without_overflow(make_net: MakeNet) -> None:
    net = make_net()
    with torch.no_grad():
        net.head.weight.zero_()
        net.head.bias.copy_(torch.tensor([0.0, 1000, -1000, 0, 0]))
    for engine in ("compiled", "torch"):
        scores = log_probs(net, np.array([0, 1, 2, 0]), engine)
        np.testing.assert_allclose(scores, [0, -2000, -1000], atol=1e-12)


@pytest.mark.parametrize("draw_all", [sampling._sample_torch, sampling._sample_compiled])
def test_a_uniform_number_on_an_edge_draws_what_begins_there(make_net: MakeNet, draw_all: Callable[..., Any]) -> None:
    """Probabilities 0, 1/4, 1/4, 1/4, 1/4: what cannot be is not drawn, not even by a zero."""
    net = make_net()
    with torch.no_grad():
        net.head.weight.zero_()
        net.head.bias.copy_(torch.tensor([-2000.0, 0, 0, 0, 0]))
    uniforms = np.array([[0.0], [0.25], [0.5], [0.75], [1 - 2**-53]])
    drawn = draw_all(net, net.head.bias.detach()[None].clone(), net.initial_state(1), uniforms, Draw(1.0))
    assert drawn[:, 0].tolist() == [1, 2, 3, 4, 4]


# --- samples that cores share ------------------------------------------------------------------------------------


@given(st.integers(1, 200), st.integers(1, 9))
def test_shares_hold_every_sample_once_and_none_is_small(count: int, cores: int) -> None:
    parts = sampling.shares(count, cores)
    assert [i for part in parts for i in range(count)[part]] == list(range(count))
    assert 1 <= len(parts) <= cores
    sizes = [part.stop - part.start for part in parts]
    assert max(sizes) - min(sizes) <= 1
    assert len(parts) == 1 or min(sizes) >= sampling.STREAMS_A_CORE


@pytest.mark.parametrize("num_layers", [1, 2])
def test_cores_that_share_the_samples_write_what_one_writes(num_layers: int, monkeypatch: pytest.MonkeyPatch) -> None:
    torch.manual_seed(0)
    net = CharRnn(len(VOCABULARY), 7, num_layers, "normal").double()
    texts = {}
    for cores in (1, 3):
        monkeypatch.setattr(torch, "get_num_threads", lambda n=cores: n)
        assert len(sampling.shares(49, cores)) == cores
        texts[cores] = sample_texts(net, VOCABULARY, 49, 20, Draw(1.2, 4, 0.9), 5, ["a", "bc", ""], "compiled")
    assert texts[3] == texts[1]
    assert len(set(texts[1])) > 40
