from . import (
    analysis,
    annotations,
    emergence,
    labels,
    localization,
    minimal_images,
    networks,
    receptive_fields,
    sceneworld,
    seeds,
    studies,
    two_networks,
    unit_semantics,
    verdict,
    workbook,
)
from .analysis import UnitAnalysis
from .annotations import parse_annotation, rasterise
from .emergence import correlations, informative_objects, object_frequency, unit_counts
from .errors import SceneLensError
from .exercises import check
from .labels import read_amt, read_netdissect, unit_types
from .localization import Localizer, localize
from .minimal_images import (
    CutImage,
    Regions,
    minimal_image,
    regions_from_annotation,
    retention,
    segment_image,
)
from .networks import CaffeNet, Network, Preprocessing, fold_batch_norm, record, theoretical_rf
from .receptive_fields import discrepancy_map, estimate_rf, segment_unit
from .studies import ActivationIndex, Study, open_study
from .workbook import (
    browse_units,
    category_sheet,
    contact_sheet,
    deepest_map_layer,
    describe_presence,
    describe_study,
    object_presence,
    object_table,
    tidiest_unit,
    unit_sheet,
)

__version__: str

__all__ = [
    "ActivationIndex",
    "CaffeNet",
    "CutImage",
    "Localizer",
    "Network",
    "Preprocessing",
    "Regions",
    "SceneLensError",
    "Study",
    "UnitAnalysis",
    "analysis",
    "annotations",
    "browse_units",
    "category_sheet",
    "check",
    "contact_sheet",
    "correlations",
    "deepest_map_layer",
    "describe_presence",
    "describe_study",
    "discrepancy_map",
    "emergence",
    "estimate_rf",
    "fold_batch_norm",
    "informative_objects",
    "labels",
    "localization",
    "localize",
    "minimal_image",
    "minimal_images",
    "networks",
    "object_frequency",
    "object_presence",
    "object_table",
    "open_study",
    "parse_annotation",
    "rasterise",
    "read_amt",
    "read_netdissect",
    "receptive_fields",
    "record",
    "regions_from_annotation",
    "retention",
    "sceneworld",
    "seeds",
    "segment_image",
    "segment_unit",
    "studies",
    "theoretical_rf",
    "tidiest_unit",
    "two_networks",
    "unit_counts",
    "unit_semantics",
    "unit_sheet",
    "unit_types",
    "verdict",
    "workbook",
]
