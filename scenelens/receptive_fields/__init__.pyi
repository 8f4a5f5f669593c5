from . import figures
from .atlas import Atlas, named_layers, open_atlas, shipped_images_per_unit
from .estimate import N_IMAGES, estimate_rf
from .field import EmpiricalRF
from .occlusion.occlude import discrepancy_map
from .sentences import describe_atlas, describe_table_2
from .sizes import field_sizes, table_2
from .unit_segmentation import segment_unit, union_of_fields
from .widget import explore_fields

__all__ = [
    "N_IMAGES",
    "Atlas",
    "EmpiricalRF",
    "describe_atlas",
    "describe_table_2",
    "discrepancy_map",
    "estimate_rf",
    "explore_fields",
    "field_sizes",
    "figures",
    "named_layers",
    "open_atlas",
    "segment_unit",
    "shipped_images_per_unit",
    "table_2",
    "union_of_fields",
]
