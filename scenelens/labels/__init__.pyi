from .annotator_agreement import agreement, score_student
from .automatic import LABELS_VERSION, LEAST_IOU, AutomaticLabels, file_digests, load_or_compute
from .concept_maps import SCENES, AnnotatedFrame, ConceptMaps
from .dissect import label_networks
from .layer_maps import LayerMaps, Maps
from .published import ROLES, read_amt, read_netdissect
from .rules import RULES, UNIT, Rule
from .store import LabelStore
from .table import (
    COLUMNS,
    GROUPS,
    LEVELS,
    TYPES,
    check_labels,
    current,
    merge,
    side_by_side,
    type_counts,
    unit_types,
)

__all__ = [
    "COLUMNS",
    "GROUPS",
    "LABELS_VERSION",
    "LEAST_IOU",
    "LEVELS",
    "ROLES",
    "RULES",
    "SCENES",
    "TYPES",
    "UNIT",
    "AnnotatedFrame",
    "AutomaticLabels",
    "ConceptMaps",
    "LabelStore",
    "LayerMaps",
    "Maps",
    "Rule",
    "agreement",
    "check_labels",
    "current",
    "file_digests",
    "label_networks",
    "load_or_compute",
    "merge",
    "read_amt",
    "read_netdissect",
    "score_student",
    "side_by_side",
    "type_counts",
    "unit_types",
]
