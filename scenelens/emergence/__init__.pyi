from . import figures
from .detectors import DetectorRule, by_measure, by_people, object_units
from .frequency import object_frequency
from .informativeness import informative_objects
from .presence import ObjectPresence
from .published import describe_published, published_labels, published_units
from .sentences import describe_correlations, describe_informative, describe_units
from .study_emergence import (
    Emergence,
    finer_correlations,
    informative_objects_table,
    measure_emergence,
    rules_compared,
)
from .tables import correlations, unit_counts
from .views import detector_views

__all__ = [
    "DetectorRule",
    "Emergence",
    "ObjectPresence",
    "by_measure",
    "by_people",
    "correlations",
    "describe_correlations",
    "describe_informative",
    "describe_published",
    "describe_units",
    "detector_views",
    "figures",
    "finer_correlations",
    "informative_objects",
    "informative_objects_table",
    "measure_emergence",
    "object_frequency",
    "object_units",
    "published_labels",
    "published_units",
    "rules_compared",
    "unit_counts",
]
