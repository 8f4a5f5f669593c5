"""The exercises of notebook 04.1, Which objects emerge."""

from __future__ import annotations

from scenelens.emergence.frequency import object_frequency
from scenelens.emergence.presence import ObjectPresence
from scenelens.errors import SceneLensError
from scenelens.studies import Study
from scenelens.workbook import Verdict, check_choice, check_number


def _ap_of_a_presence(study: Study, answer: object) -> Verdict:
    """04_1.1: the AP of an object that is on 6 of 10 images of a scene and on 2 of 30 others."""
    hint = (
        "The images with the object are one step, all others a second: precision times recall gained, twice."
    )
    return check_number(answer, 6 / 8 * 6 / 10 + 10 / 40 * 4 / 10, 0.005, hint)


def _most_frequent(study: Study, answer: object) -> Verdict:
    """04_1.2: the object with most instances on the study's scenes."""
    try:
        images = study.scene_images()
        table = object_frequency(ObjectPresence.of(study.annotations, images))  # type: ignore[arg-type]
    except SceneLensError as error:
        return Verdict.of(False, f"This study cannot say: {error}")
    hint = "Frequency counts instances, not images: three chairs in a room are three."
    return check_choice(answer, table.object.iloc[0], list(table.object), hint)


def _why_two_halves(study: Study, answer: object) -> Verdict:
    """04_1.3: what goes wrong when the best object is chosen and tested on the same images."""
    hint = "A hundred objects are placed at random. How good does the luckiest one look where it was chosen?"
    choices = ["it looks better than it is", "it looks worse than it is", "nothing changes"]
    return check_choice(answer, choices[0], choices, hint)


def _high_ap_by_chance(study: Study, answer: object) -> Verdict:
    """04_1.4: the AP of a unit that responds at random, for an object on 60% of the images."""
    hint = "The unit ranks images at random. What share of those it ranks highest shows the object?"
    return check_number(answer, 0.6, 0.001, hint)


CHECKS = {
    "04_1.1": _ap_of_a_presence,
    "04_1.2": _most_frequent,
    "04_1.3": _why_two_halves,
    "04_1.4": _high_ap_by_chance,
}
