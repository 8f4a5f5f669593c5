from .tables import RetrainingTables, read_retraining

__all__ = [
    "RetrainingTables",
    "read_retraining",
]
