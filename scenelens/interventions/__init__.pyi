from . import figures
from .effects import AblationEffects, ablation_effects, measured_effects
from .sentences import describe_ablation, describe_activation, describe_unit_effects
from .tables import (
    ablation_by_category,
    ablation_curve,
    balanced_accuracies,
    effect_correlations,
    unit_effects,
)
from .widget import switch_units

__all__ = [
    "AblationEffects",
    "ablation_by_category",
    "ablation_curve",
    "ablation_effects",
    "balanced_accuracies",
    "describe_ablation",
    "describe_activation",
    "describe_unit_effects",
    "effect_correlations",
    "figures",
    "measured_effects",
    "switch_units",
    "unit_effects",
]
