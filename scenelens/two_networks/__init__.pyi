from . import figures
from .sentences import describe_accuracy, describe_preference, describe_table_1, describe_transfer
from .svm_transfer import MIN_IMAGES, transfer
from .tables import (
    CONTROL,
    compare_with_table_1,
    layer_features,
    layer_pairs,
    layer_preference,
    own_accuracy,
    strongest_images,
)

__all__ = [
    "CONTROL",
    "MIN_IMAGES",
    "compare_with_table_1",
    "describe_accuracy",
    "describe_preference",
    "describe_table_1",
    "describe_transfer",
    "figures",
    "layer_features",
    "layer_pairs",
    "layer_preference",
    "own_accuracy",
    "strongest_images",
    "transfer",
]
