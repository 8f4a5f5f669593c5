"""A class's scores by hand, and every way to remove segments with the same scores."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from PIL import Image

from scenelens.errors import SceneLensError
from scenelens.minimal_images.cut_image import BATCH, CutImage, _ClassScores
from scenelens.minimal_images.regions import Regions
from scenelens.minimal_images.search import minimal_image
from scenelens.networks.network import Network
from scenelens.networks.preprocessing import Preprocessing
from tests.small_network import CLASSES, SIZE, photograph, small_network


def grid(rows: int, columns: int, shape: tuple[int, int] = SIZE) -> np.ndarray:
    """A segment map of rows x columns boxes."""
    down, across = (np.arange(n) * k // n for n, k in zip(shape, (rows, columns), strict=True))
    return down[:, None] * columns + across


def test_scores_by_hand():
    found = _ClassScores.of_logits(np.log([[0.5, 0.3, 0.2], [0.25, 0.5, 0.25]]), 2)
    np.testing.assert_allclose(found.score, [0.2, 0.25])
    assert found.rank.tolist() == [3, 3]  # of equal classes the first is ahead
    assert found.predicted.tolist() == [0, 1]
    assert _ClassScores.of_logits(np.zeros((1, 3)), 0).rank.tolist() == [1]


def test_log_scores_tell_what_probabilities_cannot():
    close = _ClassScores.of_logits(np.array([[40.0, 0.0], [41.0, 0.0]]), 0)
    assert close.score.tolist() == [1.0, 1.0]
    assert _ClassScores.of_logits(np.array([[30.0, 0.0], [31.0, 0.0]]), 0).log_score.argmax() == 1
    assert np.isfinite(_ClassScores.of_logits(np.array([[-1e4, 1e4]]), 0).log_score).all()


def test_classes_by_name_and_number():
    network = small_network()
    assert CutImage.class_number(network, "cave") == CutImage.class_number(network, 2) == 2
    with pytest.raises(SceneLensError, match="close names: beach"):
        CutImage.class_number(network, "beech")
    for number in (-1, 4):
        with pytest.raises(SceneLensError, match="classes 0 to 3"):
            CutImage.class_number(network, number)


def test_two_classes_of_one_name_are_told_apart():
    first = small_network()
    network = Network(first.module, "scene", ["crane", "beach", "Crane", "dune"], first.preprocessing)
    assert network.classes == ["crane (0)", "beach", "Crane (2)", "dune"]
    with pytest.raises(
        SceneLensError, match=r"several classes called 'crane': write 'crane \(0\)' or 'Crane \(2\)'"
    ):
        CutImage.class_number(network, "crane")
    assert [CutImage.class_number(network, name) for name in ("crane (0)", "Crane (2)", "BEACH")] == [0, 2, 1]
    seen = next(n for n in range(99) if network.predict(photograph(n)).predicted[0] == "crane (0)")
    found = minimal_image(network, photograph(seen), grid(2, 2), "Crane (2)")
    assert found.reason == "not classified as Crane (2) but as crane (0): nothing to simplify"
    assert found.target == "Crane (2)"


def test_the_target_is_what_the_network_sees_unless_it_is_given():
    network = small_network()
    cut = CutImage(network, photograph(), grid(2, 2))
    assert cut.target == network.predict(photograph()).predicted[0]
    assert cut.whole_scores.rank.tolist() == [1]
    other = next(name for name in CLASSES if name != cut.target)
    assert CutImage(network, photograph(), grid(2, 2), other).whole_scores.rank[0] > 1


def test_all_ways_to_remove_segments_agree():
    network, n = small_network(), 40
    assert n > BATCH
    cut = CutImage(network, photograph(), grid(5, 8))
    kept = np.random.default_rng(0).random(n) < 0.9
    segments = np.flatnonzero(kept)
    without = cut.scores_without(kept, segments)
    choices = np.array([kept & (np.arange(n) != segment) for segment in segments])
    looks = cut.scores(choices)
    single = [
        _ClassScores.of_logits(network(cut.picture(one), framed=True).numpy(), cut.target_number)
        for one in choices
    ]
    np.testing.assert_allclose(without.log_score, looks.log_score, atol=1e-4)
    np.testing.assert_allclose(without.log_score, [one.log_score[0] for one in single], atol=1e-4)
    assert without.rank.tolist() == looks.rank.tolist() == [int(one.rank[0]) for one in single]


def test_a_flat_segment_is_not_looked_at_again():
    image = photograph()
    image[:12, :16] = 77
    segment_map = grid(2, 2)
    segment_map[11, :16] = segment_map[:12, 15] = 1  # the steps at its border are another's
    cut = CutImage(small_network(), image, segment_map)
    assert cut.bases.has_gradient.tolist() == [False, True, True, True]
    everything, seen = np.ones(4, bool), []
    original = cut._logits
    cut._logits = lambda pictures: seen.append(len(pictures)) or original(pictures)
    found = cut.scores_without(everything, np.arange(4), current=cut.whole_scores)
    assert seen == [3]
    assert found.log_score[0] == cut.whole_scores.log_score[0]
    plain = cut.scores_without(everything, np.arange(4))
    np.testing.assert_allclose(found.log_score, plain.log_score, atol=1e-5)
    only = cut.scores_without(everything, np.array([0]), current=cut.whole_scores)
    assert only.rank.tolist() == cut.whole_scores.rank.tolist()


def test_regions_of_the_photograph_are_framed_with_it():
    network = small_network(resize="short side", resize_to=32)
    image = photograph(1, (48, 90))
    whole = grid(2, 6, (48, 90))
    cut = CutImage(network, image, whole)
    assert cut.regions.shape == SIZE
    assert len(cut.regions) < 12  # the crop cuts the outer ones off
    framed = CutImage(network, image, cut.regions)
    assert framed.regions.hash == cut.regions.hash


def test_without_regions_they_are_found():
    assert len(CutImage(small_network(), photograph(2)).regions) >= 2


def test_a_photograph_by_its_path(tmp_path):
    Image.fromarray(photograph()).save(tmp_path / "a.png")
    cut = CutImage(small_network(), tmp_path / "a.png", grid(2, 2))
    assert (cut.frame == photograph()).all()
    with pytest.raises(SceneLensError, match="there is no image"):
        CutImage(small_network(), tmp_path / "b.png")


@pytest.mark.parametrize(
    ("regions", "sentence"),
    [
        (np.zeros((5, 5), int), "the regions are"),
        ({"bed": grid(1, 2) == 0}, "are in no mask"),
        ({"bed": grid(1, 2) == 0, "all": grid(1, 1) == 0}, "masks overlap"),
        (np.zeros(SIZE), "a segment map is"),
    ],
)
def test_regions_that_do_not_fit(regions, sentence):
    with pytest.raises(SceneLensError, match=sentence):
        CutImage(small_network(), photograph(), regions)


def test_a_broken_network_says_so():
    module = torch.nn.Sequential(torch.nn.Flatten(), torch.nn.Linear(3 * 4 * 4, 2))
    network = Network(module, "scene", ["a", "b"], Preprocessing(size=(4, 4)))
    torch.nn.init.constant_(module[1].weight, float("nan"))
    with pytest.raises(SceneLensError, match="numbers that are not finite"):
        CutImage(network, photograph(shape=(4, 4)), Regions.from_map(grid(2, 2, (4, 4))))
