from . import figures
from .boxes import LabelledUnits
from .calibration import Calibration, Curve
from .examples import example_images
from .localizer import Localization, Localizer, localize
from .scored_detector import ScoredDetector
from .scores import DetectorScores
from .sentences import (
    describe_calibration,
    describe_differences,
    describe_examples,
    describe_networks,
    describe_paper_comparison,
    describe_passes,
    describe_splits,
    describe_union,
)
from .study_localizers import StudyLocalizer, open_localizers
from .tables import (
    best_cases,
    box_table,
    compare_boxes,
    compare_networks,
    compare_with_paper,
)
from .widget import localize_image

__all__ = [
    "Calibration",
    "Curve",
    "DetectorScores",
    "LabelledUnits",
    "Localization",
    "Localizer",
    "ScoredDetector",
    "StudyLocalizer",
    "best_cases",
    "box_table",
    "compare_boxes",
    "compare_networks",
    "compare_with_paper",
    "describe_calibration",
    "describe_differences",
    "describe_examples",
    "describe_networks",
    "describe_paper_comparison",
    "describe_passes",
    "describe_splits",
    "describe_union",
    "example_images",
    "figures",
    "localize",
    "localize_image",
    "open_localizers",
]
