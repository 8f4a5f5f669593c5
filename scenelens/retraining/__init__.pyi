from . import figures
from .effects import because_tests, edit_effects, mean_effects, network_effects
from .live import LiveTraining, train_live
from .sentences import describe_because, describe_edits, describe_networks
from .tables import RetrainingTables, read_retraining

__all__ = [
    "LiveTraining",
    "RetrainingTables",
    "because_tests",
    "describe_because",
    "describe_edits",
    "describe_networks",
    "edit_effects",
    "figures",
    "mean_effects",
    "network_effects",
    "read_retraining",
    "train_live",
]
