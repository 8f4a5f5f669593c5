from .behaviour import network_variant, variant_parts
from .index import ActivationIndex
from .index_key import network_inputs
from .ranking import TopImage, top_images
from .schema import STUDY_SCHEMA
from .study import Study, open_study
from .study_file import StudyFile
from .trust import StudyTrust

__all__ = [
    "STUDY_SCHEMA",
    "ActivationIndex",
    "Study",
    "StudyFile",
    "StudyTrust",
    "TopImage",
    "network_inputs",
    "network_variant",
    "open_study",
    "top_images",
    "variant_parts",
]
