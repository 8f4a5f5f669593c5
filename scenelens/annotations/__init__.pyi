from .ade20k import ADE20K
from .colour_masks import ColourMasks
from .formats import ANNOTATION_FORMATS
from .instances import InstanceAnnotations
from .interface import Annotations, Instance, LabelMap, Shape
from .joined import JoinedAnnotations
from .labelme import parse_annotation
from .names import Folding, normalise_name
from .outlined import AnnotatedObject, Annotation, PolygonAnnotations, rasterise
from .polygons import mask_to_polygons
from .sources import SourceFile
from .sun import AnnotatedImages, write_annotation, write_label_map, write_legend

__all__ = [
    "ADE20K",
    "ANNOTATION_FORMATS",
    "AnnotatedImages",
    "AnnotatedObject",
    "Annotation",
    "Annotations",
    "ColourMasks",
    "Folding",
    "Instance",
    "InstanceAnnotations",
    "JoinedAnnotations",
    "LabelMap",
    "PolygonAnnotations",
    "Shape",
    "SourceFile",
    "mask_to_polygons",
    "normalise_name",
    "parse_annotation",
    "rasterise",
    "write_annotation",
    "write_label_map",
    "write_legend",
]
