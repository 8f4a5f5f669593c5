from .annotator_agreement import Agreement, score_student
from .automatic import (
    LABELS_VERSION,
    LEAST_IOU,
    AutomaticLabels,
    LayerCounts,
)
from .colours_and_elements import colour_map, element_map
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
    "Agreement",
    "AnnotatedFrame",
    "AutomaticLabels",
    "ConceptMaps",
    "LabelStore",
    "LayerCounts",
    "LayerMaps",
    "Maps",
    "Rule",
    "check_labels",
    "colour_map",
    "current",
    "element_map",
    "label_networks",
    "merge",
    "read_amt",
    "read_netdissect",
    "score_student",
    "unit_types",
]
