from .answers import figure_7_levels, figure_7_precision, figure_8_types
from .units import figure_6_answers, figure_6_units

__all__ = [
    "figure_6_answers",
    "figure_6_units",
    "figure_7_levels",
    "figure_7_precision",
    "figure_8_types",
]
