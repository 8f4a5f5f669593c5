from . import figures
from .localizer import Localizer, localize
from .sentences import (
    NOTHING,
    describe_calibration,
    describe_differences,
    describe_networks,
    describe_paper_comparison,
    describe_passes,
    describe_splits,
    describe_union,
)
from .study_localizer import prepare_localizers
from .tables import beside_paper, compare_networks, example, localizers
from .widget import localize_image

__all__ = [
    "NOTHING",
    "Localizer",
    "beside_paper",
    "compare_networks",
    "describe_calibration",
    "describe_differences",
    "describe_networks",
    "describe_paper_comparison",
    "describe_passes",
    "describe_splits",
    "describe_union",
    "example",
    "figures",
    "localize",
    "localize_image",
    "localizers",
    "prepare_localizers",
]
