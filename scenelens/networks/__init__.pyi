from .ablation import ablate, ablated
from .build import Factory, build_module
from .caffenet import CaffeNet, fold_batch_norm
from .class_names import ClassNames
from .finite import NonFinite
from .following import Untraceable
from .graph import Slide, Step, layer_step
from .grid import Axis, Grid, interpolate
from .hooks import record, responses, unit_maps
from .network import Network
from .preprocessing import PRESETS, Preprocessing
from .reach import RF, theoretical_rf
from .rest import Rest
from .torchvision_shim import load_torchvision
from .undo import restoring
from .weights import load_weights, weights_hash

__all__ = [
    "PRESETS",
    "RF",
    "Axis",
    "CaffeNet",
    "ClassNames",
    "Factory",
    "Grid",
    "Network",
    "NonFinite",
    "Preprocessing",
    "Rest",
    "Slide",
    "Step",
    "Untraceable",
    "ablate",
    "ablated",
    "build_module",
    "fold_batch_norm",
    "interpolate",
    "layer_step",
    "load_torchvision",
    "load_weights",
    "record",
    "responses",
    "restoring",
    "theoretical_rf",
    "unit_maps",
    "weights_hash",
]
