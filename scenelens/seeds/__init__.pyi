from . import figures
from .command import common_recipe, measure_once, rendered_world, same_world
from .measuring import read_card, study_of
from .sentences import describe_seeds, describe_seen
from .spread import further_trainings
from .tables import ABOUT_FILE, SeedTables, read_measured, read_seeds

__all__ = [
    "ABOUT_FILE",
    "SeedTables",
    "common_recipe",
    "describe_seeds",
    "describe_seen",
    "figures",
    "further_trainings",
    "measure_once",
    "read_card",
    "read_measured",
    "read_seeds",
    "rendered_world",
    "same_world",
    "study_of",
]
