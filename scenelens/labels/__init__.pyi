from .annotator_agreement import Agreement, score_student
from .automatic import (
    LABELS_VERSION,
    LEAST_IMAGES,
    LEAST_IOU,
    AutomaticLabels,
    LayerCounts,
)
from .colours_and_elements import MEASURED_MAPS
from .concept_maps import SCENES, AnnotatedFrame, ConceptMaps
from .dissect import label_networks
from .halves import N_FOLDS, deal_folds, judged_iou
from .layer_maps import LayerMaps, Maps
from .peaks import presence_ap
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
    names_text,
    unit_types,
)
from .tally import Tally

__all__ = [
    "COLUMNS",
    "GROUPS",
    "LABELS_VERSION",
    "LEAST_IMAGES",
    "LEAST_IOU",
    "LEVELS",
    "MEASURED_MAPS",
    "N_FOLDS",
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
    "Tally",
    "check_labels",
    "current",
    "deal_folds",
    "judged_iou",
    "label_networks",
    "merge",
    "names_text",
    "presence_ap",
    "read_amt",
    "read_netdissect",
    "score_student",
    "unit_types",
]
