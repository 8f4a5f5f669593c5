from . import figures
from .command import measure_once, rendered_world
from .measuring import read_card, study_of
from .sentences import describe_seeds, describe_seen
from .spread import further_trainings
from .tables import SeedTables, read_seeds

__all__ = [
    "SeedTables",
    "describe_seeds",
    "describe_seen",
    "figures",
    "further_trainings",
    "measure_once",
    "read_card",
    "read_seeds",
    "rendered_world",
    "study_of",
]
