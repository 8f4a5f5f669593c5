"""The claims of section 4: which objects have detectors, why these, and what one forward pass can find."""

from __future__ import annotations

import math

import pandas as pd

from scenelens import paper
from scenelens.emergence import Emergence
from scenelens.errors import CannotAnswerError
from scenelens.intervals import bootstrap_interval, difference_interval, wilson_interval
from scenelens.localization import StudyLocalizer, compare_networks, compare_with_paper
from scenelens.sentences import named, percent
from scenelens.verdict.claims import PLAIN, SHARE, _above_zero, _all_inside, _Claim, _Finding, _n, _Number
from scenelens.verdict.results import _Results

_EMERGENCE, _LOCALIZATION = "04_1_emergent_objects", "04_2_localization"
_FEWEST_OBJECTS, _FEWEST_CATEGORIES = 5, 3  # with fewer, nothing follows from a correlation
_FEWEST_IMAGES = 10  # annotated ones: an object can be on five of them and missing from five
_PUBLISHED_UNITS = 512  # of pool5 in the paper's two networks
_FEWEST_KINDS = 10  # objects, for a law of their frequencies
_STRAIGHT = 0.9  # share of the variance of the logarithms from which on a law counts as followed


# ---- 4.1


def _enough(results: _Results) -> Emergence:
    """The study's detectors, where there are images enough to compare networks."""
    found = results.emergence()
    if found.n_annotated < _FEWEST_IMAGES:
        raise CannotAnswerError(
            f"{found.n_annotated} annotated images are too few: from {_FEWEST_IMAGES} on an object can be "
            "on some and missing from as many."
        )
    return found


def _more_detectors(results: _Results) -> _Finding:
    results.need_pair()
    _enough(results)
    table = results.by_rules()
    outcomes, numbers = {}, []
    for rule, rows in table.groupby("rule", sort=False):
        own = rows.set_index("network")
        scene, other = own.loc["scene"], own.loc["object"]
        low, high = difference_interval(scene.detectors, scene.n, other.detectors, other.n)
        outcomes[str(rule)] = _above_zero(low, high)
        for name in paper.PAIR:
            k, n = int(own.detectors[name]), int(own.n[name])
            what = f"{name} network, {rule}"
            numbers.append(_Number(what, math.nan, k / n, *wilson_interval(k, n), SHARE, _n(n, "unit")))
    return _Finding(
        outcomes=outcomes,
        numbers=tuple(numbers),
        cases={
            "image": results.emergence().n_annotated,
            "unit": int(table.groupby("network").n.first().sum()),
        },
        fair=False,
        why="the paper asked people; here a unit's label is the concept that it overlaps best",
    )


def _detecting(results: _Results) -> _Finding:
    results.need_scene_network()
    _enough(results)
    none, of = paper.NO_OBJECT["pool5"]
    theirs = 1 - none / of
    rows = results.by_rules()
    numbers, outcomes = [], {}
    for row in rows[rows.network == "scene"].itertuples():
        k, n = int(row.detectors), int(row.n)
        one = _Number(row.rule, theirs, k / n, *wilson_interval(k, n), SHARE, _n(n, "unit"))
        numbers.append(one)
        outcomes[row.rule] = one.inside
    dissected, majority = paper.DISSECTED_OBJECTS["places205-alexnet"][0], paper.MAJORITY_OBJECTS["scene"][0]
    return _Finding(
        outcomes=outcomes,
        numbers=tuple(numbers),
        cases={
            "image": results.emergence().n_annotated,
            "unit": int(rows[rows.network == "scene"].n.iloc[0]),
        },
        text=f"For the paper's own network, an IoU above 0.04 counts {percent(dissected / of)}, and the "
        f"majority of the three released answers {percent(majority / of)}.",
        fair=False,
        why="the paper asked people; here a rule on the overlap with annotated objects decides",
    )


def _single_objects(results: _Results) -> _Finding:
    answers = results.released()
    found = {
        name: answers.people_by_unit(network, "pool5", paper.UNIT_WORDS[name])
        for network, name in paper.UNITS_FOR
    }
    theirs = {name: count for (_, name), count in paper.UNITS_FOR.items()}
    outcomes: dict[str, bool | None] = {}
    texts = []
    for least, rule in ((2, "two of three people or more"), (1, "one of three people or more")):
        ours = {name: int((people >= least).sum()) for name, people in found.items()}
        outcomes[rule] = all(ours[name] >= theirs[name] for name in theirs)
        counts = (f"{name} {ours[name]} (the paper: {theirs[name]})" for name in theirs)
        texts.append(f"by {rule}: {', '.join(counts)}")
    return _Finding(
        outcomes=outcomes,
        cases={"unit": _PUBLISHED_UNITS},
        text=f"Units of pool5 whose name has the word, {'; '.join(texts)}.",
        why="the paper's own answers; how many people have to agree, it does not say",
    )


def _zipf(results: _Results) -> _Finding:
    law = results.emergence().zipf
    if law.n_objects < _FEWEST_KINDS:
        raise CannotAnswerError(
            f"the annotated scenes here show {_n(law.n_objects, 'object')}, and a law of frequencies needs "
            f"{_FEWEST_KINDS} or more."
        )
    number = _Number("exponent", 1.0, law.exponent, law.low, law.high, PLAIN, _n(law.n_objects, "object"))
    return _Finding(
        outcomes={"explained variance": law.fit >= _STRAIGHT},
        numbers=(number,),
        cases={"image": law.n_images, "object": law.n_objects},
        text=f"R squared of the logarithms is {law.fit:.2f}. An exponent of 1 is Zipf's law in its strict "
        "form.",
        fair=not results.rendered,
        why="the counts of a rendered world were chosen by its makers"
        if results.rendered
        else "instances of objects in annotated photographs, as in the paper",
    )


def _correlation(results: _Results, name: str) -> pd.Series:
    results.need_scene_network()
    found = results.emergence()
    rows = found.correlated("scene")
    row = rows[(rows.measure == "pearson") & (rows.against == name)].iloc[0]
    if row.reason:
        raise CannotAnswerError(f"there is no correlation: {row.reason}.")
    if row.n < _FEWEST_OBJECTS or row.low != row.low:
        raise CannotAnswerError(f"{row.n} objects are too few for a correlation.")
    return row


def _few_categories(results: _Results) -> None:
    informative = results.emergence().informative
    n = 0 if informative is None else len(informative.counted)
    if n < _FEWEST_CATEGORIES:
        raise CannotAnswerError(
            f"an object identifies {n} scene categor{'y' if n == 1 else 'ies'} here, too few to say which "
            "objects are informative."
        )


def _as_number(row: pd.Series, what: str) -> _Number:
    return _Number(what, row.paper, row.r, row.low, row.high, PLAIN, _n(row.n, "object"))


def _with_frequency(results: _Results) -> _Finding:
    row = _correlation(results, "frequency")
    number = _as_number(row, "r with frequency")
    opposite = " The sign is the opposite one." if row.r * row.paper < 0 else ""
    return _Finding(
        outcomes={"Pearson's r": number.inside},
        numbers=(number,),
        cases={"object": int(row.n), "image": len(results.emergence().seen.images)},
        text=f"Permutation p = {row.p:.3f}.{opposite}",
        fair=not results.rendered,
        why="which objects are frequent was chosen by the makers of a rendered world"
        if results.rendered
        else "the same count, on other photographs; the paper's number of objects is not given",
    )


def _with_informativeness(results: _Results) -> _Finding:
    _few_categories(results)
    row = _correlation(results, "informativeness")
    number = _as_number(row, "r with informativeness")
    largest = results.emergence().table.informativeness.max()
    flat = largest == 1
    return _Finding(
        outcomes={"categories whose best object it is": number.inside},
        numbers=(number,),
        cases={"object": int(row.n), "image": len(results.emergence().seen.images)},
        text=f"Permutation p = {row.p:.3f}.",
        fair=not flat,
        why="informativeness is 0 or 1 for every object here, and a count of units cannot follow that closely"
        if flat
        else "one reading of what the paper calls informative",
    )


def _rather_informative(results: _Results) -> _Finding:
    _few_categories(results)
    row = _correlation(results, "difference")
    number = _as_number(row, "r with informativeness less r with frequency")
    return _Finding(
        outcomes={"categories whose best object it is": _above_zero(row.low, row.high)},
        numbers=(number,),
        cases={"object": int(row.n), "image": len(results.emergence().seen.images)},
        fair=not results.rendered,
        why="frequency and informativeness were set against each other by the makers of a rendered world"
        if results.rendered
        else "both correlations on the same objects",
    )


def _only_informative(results: _Results) -> _Finding:
    results.need_scene_network()
    _few_categories(results)
    table = results.emergence().table
    units, telling = table["units_scene"], table["informativeness"] > 0
    needless, missed = int((~telling & (units > 0)).sum()), int((telling & (units == 0)).sum())
    k, n = int((units[telling] > 0).sum()), int(telling.sum())
    rest = int((~telling).sum())
    return _Finding(
        outcomes={"objects with a unit": needless == 0},
        numbers=(
            _Number(
                "other objects with a unit", 0.0, needless / max(rest, 1),
                *wilson_interval(needless, rest), SHARE, _n(rest, "object"),
            ),
            _Number(
                "informative objects with a unit", math.nan, k / n, *wilson_interval(k, n), SHARE,
                _n(n, "object"),
            ),
        ),
        cases={"object": len(table)},
        text=f"{missed} of the {n} informative objects have no unit.",
        why="the paper's sentence, taken at its word",
    )  # fmt: skip


# ---- 4.2


def _scored(results: _Results) -> StudyLocalizer:
    results.need_scene_network()
    return results.localizers()["scene"]


def _one_pass(results: _Results) -> _Finding:
    one = _scored(results)
    boxes = one.scores.boxes
    deepest = one.localizer.layers[-1]
    own = boxes[boxes.layer == deepest]
    if own.empty:
        raise CannotAnswerError(f"no box of {named(deepest)} is on a test image here.")
    numbers, outcomes = [], {}
    for what, rows in (("all boxes", own), ("confidence of 50% or more", own[own.confidence >= 0.5])):
        if len(rows):
            number = _right(rows, f"{deepest}, {what}")
            numbers.append(number)
            outcomes[what] = _above_zero(number.low - 0.5, number.high - 0.5)
    return _Finding(
        outcomes=outcomes,
        numbers=tuple(numbers),
        cases={"image": len(one.scores.images), "box": len(own)},
        text="Share of the boxes that are right; images are drawn for the interval, because the boxes of "
        "one image depend on each other.",
        fair=False,
        why="the paper shows pictures and gives no share",
    )


def _right(boxes: pd.DataFrame, what: str) -> _Number:
    """The share of right boxes, with an interval over images where the boxes know theirs."""
    right = boxes.right.to_numpy(float)
    if "image" in boxes:
        counts = boxes.groupby("image").right.agg(["sum", "size"]).to_numpy(float)
        low, high = bootstrap_interval(counts, lambda drawn: drawn[:, 0].sum() / drawn[:, 1].sum())
    else:
        low, high = wilson_interval(int(right.sum()), len(right))
    return _Number(what, math.nan, float(right.mean()), low, high, SHARE, _n(len(right), "box"))


def _segmented(results: _Results) -> _Finding:
    one = _scored(results)
    table = compare_with_paper(one)
    scored = table[(table.images >= _FEWEST_OBJECTS) & (table.n - table.images >= _FEWEST_OBJECTS)]
    if scored.empty:
        raise CannotAnswerError("none of the paper's objects is on five test images and missing from five.")
    numbers = [
        _Number(
            f"{row.concept}, AP", row.ap_paper, row.ap, row.ap_low, row.ap_high, PLAIN, _n(row.n, "image")
        )
        for row in scored.itertuples()
    ]
    inside = sum(one.inside is True for one in numbers)
    lower = int((scored.ap < scored.ap_paper).sum())
    return _Finding(
        outcomes={"AP of the best unit": _all_inside(numbers)},
        numbers=tuple(numbers),
        cases={"image": int(scored.n.max()), "object": len(scored)},
        text=f"The paper's AP lies inside our interval for {inside} of {len(scored)} objects; ours is "
        f"lower for {lower}.",
        fair=False,
        why="other images: how rare an object is among them decides what an AP is worth",
    )


def _discovered(results: _Results) -> _Finding:
    _scored(results)
    table = compare_networks(results.localizers()).set_index("network")
    row = table.loc["scene"]
    if row.ap_low != row.ap_low:
        raise CannotAnswerError("one object alone is on enough test images, and a mean needs several.")
    numbers = [
        _Number(
            f"mean AP, {name} network",
            math.nan,
            one.ap,
            one.ap_low,
            one.ap_high,
            PLAIN,
            _n(one.objects, "object"),
        )
        for name, one in table.iterrows()
    ]
    return _Finding(
        outcomes={
            "mean AP of the best units": _above_zero(row.ap_low - row.chance, row.ap_high - row.chance)
        },
        numbers=tuple(numbers),
        cases={"image": int(row.n), "object": int(row.objects)},
        text=f"By chance the mean AP would be {row.chance:.2f}. No object was a label of the training.",
        why="the paper shows a histogram of AP and no chance",
    )


CLAIMS = (
    _Claim(
        "detectors", "4.1", "How many units detect objects",
        "55% of the units of the scene network's pool5 detect an object (141 of 256; 115 detect none).",
        "Holds if 55% lies inside our interval by each of the rules for a detector, as if the units were "
        "drawn from all that such a training can make.",
        (_EMERGENCE, "How much depends on the rule?"), _detecting, ("scene",),
    ),
    _Claim(
        "more-detectors", "4.1", "Detectors in both networks",
        "Training on scenes gives more object detectors than training on objects.",
        "Holds if the interval of the difference lies above 0 by each of the rules for a detector, as if the "
        "units were drawn from all that such a training can make.",
        (_EMERGENCE, "How much depends on the rule?"), _more_detectors,
    ),
    _Claim(
        "single-objects", "4.1", "Several units for one object",
        "Six units of the scene network detect lamps and nine people; 23 units of the object network "
        "detect dogs.",
        "Holds if at least as many units are named by such a word, however many of the three people have "
        "to agree.",
        (_EMERGENCE, "The paper's own networks"), _single_objects, ("the paper",),
    ),
    _Claim(
        "zipf", "4.1", "Frequencies of objects",
        "The frequencies of objects in scenes follow Zipf's law.",
        f"Holds if the law explains {percent(_STRAIGHT)} or more of the variance of the logarithms.",
        (_EMERGENCE, "How frequent is an object?"), _zipf, (),
    ),
    _Claim(
        "frequency", "4.1", "Frequent objects",
        "The number of units per object correlates with the object's frequency: r = 0.54.",
        "Holds if the paper's r lies inside our interval.",
        (_EMERGENCE, "Frequent, or informative?"), _with_frequency, ("scene",),
    ),
    _Claim(
        "informativeness", "4.1", "Informative objects",
        "The number of units per object correlates with how well the object tells scenes apart: r = 0.84.",
        "Holds if the paper's r lies inside our interval.",
        (_EMERGENCE, "Frequent, or informative?"), _with_informativeness, ("scene",),
    ),
    _Claim(
        "rather-informative", "4.1", "Informative rather than frequent",
        "Detectors emerge for informative objects rather than for frequent ones.",
        "Holds if the interval of the difference of the two correlations lies above 0.",
        (_EMERGENCE, "Frequent, or informative?"), _rather_informative, ("scene",),
    ),
    _Claim(
        "only-informative", "4.1", "Only informative objects",
        "Only the objects that tell scenes apart get a detector.",
        "Holds if no other object has a unit.",
        (_EMERGENCE, "Figure 9: everything in one order"), _only_informative, ("scene",),
    ),
    _Claim(
        "one-pass", "4.2", "Objects from one forward pass",
        "One forward pass names the scene and finds its objects.",
        "Holds if more than half of the deepest layer's boxes are right, of all boxes and of the "
        "confident ones.",
        (_LOCALIZATION, "A confidence for one box"), _one_pass, ("scene",),
    ),
    _Claim(
        "segmentations", "4.2", "How well units find objects",
        "Units of pool5 find objects with the AP of Figure 11a, such as 0.811 for beds.",
        "Holds if the paper's AP lies inside our interval for each object that this study has too.",
        (_LOCALIZATION, "Figure 11a: what units find"), _segmented, ("scene",),
    ),
    _Claim(
        "discovered", "4.2", "Objects without their names",
        "A network that was never told the name of an object has units that find objects.",
        "Holds if the interval of the mean AP of the best units lies above the AP of chance.",
        (_LOCALIZATION, "Figure 11b and c: all objects, all networks"), _discovered, ("scene",),
    ),
)  # fmt: skip
