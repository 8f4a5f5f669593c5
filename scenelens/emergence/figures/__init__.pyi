from .correlations import correlation_bars, correlation_points
from .published import published_counts
from .units import detectors_by_layer, figure_9_counts, figure_9_units, zipf

__all__ = [
    "correlation_bars",
    "correlation_points",
    "detectors_by_layer",
    "figure_9_counts",
    "figure_9_units",
    "published_counts",
    "zipf",
]
