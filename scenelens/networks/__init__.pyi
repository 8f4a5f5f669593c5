from .build import build_module, module_from_factory
from .caffenet import CaffeNet, fold_batch_norm
from .class_names import read_class_names, same_class
from .graph import Slide, Step, Untraceable, ancestors, layer_step, module_of
from .grid import (
    Axis,
    Grid,
    active_area,
    has_field,
    interpolated,
    layer_grid,
    map_axes,
    receptive_box,
    receptive_center,
)
from .hooks import record, responses
from .network import Network
from .preprocessing import PRESETS, Preprocessing, checked_image, crop_centre
from .reach import RF, theoretical_rf
from .torchvision_shim import torchvision
from .weights import load_weights, weights_hash

__all__ = [
    "PRESETS",
    "RF",
    "Axis",
    "CaffeNet",
    "Grid",
    "Network",
    "Preprocessing",
    "Slide",
    "Step",
    "Untraceable",
    "active_area",
    "ancestors",
    "build_module",
    "checked_image",
    "crop_centre",
    "fold_batch_norm",
    "has_field",
    "interpolated",
    "layer_grid",
    "layer_step",
    "load_weights",
    "map_axes",
    "module_from_factory",
    "module_of",
    "read_class_names",
    "receptive_box",
    "receptive_center",
    "record",
    "responses",
    "same_class",
    "theoretical_rf",
    "torchvision",
    "weights_hash",
]
