from .behaviour import network_variant, variant_parts
from .index import ActivationIndex
from .index_key import network_inputs
from .ranking import TopImage, layer_row, top_images
from .study import Study, open_study, scene_images, shipped_folder
from .study_file import find_study, read_study_file
from .trust import remember_trust, require_trust

__all__ = [
    "ActivationIndex",
    "Study",
    "TopImage",
    "find_study",
    "layer_row",
    "network_inputs",
    "network_variant",
    "open_study",
    "read_study_file",
    "remember_trust",
    "require_trust",
    "scene_images",
    "shipped_folder",
    "top_images",
    "variant_parts",
]
