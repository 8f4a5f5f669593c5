from . import figures
from .atlas import Atlas, open_atlas
from .estimate import N_IMAGES, estimate_rf
from .field import EmpiricalRF
from .occlusion.occlude import Occlusion, discrepancy_map
from .sentences import describe_atlas, describe_table_2
from .sizes import field_sizes, table_2
from .unit_segmentation import segment_examples, segment_unit
from .widget import explore_fields

__all__ = [
    "N_IMAGES",
    "Atlas",
    "EmpiricalRF",
    "Occlusion",
    "describe_atlas",
    "describe_table_2",
    "discrepancy_map",
    "estimate_rf",
    "explore_fields",
    "field_sizes",
    "figures",
    "open_atlas",
    "segment_examples",
    "segment_unit",
    "table_2",
]
