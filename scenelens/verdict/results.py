"""The other rooms' results on one study, each computed once, when a claim first asks for it.

Nothing is measured here: every value is what the notebook of its section shows. What cannot be had is
remembered too, so that a claim that needs it says why, and nobody tries again.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Any
from weakref import WeakKeyDictionary

import pandas as pd

from scenelens import (
    emergence,
    interventions,
    localization,
    minimal_images,
    paper,
    retraining,
    two_networks,
    unit_semantics,
)
from scenelens.emergence import Emergence
from scenelens.errors import CannotAnswerError
from scenelens.installation import HERE
from scenelens.interventions import AblationEffects
from scenelens.localization import StudyLocalizer
from scenelens.minimal_images import Retention
from scenelens.receptive_fields import open_atlas, table_2
from scenelens.retraining import RetrainingTables
from scenelens.studies import Study
from scenelens.unit_semantics import LabelSet

#: Shares of the maximum at which a field may end: those of notebook 03.2.
CUTS = (0.5, 0.4, 0.3, 0.25, 0.2, 0.15, 0.1)


class _Results:
    """What the rooms found on a study.

    Parameters
    ----------
    study : Study
        The open study.
    """

    def __init__(self, study: Study) -> None:
        self.study = study
        self._known: dict[str, Any] = {}

    @staticmethod
    def of(study: Study) -> _Results:
        """The results of a study, the same ones whenever it is asked."""
        if study not in _OPEN:
            _OPEN[study] = _Results(study)
        return _OPEN[study]

    def _once(self, name: str, make: Callable[[], Any]) -> Any:
        if name not in self._known:
            try:
                self._known[name] = make()
            except CannotAnswerError as why:
                self._known[name] = why
        found = self._known[name]
        if isinstance(found, CannotAnswerError):
            raise found
        return found

    def need_pair(self) -> None:
        """Raise CannotAnswerError unless the study has a scene and an object network."""
        for name in paper.PAIR:
            if name not in self.study.networks:
                raise CannotAnswerError(
                    "the claim compares a scene network with an object network, and this study has no "
                    f"{name} network."
                )

    def need_scene_network(self) -> None:
        """Raise CannotAnswerError unless the study has a scene network."""
        if paper.PAIR[0] not in self.study.networks:
            raise CannotAnswerError("the claim is about a scene network, and this study has no such network.")

    @property
    def rendered(self) -> bool:
        """Whether the study's images were rendered: then its makers chose what is how frequent."""
        return bool(self.study.file.data.get("generator"))

    # ---- section 2

    def accuracy(self, network: str) -> pd.Series | None:
        """The row of a network in `own_accuracy`; None for one that the study does not have."""
        if network not in self.study.networks:
            return None
        table = self._once("accuracy", lambda: two_networks.own_accuracy(self.study))
        return table.set_index("network").loc[network]

    def preference(self) -> pd.DataFrame:
        """`layer_preference` of a pair of networks."""
        self.need_pair()
        return self._once("preference", lambda: two_networks.layer_preference(self.study))

    def strongest(self) -> pd.DataFrame:
        """The hundred strongest images of each layer."""
        self.need_pair()
        find = two_networks.strongest_images
        return self._once("strongest", lambda: find(self.study, paper.PREFERENCE_TOP))

    def served(self) -> pd.DataFrame:
        """`transfer`: accuracies of an SVM on each network's features."""
        self.need_pair()
        return self._once("served", lambda: two_networks.transfer(self.study))

    # ---- section 3

    def retention(self, category: str, rule: str) -> Retention:
        """What the minimal images of a category keep, by a rule of stopping."""
        self.need_scene_network()
        known = self._once("categories", lambda: minimal_images.choose_categories(self.study, n=None))
        if category not in known:
            place = category.replace("_", " ")
            raise CannotAnswerError(
                f"no annotated photograph of this study shows a scene of the class '{place}' that its scene "
                "network knows."
            )
        # Images that the network does not recognise are looked at again each time; a bar would say nothing.
        find = partial(minimal_images.category_retention, rule=rule, progress=False)
        return self._once(f"{category}, {rule}", lambda: find(self.study, category))

    def sizes(self) -> pd.DataFrame:
        """Table 2 of the study, for several shares of the maximum at which a field ends."""
        return self._once("sizes", self._measured_sizes)

    def _measured_sizes(self) -> pd.DataFrame:
        try:
            return table_2(open_atlas(self.study), cut=CUTS)
        except CannotAnswerError as why:
            raise CannotAnswerError(
                "no receptive field has been measured yet: notebook 03.2 measures some, and "
                f"{HERE.call('atlas')} all."
            ) from why

    def released(self) -> LabelSet:
        """The paper's released answers about its own networks."""
        return self._once("released", unit_semantics.released_answers)

    def live(self) -> LabelSet:
        """The automatic labels of the study's networks."""
        return self._once("live", lambda: unit_semantics.automatic_set(self.study, by="iou"))

    # ---- section 4

    def emergence(self) -> Emergence:
        """All that section 4.1 measures."""
        return self._once("emergence", lambda: emergence.measure_emergence(self.study))

    def by_rules(self) -> pd.DataFrame:
        """Detectors by each rule that responses at random do not pass."""
        rules = self._once("rules", lambda: emergence.rules_compared(self.emergence()))
        return rules[~rules.by_chance]

    def localizers(self) -> dict[str, StudyLocalizer]:
        """Every network's localizer, calibrated and scored."""
        return self._once("localizers", lambda: localization.open_localizers(self.study))

    # ---- after the paper

    def ablation(self) -> AblationEffects:
        """What it costs to lose units of the main network, as notebook 05 has measured it."""
        return self._once("ablation", self._measured_ablation)

    def _measured_ablation(self) -> AblationEffects:
        found = interventions.measured_effects(self.study)
        if found is None:
            raise CannotAnswerError("no units have been switched off yet: notebook 05 does that.")
        return found

    def retrained(self) -> RetrainingTables:
        """Networks trained in edited worlds, for the study that such worlds are made of."""
        return self._once("retrained", self._known_retraining)

    def _known_retraining(self) -> RetrainingTables:
        if self.study.shipped_folder is None:
            raise CannotAnswerError(
                "it takes networks trained in edited worlds, and only the package's own world has such."
            )
        tables = retraining.read_retraining()
        if tables.about["study"] != self.study.name:
            raise CannotAnswerError("it takes networks trained in edited versions of this study's own world.")
        return tables


#: What is known of each open study.
_OPEN: WeakKeyDictionary[Study, _Results] = WeakKeyDictionary()
