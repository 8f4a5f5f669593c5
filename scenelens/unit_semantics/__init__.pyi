from . import figures
from .queue import lively_units, unit_queue
from .sentences import (
    beside,
    describe_agreement,
    describe_comparison,
    describe_control,
    describe_headline,
    describe_levels,
    describe_score,
    describe_worker,
)
from .sources import automatic_set, dissected_labels, people_set, released_answers
from .tables import headline
from .task import annotation_task
from .widget import annotate_units

__all__ = [
    "annotate_units",
    "annotation_task",
    "automatic_set",
    "beside",
    "describe_agreement",
    "describe_comparison",
    "describe_control",
    "describe_headline",
    "describe_levels",
    "describe_score",
    "describe_worker",
    "dissected_labels",
    "figures",
    "headline",
    "lively_units",
    "people_set",
    "released_answers",
    "unit_queue",
]
