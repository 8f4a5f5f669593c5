from . import figures
from .figures import figure_1_preference
from .sentences import describe_accuracy, describe_preference, describe_table_1, describe_transfer
from .svm_transfer import MIN_IMAGES, transfer
from .tables import (
    CONTROL,
    layer_features,
    layer_pairs,
    layer_preference,
    own_accuracy,
    strongest_images,
    table_1,
)

__all__ = [
    "CONTROL",
    "MIN_IMAGES",
    "describe_accuracy",
    "describe_preference",
    "describe_table_1",
    "describe_transfer",
    "figure_1_preference",
    "figures",
    "layer_features",
    "layer_pairs",
    "layer_preference",
    "own_accuracy",
    "strongest_images",
    "table_1",
    "transfer",
]
