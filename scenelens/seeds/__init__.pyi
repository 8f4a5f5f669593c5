from . import figures
from .sentences import describe_seeds, describe_seen
from .spread import further_trainings
from .tables import SeedTables, read_seeds

__all__ = [
    "SeedTables",
    "describe_seeds",
    "describe_seen",
    "figures",
    "further_trainings",
    "read_seeds",
]
