"""The search equals the plain loop that solves and looks anew for every candidate; stops and refusals."""

from __future__ import annotations

import json
from contextlib import contextmanager

import numpy as np
import pandas as pd
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import nn

from scenelens.errors import SceneLensError
from scenelens.minimal_images.cut_image import CutImage
from scenelens.minimal_images.gradient_domain import _GradientBases
from scenelens.minimal_images.search import RULES, MinimalImage, _kept_by_rule, minimal_image, simplify
from scenelens.networks.network import Network
from scenelens.networks.preprocessing import Preprocessing
from tests.minimal_images.poisson import integrate
from tests.minimal_images.test_cut_image import grid
from tests.small_network import CLASSES, SIZE, photograph, small_network


def plain_search(
    network: Network, image: np.ndarray, segment_map: np.ndarray, rule: str = "class"
) -> list[int]:
    """Segments in the order of removal: for every candidate zero the gradients, solve, one forward pass."""
    whole = network.predict(image, framed=True).iloc[0]
    target = network.classes.index(whole.predicted)
    left, removed = list(range(segment_map.max() + 1)), []
    while left:
        scores = []
        for candidate in left:
            owned = np.isin(segment_map, [one for one in left if one != candidate])[..., None]
            down, right = (one * owned for one in _GradientBases.forward_differences(image))
            picture = np.clip(np.floor(integrate(down, right, image.mean((0, 1))) + 0.5), 0, 255)
            logits = network(picture.astype(np.uint8), framed=True)[0].double()
            scores.append((logits.log_softmax(0)[target].item(), int(logits.argmax()) == target))
        best = max(range(len(left)), key=lambda n: scores[n][0])
        removed.append(left.pop(best))
        enough = scores[best][1] if rule == "class" else np.exp(scores[best][0]) >= whole.probability / 2
        if not enough:
            break
    return removed


@given(st.integers(0, 10_000), st.sampled_from([(1, 3), (2, 2), (2, 4), (3, 3)]), st.sampled_from(RULES))
@settings(max_examples=16, deadline=None)
def test_the_search_is_the_plain_loop(seed, boxes, rule):
    network, image, segment_map = _sure_network(seed % 7), photograph(seed), grid(*boxes)
    found = minimal_image(network, image, segment_map, rule=rule)
    assert found.steps.removed[1:].tolist() == plain_search(network, image, segment_map, rule)


@given(st.integers(0, 10_000), st.sampled_from([(2, 2), (2, 4), (3, 3)]))
@settings(max_examples=12, deadline=None)
def test_one_search_keeps_what_a_search_by_each_rule_keeps(seed, boxes):
    cut = CutImage(_sure_network(seed % 7), photograph(seed), grid(*boxes))
    for rule, kept in _kept_by_rule(cut).items():
        np.testing.assert_array_equal(kept, simplify(cut, rule=rule).kept)


@pytest.mark.parametrize("order", ["greedy", "random"])
def test_the_rule_of_half_keeps_at_least_half_of_the_score(order):
    network, ended = _sure_network(), 0
    for seed in range(6):
        found = minimal_image(network, photograph(seed), grid(3, 4), order=order, rule="half")
        scores = found.steps.score.to_numpy()
        assert found.score >= scores[0] / 2
        assert (scores[:-1] >= scores[0] / 2).all()
        assert scores[-1] < scores[0] / 2 or not found.kept.any()
        ended += scores[-1] < scores[0] / 2
    assert ended >= 4


def _sure_network(seed: int = 0) -> Network:
    """A network whose scores lie near 0 and 1, so that they can fall below half."""
    network = small_network(seed)
    for weights in network.module[-1].parameters():
        weights.data *= 10
    return network


@given(st.integers(0, 10_000), st.sampled_from(["greedy", "random"]))
@settings(max_examples=12, deadline=None)
def test_what_a_result_says_is_true(seed, order):
    network, segment_map = small_network(seed % 7), grid(3, 4)
    found = minimal_image(network, photograph(seed), segment_map, order=order, seed=seed)
    steps = found.steps
    prediction = network.predict(found.image, framed=True).iloc[0]
    assert prediction.predicted == found.target  # the last correct one
    assert prediction.probability == pytest.approx(found.score, abs=1e-5)
    assert steps.correct[:-1].all()
    assert steps.correct.iloc[-1] == (not found.kept.any())  # stopped by an error, or nothing was left
    last = steps[steps.correct].iloc[-1]
    np.testing.assert_array_equal(found.kept_after(int(last.step)), found.kept)
    assert last["share"] == pytest.approx(found.share)
    assert found.share == pytest.approx(found.mask.mean())
    assert (found.mask == found.kept[segment_map]).all()
    assert steps.removed[1:].is_unique
    assert ((steps["rank"] == 1) == steps.correct).all()
    assert (steps.predicted[steps.correct] == found.target).all()


def test_most_searches_end_with_another_class():
    """The stop is tested on searches that come to one."""
    network = small_network()
    found = [minimal_image(network, photograph(seed), grid(3, 4)) for seed in range(6)]
    assert sum(not one.steps.correct.iloc[-1] for one in found) >= 4
    assert len({one.target for one in found}) > 1


def test_random_orders_are_seeded_and_differ():
    network, image = small_network(), photograph(3)
    runs = [minimal_image(network, image, grid(4, 10), order="random", seed=seed) for seed in (0, 0, 1)]
    removed = [run.steps.removed[1:].tolist() for run in runs]
    assert removed[0] == removed[1]
    assert removed[0] != removed[2]
    expected = np.random.default_rng(0).permutation(40)[: len(removed[0])].tolist()
    assert removed[0] == expected
    assert runs[0].provenance["seed"] == 0


def bright_left() -> Network:
    """Says 'left' where the left half is brighter than the right one, by their mean."""
    module = nn.Sequential(nn.AdaptiveAvgPool2d((1, 2)), nn.Flatten(), nn.Linear(6, 2))
    module[2].bias.data = torch.tensor([0.0, 0.05])  # of a flat picture it says 'right'
    left = torch.tensor([1.0, -1, 1, -1, 1, -1])
    module[2].weight.data = torch.stack([left, -left])
    return Network(module, "scene", ["left", "right"], Preprocessing(size=(4, 8)))


def test_by_hand():
    """One step in the middle makes the class; a line of dots on the right is against it."""
    image = np.full((4, 8, 3), 200, np.uint8)
    image[:, 4:] = 100
    image[1, 6] = 160
    segment_map = np.zeros((4, 8), int)
    segment_map[:, 3], segment_map[:, 4:] = 1, 2
    found = minimal_image(bright_left(), image, segment_map)
    assert found.target == "left"
    assert found.steps.removed.tolist() == [pd.NA, 2, 0, 1]  # the dots first, then what changes nothing
    assert found.kept.tolist() == [False, True, False]
    assert (found.image[:, 0] == found.image[:, 3]).all()
    assert found.image[0, 3, 0].astype(int) - found.image[0, 4, 0] == 100
    assert found.steps.correct.tolist() == [True, True, True, False]
    assert str(found).startswith("left: 1 of 3 segments, 12% of the pixels")


def test_a_class_that_needs_nothing():
    """Where even the mean colour is classified correctly nothing is kept."""
    module = nn.Sequential(nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(3, 2))
    nn.init.zeros_(module[2].weight)
    module[2].bias.data = torch.tensor([0.0, 1.0])
    network = Network(module, "scene", ["dark", "any"], Preprocessing(size=SIZE))
    found = minimal_image(network, photograph(), grid(2, 2))
    assert not found.kept.any()
    assert found.steps.correct.all()
    assert found.steps.removed.tolist() == [pd.NA, 0, 1, 2, 3]  # of equals the first
    assert np.ptp(found.image, axis=(0, 1)).max() == 0


def test_not_classified_correctly():
    network, image = small_network(), photograph()
    predicted = network.predict(image).predicted[0]
    wanted = next(name for name in CLASSES if name != predicted)
    found = minimal_image(network, image, grid(2, 2), target=wanted)
    assert not found.simplified
    assert found.reason == str(found) == f"not classified as {wanted} but as {predicted}: nothing to simplify"
    assert (found.image == image).all()
    assert found.kept.all()
    assert found.share == pytest.approx(1)
    assert len(found.steps) == 1
    assert not found.steps.correct[0]


def test_provenance_names_what_it_was_made_with():
    network = small_network()
    about = minimal_image(network, photograph(), grid(2, 2)).provenance
    assert about["weights"] == network.weights_hash
    assert about["regions"]["n"] == 4
    assert about["order"] == "greedy"
    assert "seed" not in about


def test_bad_questions():
    network, image = small_network(), photograph()
    with pytest.raises(SceneLensError, match="one region only"):
        minimal_image(network, image, grid(1, 1))
    with pytest.raises(SceneLensError, match="allowed: greedy, random"):
        minimal_image(network, image, grid(2, 2), order="lazy")
    with pytest.raises(SceneLensError, match="has no class"):
        minimal_image(network, image, grid(2, 2), target="kitchen")
    found = minimal_image(network, image, grid(2, 2))
    for step in (-1, len(found.steps)):
        with pytest.raises(SceneLensError, match="has steps 0 to"):
            found.kept_after(step)


def check_same(first: MinimalImage, second: MinimalImage) -> None:
    """Every bit of two results is the same."""
    for name in ("image", "original", "kept", "mask"):
        np.testing.assert_array_equal(getattr(first, name), getattr(second, name))
    np.testing.assert_array_equal(first.regions.segment_map, second.regions.segment_map)
    pd.testing.assert_frame_equal(first.steps, second.steps, check_exact=True)
    for name in ("target", "score", "reason", "order", "provenance", "share"):
        assert getattr(first, name) == getattr(second, name), name


@contextmanager
def no_run_of(network: Network):
    """The network must not run."""
    # A hook on the module would count as a change of the network, and it is run to see of what kind.
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(Network, "__call__", lambda *_, **__: pytest.fail("the network ran"))
        yield


QUESTIONS = [
    {"regions": grid(3, 4)},
    {"regions": grid(3, 4), "order": "random", "seed": 5},
    {"regions": grid(3, 4), "order": "random", "seed": 6},
    {"regions": None},
    *({"regions": grid(3, 4), "target": name} for name in CLASSES),
]


def test_a_cached_search_is_the_search_itself(tmp_path):
    """Without the network, bit for bit, also where it does not know the image."""
    network, image = small_network(), photograph(3)
    plain = [minimal_image(network, image, **question) for question in QUESTIONS]
    for question, found in zip(QUESTIONS, plain, strict=True):
        check_same(minimal_image(network, image, cache=tmp_path, **question), found)
    with no_run_of(network):
        for question, found in zip(QUESTIONS, plain, strict=True):
            check_same(minimal_image(network, image, cache=tmp_path, **question), found)
    assert {one.simplified for one in plain} == {True, False}
    files = list(tmp_path.glob("*.json"))
    assert len(files) == len(QUESTIONS)
    assert max(path.stat().st_size for path in files) < 4000


def test_another_question_is_another_search(tmp_path):
    """Weights, preprocessing, pixels and segments count, each alone."""
    network, image = small_network(), photograph(3)
    other = image.copy()
    other[5, 5, 0] ^= 1
    darker = small_network(mean=(0.4,) * 3)
    darker.module.load_state_dict(network.module.state_dict())
    cases = [
        (network, image, grid(3, 4)),
        (small_network(1), image, grid(3, 4)),
        (darker, image, grid(3, 4)),
        (network, other, grid(3, 4)),
        (network, image, grid(4, 3)),
    ]
    assert not minimal_image(network, image, grid(3, 4), rule="half").steps.equals(
        minimal_image(network, image, grid(3, 4)).steps
    )
    for net, picture, segment_map in cases:
        check_same(
            minimal_image(net, picture, segment_map, cache=tmp_path), minimal_image(net, picture, segment_map)
        )
    for _ in range(2):
        found = minimal_image(network, image, grid(3, 4), cache=tmp_path, rule="half")
        check_same(found, minimal_image(network, image, grid(3, 4), rule="half"))
    assert len(list(tmp_path.glob("*.json"))) == len(cases) + 1


@pytest.mark.parametrize(
    "damage",
    [
        lambda stored: json.dumps(stored)[:30],
        lambda stored: "[]",
        lambda stored: json.dumps(stored | {"removed": stored["removed"][:-1]}),
        lambda stored: json.dumps(stored | {"removed": [99, *stored["removed"][1:]]}),
        lambda stored: json.dumps(stored | {"removed": [stored["removed"][1], *stored["removed"][1:]]}),
        lambda stored: json.dumps(stored | {"log_score": ["a", *stored["log_score"][1:]]}),
        lambda stored: json.dumps(stored | {"log_score": [0.5, *stored["log_score"][1:]]}),
        lambda stored: json.dumps(stored | {"predicted": [9, *stored["predicted"][1:]]}),
        lambda stored: json.dumps(stored | {"rank": [2, *stored["rank"][1:]]}),
    ],
)
def test_a_damaged_search_is_made_again(tmp_path, damage):
    network, image, segment_map = small_network(), photograph(3), grid(3, 4)
    found = minimal_image(network, image, segment_map, cache=tmp_path)
    (path,) = tmp_path.glob("*.json")
    content = path.read_text()
    path.write_text(damage(json.loads(content)))
    check_same(minimal_image(network, image, segment_map, cache=tmp_path), found)
    assert path.read_text() == content


def test_scores_that_turn_nan_on_the_way():
    class Sqrt(nn.Module):
        def forward(self, x):
            return torch.sqrt(x - 0.35)  # fine on the whole image, not a number on a flat one

    module = nn.Sequential(nn.AdaptiveMaxPool2d(1), nn.Flatten(), nn.Linear(3, 2, bias=False), Sqrt())
    module[2].weight.data = torch.tensor([[0.5, 0.0, 0.0], [0.4, 0.0, 0.0]])
    network = Network(module, "scene", ["a", "b"], Preprocessing(size=SIZE))
    image = np.full((*SIZE, 3), 50, np.uint8)
    image[4, 4] = 255
    cut = CutImage(network, image, grid(1, 2))
    with pytest.raises(SceneLensError, match="numbers that are not finite"):
        simplify(cut)
