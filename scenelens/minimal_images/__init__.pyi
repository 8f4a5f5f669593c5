from . import figures
from .cut_image import CutImage
from .examples import both_ways, choose_categories, example, known_categories
from .figures import RIGHT, WRONG
from .regions import Regions
from .retention_search import retention
from .search import minimal_image, simplify
from .segmentation import regions_from_annotation, segment_image
from .sentences import describe_all_keeps, describe_keeps
from .study_retention import compare, keeps, ship, shipped_file
from .widget import take_apart

__all__ = [
    "RIGHT",
    "WRONG",
    "CutImage",
    "Regions",
    "both_ways",
    "choose_categories",
    "compare",
    "describe_all_keeps",
    "describe_keeps",
    "example",
    "figures",
    "keeps",
    "known_categories",
    "minimal_image",
    "regions_from_annotation",
    "retention",
    "segment_image",
    "ship",
    "shipped_file",
    "simplify",
    "take_apart",
]
