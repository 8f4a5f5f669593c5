from .index import ActivationIndex
from .index_key import network_inputs
from .ranking import TopImage, top_images
from .study import Study, open_study
from .study_file import StudyFile

__all__ = [
    "ActivationIndex",
    "Study",
    "StudyFile",
    "TopImage",
    "network_inputs",
    "open_study",
    "top_images",
]
