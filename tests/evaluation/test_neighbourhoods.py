"""Precision, recall, density and coverage against their definitions, written out, and against expectations."""

from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray
from torch_fidelity.metric_prc import prc_features_to_metric

from genlab.evaluation.coverage import Coverage
from genlab.evaluation.density import Density
from genlab.evaluation.image_data import Scored
from genlab.evaluation.neighbourhoods import density_coverage, distances, precision_recall, squared_radii
from genlab.evaluation.precision import Precision
from genlab.evaluation.recall import Recall

sets = st.lists(st.tuples(st.integers(0, 9), st.integers(0, 9)), min_size=5, max_size=10)


class AsIs:
    """Features are the bytes of the image."""

    num_classes = 1

    def embed(self, x: torch.Tensor) -> torch.Tensor:
        return (x.flatten(1) * 255).round()

    def probabilities(self, x: torch.Tensor) -> torch.Tensor:
        return torch.ones(len(x), 1)


def scored(points: Any) -> Scored:
    bytes_ND = torch.as_tensor(np.asarray(points), dtype=torch.uint8)
    return Scored(bytes_ND[:, None, None, :], None, AsIs())


def radii(points: NDArray[Any], k: int) -> NDArray[Any]:
    return np.array([sorted(np.linalg.norm(points - p, axis=1))[k] for p in points])


@settings(max_examples=50)
@given(sets, sets, st.integers(1, 4))
def test_figures_are_their_definitions(ours: list[Any], theirs: list[Any], k: int) -> None:
    x, y = np.array(ours, dtype=float), np.array(theirs, dtype=float)
    apart = np.linalg.norm(x[:, None] - y[None], axis=2)
    improved = precision_recall(scored(ours), scored(theirs), k)
    assert improved.precision["value"] == pytest.approx((apart <= radii(y, k) + 1e-6).any(axis=1).mean())
    assert improved.recall["value"] == pytest.approx((apart <= radii(x, k)[:, None] + 1e-6).any(axis=0).mean())
    reliable = density_coverage(scored(ours), scored(theirs), k)
    inside = apart < radii(y, k) - 1e-6
    assert reliable.density["value"] == pytest.approx(inside.sum(axis=1).mean() / k)
    assert reliable.coverage["value"] == pytest.approx(inside.any(axis=0).mean())


@pytest.mark.parametrize(("rows", "others", "k"), [(700, 600, 3), (251, 250, 1), (40, 300, 5), (6, 6, 5)])
def test_precision_and_recall_are_torch_fidelitys(fakes: SimpleNamespace, rows: int, others: int, k: int) -> None:
    """In as many rows at once as there are, and in fewer."""
    pair = [Scored(fakes.drawn(count, seed)[0], None, fakes.LinearJudge()) for count, seed in ((rows, 1), (others, 2))]
    found = precision_recall(pair[0], pair[1], k)
    expected = prc_features_to_metric(
        *(each.features.double() for each in pair), prc_neighborhood=k, prc_batch_size=100, save_cpu_ram=True
    )
    assert found.precision["value"] == pytest.approx(expected["precision"], abs=1e-6)
    assert found.recall["value"] == pytest.approx(expected["recall"], abs=1e-6)
    assert 0 < found.precision["value"] < 1 or k == 5


def test_squared_radii_are_those_of_the_distances(fakes: SimpleNamespace) -> None:
    images = Scored(fakes.drawn(300, 3)[0], None, fakes.LinearJudge())
    apart = distances(images.features, images.features)
    for k in (1, 4, 299):
        expected = apart.kthvalue(k + 1).values.square()
        assert torch.allclose(squared_radii(images, k), expected, rtol=1e-9, atol=1e-9)


def test_a_line_by_hand() -> None:
    real, generated = scored([[0, 0], [1, 0], [3, 0], [7, 0]]), scored([[0, 0], [2, 0], [50, 0], [90, 0]])
    # Neighbourhoods of the real points: 1, 1, 2, 4 to either side; of the generated ones: 2, 2, 40, 40.
    assert precision_recall(generated, real, 1).precision["value"] == 0.5
    assert precision_recall(generated, real, 1).recall["value"] == 0.75
    # 0 is inside the neighbourhood of 0 alone (that of 1 ends there), 2 in that of 3, 50 and 90 in none.
    assert density_coverage(generated, real, 1).density["value"] == 0.5
    assert density_coverage(generated, real, 1).coverage["value"] == 0.5


def test_identical_sets_are_perfect_and_distant_ones_hopeless(fakes: SimpleNamespace) -> None:
    images = fakes.drawn(60, 4)[0]
    same, far = (Scored(x, None, fakes.PixelJudge()) for x in (images, 255 - images // 16))
    twin = Scored(images, None, fakes.PixelJudge())
    perfect, dense = precision_recall(twin, same, 3), density_coverage(twin, same, 5)
    assert (perfect.precision["value"], perfect.recall["value"]) == (1, 1)
    assert (dense.density["value"], dense.coverage["value"]) == (pytest.approx(1), 1)
    hopeless, empty = precision_recall(far, same, 3), density_coverage(far, same, 5)
    assert (hopeless.precision["value"], hopeless.recall["value"]) == (0, 0)
    assert (empty.density["value"], empty.coverage["value"]) == (0, 0)


def test_sets_of_one_distribution_have_the_expected_density_and_coverage(fakes: SimpleNamespace) -> None:
    n, k = 400, 5
    sides = [Scored(fakes.drawn(n, seed)[0], None, fakes.LinearJudge()) for seed in range(12)]
    figures = [density_coverage(sides[i], sides[i + 1], k) for i in range(0, 12, 2)]
    # Naeem et al. 2020, equation 6, for n images on either side.
    expected = 1 - np.prod([(n - i) / (2 * n - i) for i in range(1, k + 1)])
    assert np.mean([f.coverage["value"] for f in figures]) == pytest.approx(expected, abs=0.02)
    assert np.mean([f.density["value"] for f in figures]) == pytest.approx(1, abs=0.05)


def test_equal_rows_are_at_distance_zero() -> None:
    rows = 100 + torch.randn(40, 60, generator=torch.Generator().manual_seed(0))
    assert torch.equal(distances(rows, rows).diagonal(), torch.zeros(40, dtype=torch.float64))


def test_distances_are_computed_once_for_both_figures(fakes: SimpleNamespace) -> None:
    pair = [Scored(fakes.drawn(20, seed)[0], None, fakes.LinearJudge()) for seed in (1, 2)]
    assert precision_recall(*pair, 3) is precision_recall(*pair, 3)
    assert density_coverage(*pair, 5) is density_coverage(*pair, 5)
    assert precision_recall(*pair, 3) is not precision_recall(*pair, 4)


@pytest.mark.parametrize("measure", [Precision, Recall, Density, Coverage])
def test_both_sides_are_of_equal_size(fakes: SimpleNamespace, measure: Any) -> None:
    model = fakes.Emits(lambda count, seed: fakes.drawn(count, seed + 50)[0].float() / 255)
    result = measure(count=100)(model, fakes.image_data(train=150, test=60))
    assert (result["generated_count"], result["real_count"]) == (100, 100)
    assert (result["count"], result["floor"]["count"]) == (100, 60)
    assert result["value"] == pytest.approx(result["floor"]["value"], abs=0.15)
    fewer = measure(count=100)(model, fakes.image_data(train=70, test=60))
    assert (fewer["generated_count"], fewer["real_count"]) == (70, 70)


@pytest.mark.parametrize("measure", [Precision, Recall, Density, Coverage])
def test_too_few_images_for_a_neighbourhood_are_refused(fakes: SimpleNamespace, measure: Any) -> None:
    with pytest.raises(ValueError, match=rf"`count` must be above k = 7; got 7 \(evaluators.{measure.name}.count\)"):
        measure(count=7, k=7)
    model = fakes.Emits(lambda count, seed: torch.zeros(count, 1, 6, 6))
    with pytest.raises(ValueError, match=rf"`k` must be below the 4 images .*; got 9 \(evaluators.{measure.name}.k\)"):
        measure(count=100, k=9)(model, fakes.image_data(test=4))
