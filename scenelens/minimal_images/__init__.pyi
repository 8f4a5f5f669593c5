from . import figures
from .cut_image import CutImage
from .examples import by_objects_and_regions, choose_categories, example_scene
from .regions import Regions
from .retention_search import Retention, retention
from .search import MinimalImage, minimal_image, simplify
from .segmentation import regions_from_annotation, segment_image
from .sentences import describe_empty, describe_retention
from .study_retention import category_retention, compare_retention, empty_pictures, ship_retention
from .widget import take_apart

__all__ = [
    "CutImage",
    "MinimalImage",
    "Regions",
    "Retention",
    "by_objects_and_regions",
    "category_retention",
    "choose_categories",
    "compare_retention",
    "describe_empty",
    "describe_retention",
    "empty_pictures",
    "example_scene",
    "figures",
    "minimal_image",
    "regions_from_annotation",
    "retention",
    "segment_image",
    "ship_retention",
    "simplify",
    "take_apart",
]
