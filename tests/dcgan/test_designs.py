"""What is added to a plain GAN: latents by closed forms, terms by independent computations, and who learns what."""

from collections.abc import Callable
from functools import partial
from statistics import NormalDist
from typing import Any

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor, nn
from torch.distributions import Categorical, kl_divergence

from genlab.dcgan.data import DcganDataModule
from genlab.dcgan.designs import Conditional, Design, Made, chosen_labels, one_hot, warmed_up
from genlab.dcgan.guided import DigitMeans, EmbeddingMatch, cosines, divergence
from genlab.dcgan.infogan import InfoGan
from genlab.dcgan.module import DcganModule

MakeModule = Callable[..., DcganModule]
Train = Callable[..., Any]
EMBEDDING = 4


class Reader(nn.Module):
    """A classifier with an embedding of four: as little as can read."""

    def __init__(self, num_classes: int = 10) -> None:
        super().__init__()
        self.body = nn.Sequential(nn.Flatten(), nn.Linear(784, EMBEDDING))
        self.head = nn.Linear(EMBEDDING, num_classes)

    def embed(self, x_BCHW: Tensor) -> Tensor:
        e_BE: Tensor = self.body(x_BCHW)
        return e_BE


DESIGNS: dict[str, Callable[..., Design]] = {
    "plain": Design,
    "conditional": Conditional,
    "match": partial(EmbeddingMatch, embedding_dim=EMBEDDING, spread=1.0, warm_up=0),
    "normal match": partial(EmbeddingMatch, embedding_dim=EMBEDDING, prior="normal", match="softmax", warm_up=0),
    "squared match": partial(EmbeddingMatch, embedding_dim=EMBEDDING, match="squared", warm_up=0),
    "means": partial(DigitMeans, warm_up=0),
    "folded means": partial(DigitMeans, unfold=False, warm_up=0),
    "infogan": InfoGan,
}
LABELLED = ("conditional", "match", "squared match", "means", "folded means", "infogan")
GUIDED = ("match", "squared match", "normal match", "means", "folded means")


@pytest.fixture(params=DESIGNS)
def name(request: pytest.FixtureRequest) -> str:
    return str(request.param)


@pytest.fixture
def design(name: str) -> Design:
    torch.manual_seed(0)
    made = DESIGNS[name](latent_dim=16)
    made.join(8)
    made.prepare(Reader(), torch.randint(0, 256, (200, 1, 28, 28), dtype=torch.uint8), torch.arange(200) % 10)
    return made


def noise(design: Design, count: int = 64, seed: int = 1) -> Tensor:
    return torch.randn(count, design.noise_dim, generator=torch.Generator().manual_seed(seed))


# --- latents -----------------------------------------------------------------------------------------------------


def test_latents_have_their_dimension_and_a_label_each_or_none(name: str, design: Design) -> None:
    z, labels = design.latents(noise(design))
    assert z.shape == design.enter(z).shape == (64, 16)
    assert (labels is not None) == (name in LABELLED) == (design.num_labels > 0)
    if labels is not None:
        assert labels.shape == (64,)
        assert set(labels.tolist()) <= set(range(10))


def test_the_label_that_is_asked_for_is_the_one_that_is_drawn(name: str, design: Design) -> None:
    if name not in LABELLED:
        with pytest.raises(ValueError, match=r"^`label` must be left out: .*; got 3 \(label\)$"):
            design.latents(noise(design), 3)
        return
    assert design.latents(noise(design), 3).labels.tolist() == [3] * 64  # type: ignore[union-attr]
    wanted = torch.arange(64) % 10
    assert torch.equal(design.latents(noise(design), wanted).labels, wanted)  # type: ignore[arg-type]
    for wrong in (-1, 10):
        with pytest.raises(ValueError, match=r"^`label` must be in 0 \.\. 9; got .* \(label\)$"):
            design.latents(noise(design), wrong)


def test_a_latent_depends_on_its_own_noise_alone(design: Design) -> None:
    many = noise(design)
    assert torch.allclose(design.latents(many[5:6]).z, design.latents(many).z[5:6], atol=1e-6)


def test_identity_and_style_are_put_together_and_taken_apart_again(name: str, design: Design) -> None:
    if name == "plain":
        assert not design.separable
        with pytest.raises(
            ValueError, match=r"^`design` must tell identity from style; got 'Design' \(model\.design\)$"
        ):
            design.combine(torch.zeros(1, 16), torch.zeros(1, 16))
        return
    first, second = design.latents(noise(design)).z, design.latents(noise(design, seed=2)).z
    crossed = design.combine(first, second)
    assert design.separable
    assert torch.allclose(design.combine(first, first), first, atol=1e-5)
    assert torch.allclose(design.combine(first, crossed), crossed, atol=1e-5), "the identity is there already"
    assert torch.allclose(design.combine(second, crossed), second, atol=1e-5), "the style was kept"
    assert not torch.allclose(crossed, first, atol=0.1)
    assert not torch.allclose(crossed, second, atol=0.1)


def test_labels_are_drawn_as_often_as_they_should_be() -> None:
    numbers = torch.randn(20000, generator=torch.Generator().manual_seed(0))
    even = torch.bincount(chosen_labels(numbers, None, 10), minlength=10) / 20000
    assert torch.allclose(even, torch.full((10,), 0.1), atol=0.01)
    shares = torch.tensor([0.5, 0.0, 0.5])
    by_shares = torch.bincount(chosen_labels(numbers, None, 3, shares), minlength=3) / 20000
    assert torch.allclose(by_shares, shares, atol=0.015)
    assert by_shares[1] == 0


def test_a_one_hot_label_has_the_mean_and_variance_of_noise() -> None:
    codes = one_hot(torch.arange(10), 10)
    assert torch.allclose(codes.mean(0), torch.zeros(10), atol=1e-6)
    assert torch.allclose(codes.var(0, unbiased=False), torch.ones(10), atol=1e-5)
    assert codes.argmax(1).tolist() == list(range(10))


@given(start=st.floats(0, 5), warm_up=st.floats(0, 5), iteration=st.integers(0, 200))
def test_a_weight_rises_from_0_to_1_in_a_straight_line(start: float, warm_up: float, iteration: int) -> None:
    factor = warmed_up(iteration, 10, start, warm_up)
    passes = iteration / 10
    assert 0 <= factor <= 1
    if passes < start:
        assert factor == 0
    elif passes >= start + warm_up:
        assert factor == pytest.approx(1)
    else:
        assert factor == pytest.approx((passes - start) / warm_up)


# --- conditional -------------------------------------------------------------------------------------------------


def test_a_conditional_discriminator_sees_the_label_beside_the_image() -> None:
    design = Conditional(latent_dim=12)
    images = torch.rand(3, 1, 28, 28)
    shown = design.shown(images, torch.tensor([2, 0, 9]))
    assert shown.shape == (3, 11, 28, 28)
    assert torch.equal(shown[:, :1], images)
    assert shown[:, 1:].mean((2, 3)).argmax(1).tolist() == [2, 0, 9]
    assert torch.equal(shown[:, 1:].sum(1), torch.ones(3, 28, 28))


# --- z1 and z2 ---------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("spread", [1.0, 0.5, 0.0])
def test_z1_is_spread_as_the_readers_embeddings_of_each_digit_are(spread: float) -> None:
    torch.manual_seed(0)
    reader, design = Reader(), EmbeddingMatch(latent_dim=16, embedding_dim=EMBEDDING, spread=spread)
    images = torch.randint(0, 256, (900, 1, 28, 28), dtype=torch.uint8)
    labels = torch.cat([torch.zeros(600), torch.full((300,), 7)]).long()
    images[labels == 7] //= 3
    design.prepare(reader, images, labels)
    with torch.no_grad():
        seven = reader.embed(images[labels == 7].float() / 255)
    z, drawn = design.latents(torch.randn(30000, design.noise_dim))
    assert drawn is not None
    assert set(drawn.tolist()) == {0, 7}
    assert (drawn == 7).float().mean().item() == pytest.approx(1 / 3, abs=0.01)
    z1, z2 = z[drawn == 7, :EMBEDDING], z[:, EMBEDDING:]
    assert torch.allclose(z1.mean(0), seven.mean(0), atol=0.02)
    assert torch.allclose(z1.T.cov(), spread**2 * seven.T.cov(), atol=0.02)
    assert z2.mean().item() == pytest.approx(0, abs=0.01)
    assert z2.std().item() == pytest.approx(1, abs=0.01)


def test_the_divergence_is_that_of_two_categorical_distributions() -> None:
    torch.manual_seed(0)
    found, wanted = torch.randn(5, 7, dtype=torch.float64), torch.randn(5, 7, dtype=torch.float64)
    expected = kl_divergence(Categorical(logits=wanted), Categorical(logits=found)).mean()
    assert torch.allclose(divergence(found, wanted), expected)
    assert divergence(found, found).item() == pytest.approx(0, abs=1e-12)


def test_a_generator_is_given_round_embeddings_and_more_of_the_style() -> None:
    torch.manual_seed(0)
    design = EmbeddingMatch(latent_dim=16, embedding_dim=EMBEDDING, spread=1.0, style_gain=2.0)
    images = torch.randint(0, 256, (2000, 1, 28, 28), dtype=torch.uint8)
    labels = torch.arange(2000) % 10
    images[labels < 5] //= 2
    design.prepare(Reader(), images, labels)
    z = design.latents(torch.randn(40000, design.noise_dim)).z
    z1, z2 = design.enter(z)[:, :EMBEDDING], design.enter(z)[:, EMBEDDING:]
    assert torch.equal(z2, 2 * z[:, EMBEDDING:])
    assert not torch.allclose(z[:, :EMBEDDING].T.cov(), torch.eye(EMBEDDING), atol=0.2)
    assert torch.allclose(z1.mean(0), torch.zeros(EMBEDDING), atol=0.03)
    assert torch.allclose(z1.T.cov(), torch.eye(EMBEDDING), atol=0.04)


def test_a_reading_is_matched_where_the_reader_reads_the_same() -> None:
    """The embedding may be another one, as long as the head reads the same digits in it."""
    reader, design = Reader(), DESIGNS["match"](latent_dim=16)
    latents = design.latents(noise(design, 6))
    reader.head.weight.data[3:] = 0
    unseen = torch.linalg.svd(reader.head.weight[:3]).Vh[-1]  # to a head that reads three of four dimensions
    for embedding, expected in ((latents.z[:, :EMBEDDING] + 5 * unseen, 0.0), (torch.zeros(6, EMBEDDING), None)):
        reader.body = nn.Sequential(nn.Flatten(), nn.Linear(784, 1), Says(embedding))
        term = design.terms(reader, Made(torch.zeros(6, 1, 28, 28), latents, embedding, torch.zeros(6)), 10)[
            "loss_match"
        ].value.item()
        assert term == pytest.approx(expected, abs=1e-5) if expected is not None else term > 0.01


class Says(nn.Module):
    """Gives the same answer to everything."""

    def __init__(self, answer: Tensor) -> None:
        super().__init__()
        self.answer = answer

    def forward(self, x: Tensor) -> Tensor:
        return self.answer


# --- means -------------------------------------------------------------------------------------------------------


def test_every_digit_has_its_mean_in_every_coordinate() -> None:
    design = DigitMeans(latent_dim=100)
    for digit in (0, 1, 9):
        z = design.latents(torch.randn(4000, 101), digit).z
        assert z.mean().item() == pytest.approx(0.5 * digit, abs=0.01)
        assert z.std().item() == pytest.approx(1, abs=0.01)


@settings(deadline=None, max_examples=25)
@given(latent_dim=st.integers(11, 40), spacing=st.floats(0.05, 1), seed=st.integers(0, 99))
def test_beliefs_are_those_of_bayes_rule(latent_dim: int, spacing: float, seed: int) -> None:
    design = DigitMeans(latent_dim=latent_dim, spacing=spacing).double()
    z = design.latents(torch.randn(6, latent_dim + 1, generator=torch.Generator().manual_seed(seed)).double()).z
    log_likelihoods = [-0.5 * ((z - spacing * k) ** 2).sum(1) for k in range(10)]
    assert torch.allclose(design.beliefs(z), torch.stack(log_likelihoods, 1).softmax(1), atol=1e-6)


def test_an_unfolded_latent_is_noise_around_the_direction_of_its_digit() -> None:
    design = DigitMeans(latent_dim=100)
    numbers = torch.randn(200, 101, generator=torch.Generator().manual_seed(3))
    for digit in (0, 4, 9):
        z = design.latents(numbers, digit).z
        clear = design.beliefs(z).argmax(1) == digit
        assert clear.float().mean() > 0.95
        entered = design.enter(z)[clear]
        along = cosines(10, 100)
        noise_BZ = numbers[clear, :-1] - numbers[clear, :-1].mean(1, keepdim=True)
        expected = noise_BZ - noise_BZ @ along.T @ along + 3 * along[digit]
        assert torch.allclose(entered, expected, atol=1e-5)
        assert torch.allclose(entered @ along.T, 3 * torch.eye(10)[digit].expand(len(entered), -1), atol=1e-4)
    assert torch.equal(DigitMeans(latent_dim=100, unfold=False).enter(z), z)


def test_an_unfolded_latent_does_not_tell_how_near_the_neighbour_is() -> None:
    design = DigitMeans(latent_dim=100)
    z = design.latents(torch.randn(200, 101, generator=torch.Generator().manual_seed(3)), 4).z
    centred = z - z.mean(1, keepdim=True)
    nearer, further = design.enter(centred + 2.2), design.enter(centred + 1.8)  # the border to 5 is at 2.25
    assert torch.allclose(nearer, further, atol=1e-5)
    beyond = design.enter(centred + 2.3)
    assert torch.allclose((beyond - nearer).norm(dim=1), torch.full((200,), 3 * 2**0.5), atol=1e-4)


def test_means_overlap_as_much_as_said() -> None:
    """Half a spacing of 0.5 is 2.5 standard deviations of the mean of 100 coordinates; the outer digits err one way."""
    design = DigitMeans(latent_dim=100)
    z, labels = design.latents(torch.randn(40000, 101, generator=torch.Generator().manual_seed(0)))
    assert labels is not None
    wrong = design.beliefs(z).argmax(1).ne(labels).float().mean().item()
    beyond = 1 - NormalDist().cdf(2.5)
    assert wrong == pytest.approx((8 * 2 + 2) / 10 * beyond, abs=0.002)


@given(count=st.integers(1, 12), more=st.integers(1, 30))
def test_directions_are_at_right_angles_to_each_other_and_to_the_line_of_means(count: int, more: int) -> None:
    rows = cosines(count, count + more).double()
    assert torch.allclose(rows @ rows.T, torch.eye(count).double(), atol=1e-5)
    assert torch.allclose(rows.sum(1), torch.zeros(count).double(), atol=1e-5)


# --- terms -------------------------------------------------------------------------------------------------------


def test_terms_are_what_they_are_called_and_reach_the_image(name: str, design: Design) -> None:
    reader, latents = Reader(), design.latents(noise(design, 6))
    fake = (torch.rand(6, 1, 28, 28) * 2 - 1).requires_grad_()
    features = fake.flatten(1)[:, :8]
    terms = design.terms(reader, Made(fake, latents, features, torch.full((6,), 99.0)), iteration=100)
    expected = {
        "match": {"loss_match"},
        "normal match": {"loss_match"},
        "squared match": {"loss_match"},
        "infogan": {"loss_code", "loss_continuous"},
    }
    assert set(terms) == expected.get(name, {"loss_reading"} if "means" in name else set())
    for term in terms.values():
        (gradient,) = torch.autograd.grad(term.value, fake, retain_graph=True)
        assert gradient.abs().sum() > 0
    if "means" in name:
        logits = reader.head(reader.embed((fake + 1) / 2))
        assert latents.labels is not None
        nearest = (latents.z.mean(1) / 0.5).round().clamp(0, 9).long()
        shown = latents.labels if name == "folded means" else nearest
        assert not torch.equal(latents.labels, nearest)  # with so few coordinates some lie nearer to another mean
        by_hand = -torch.stack([logits.log_softmax(1)[i, label] for i, label in enumerate(shown.tolist())])
        assert torch.allclose(terms["loss_reading"].value, by_hand.mean())
    if name == "squared match":
        found = reader.embed((fake + 1) / 2)
        assert torch.allclose(terms["loss_match"].value, ((found - latents.z[:, :EMBEDDING]) ** 2).mean())


@pytest.mark.parametrize("name", GUIDED)
def test_a_term_is_not_even_computed_before_its_start(name: str) -> None:
    design = DESIGNS[name](latent_dim=16, iterations_per_pass=10, weight=2.0, start=3.0)
    design.warm_up = 2.0  # type: ignore[assignment]
    latents, fake = design.latents(noise(design, 4)), torch.rand(4, 1, 28, 28)
    made = Made(fake, latents, fake, torch.full((4,), 99.0))
    assert design.terms(None, made, 29) == {}
    for iteration, weight in ((40, 1.0), (60, 2.0)):
        (term,) = design.terms(Reader(), made, iteration).values()
        assert term.weight == pytest.approx(weight)


def test_a_term_counts_as_far_as_the_discriminator_is_taken_in() -> None:
    gated, open_ = (DigitMeans(16, weight=3.0, start=0, warm_up=0, gated=gated) for gated in (True, False))
    for logits, factor in (([-50.0, -50.0], 0.0), ([0.0, -50.0], 0.5), ([0.0, 0.0], 1.0), ([50.0, 50.0], 1.0)):
        assert gated.weight_at(5, torch.tensor(logits)) == pytest.approx(3 * factor)
        assert open_.weight_at(5, torch.tensor(logits)) == 3


def test_a_bad_number_is_refused_in_one_line() -> None:
    for made, message in (
        (lambda: DigitMeans(latent_dim=10), r"`latent_dim` must be above the 10 .*\(model\.latent_dim\)"),
        (lambda: DigitMeans(100, spacing=0), r"`spacing` must .*\(model\.design\.spacing\)"),
        (lambda: DigitMeans(100, weight=-1), r"`weight` must .*\(model\.design\.weight\)"),
        (lambda: EmbeddingMatch(100, spread=2), r"`spread` must .*\(model\.design\.spread\)"),
        (lambda: EmbeddingMatch(50), r"`latent_dim` must be above the 50 .*\(model\.latent_dim\)"),
        (lambda: EmbeddingMatch(100, prior="x"), r"`prior` must be one of embeddings, normal.*"),
        (lambda: EmbeddingMatch(100, match="x"), r"`match` must be one of reading, squared, softmax.*"),
        (lambda: InfoGan(12), r"`latent_dim` must be above the 12 .*"),
        (lambda: InfoGan(100, num_codes=1), r"`num_codes` must .*\(model\.design\.num_codes\)"),
        (lambda: Conditional(10), r"`latent_dim` must be above the 10 .*"),
    ):
        with pytest.raises(ValueError, match=f"^{message}"):
            made()


# --- in training -------------------------------------------------------------------------------------------------


@pytest.fixture
def trained(name: str, make_module: MakeModule, data: DcganDataModule, train: Train) -> DcganModule:
    reader = Reader()
    module = make_module(latent_dim=16, design=DESIGNS[name], reader=reader if name in GUIDED else None)
    before = [parameter.clone() for parameter in reader.parameters()]
    run = train(module, data, 3)
    assert all(torch.equal(a, b) for a, b in zip(before, reader.parameters(), strict=True)), "the reader is frozen"
    assert all(parameter.grad is None for parameter in reader.parameters())
    trained: DcganModule = run.lightning_module if hasattr(run, "lightning_module") else module
    return trained


def test_every_design_trains_samples_and_answers(name: str, trained: DcganModule) -> None:
    assert trained.num_labels == (10 if name in LABELLED else 0)
    assert trained.labels_are_digits == (name in LABELLED and name != "infogan")
    images = trained.sample(5, seed=0)
    assert images.shape == (5, 1, 28, 28)
    assert images.min() >= 0
    assert images.max() <= 1
    if name in LABELLED:
        assert torch.equal(trained.sample(5, seed=0, label=4), trained.sample(7, seed=0, label=4)[:5])
    assert not any("reader" in key for key in trained.state_dict()), "the reader's weights are its own run's"


def test_what_a_design_learns_is_learned_with_the_generator(
    make_module: MakeModule, data: DcganDataModule, train: Train
) -> None:
    module = make_module(latent_dim=16, design=InfoGan)
    before = [parameter.clone() for parameter in module.design.parameters()]
    assert before
    train(module, data, 2)
    assert all(not torch.equal(a, b) for a, b in zip(before, module.design.parameters(), strict=True))


def test_a_design_that_needs_a_reader_says_so(make_module: MakeModule, data: DcganDataModule, train: Train) -> None:
    with pytest.raises(ValueError, match=r"^`reader` must be a classifier's run; got None \(model\.reader\)$"):
        train(make_module(latent_dim=16, design=DESIGNS["means"]), data, 1)


def test_a_plain_gan_adds_nothing_to_a_checkpoint(make_module: MakeModule) -> None:
    assert {key.partition(".")[0] for key in make_module().state_dict()} == {"generator", "discriminator"}
