from . import figures
from .detectors import by_iou
from .frequency import object_frequency
from .informativeness import informative_objects
from .published import describe_published, published_labels, published_units
from .sentences import describe_correlations, describe_informative, describe_units
from .study_emergence import by_rules, emergence_of, finer_correlations, told_by
from .tables import correlations, unit_counts

__all__ = [
    "by_iou",
    "by_rules",
    "correlations",
    "describe_correlations",
    "describe_informative",
    "describe_published",
    "describe_units",
    "emergence_of",
    "figures",
    "finer_correlations",
    "informative_objects",
    "object_frequency",
    "published_labels",
    "published_units",
    "told_by",
    "unit_counts",
]
