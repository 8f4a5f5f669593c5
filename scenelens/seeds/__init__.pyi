from . import figures
from .sentences import describe_seeds, describe_seen
from .tables import SeedTables, read_seeds

__all__ = [
    "SeedTables",
    "describe_seeds",
    "describe_seen",
    "figures",
    "read_seeds",
]
