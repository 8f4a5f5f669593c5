from . import figures
from .detectors import DetectorRule, object_units
from .frequency import object_frequency
from .informativeness import informative_objects
from .looks import describe_looks
from .presence import ObjectPresence
from .published import describe_published, published_units
from .sentences import (
    describe_chance,
    describe_correlations,
    describe_informative,
    describe_units,
)
from .study_emergence import (
    Emergence,
    measure_emergence,
    rules_compared,
)
from .tables import correlations, unit_counts
from .views import detector_views

__all__ = [
    "DetectorRule",
    "Emergence",
    "ObjectPresence",
    "correlations",
    "describe_chance",
    "describe_correlations",
    "describe_informative",
    "describe_looks",
    "describe_published",
    "describe_units",
    "detector_views",
    "figures",
    "informative_objects",
    "measure_emergence",
    "object_frequency",
    "object_units",
    "published_units",
    "rules_compared",
    "unit_counts",
]
