from . import figures
from .evidence import collect_evidence
from .queue import active_units, unit_queue
from .sentences import (
    compare_labels,
    describe_agreement,
    describe_comparison,
    describe_counts_by_rule,
    describe_levels,
    describe_names,
    describe_score,
)
from .sources import LabelSet, automatic_set, dissected_labels, people_set, released_answers
from .tables import counts_by_rule, level_counts, measure_checks, type_shares
from .task import annotation_task
from .widget import annotate_units

__all__ = [
    "LabelSet",
    "active_units",
    "annotate_units",
    "annotation_task",
    "automatic_set",
    "collect_evidence",
    "compare_labels",
    "counts_by_rule",
    "describe_agreement",
    "describe_comparison",
    "describe_counts_by_rule",
    "describe_levels",
    "describe_names",
    "describe_score",
    "dissected_labels",
    "figures",
    "level_counts",
    "measure_checks",
    "people_set",
    "released_answers",
    "type_shares",
    "unit_queue",
]
