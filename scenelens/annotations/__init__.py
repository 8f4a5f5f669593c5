"""What is annotated on photographs: objects with outlines, their names, and label maps.

The paper compares what units respond to with what people outlined in the SUN database (sections 3.3 and 4).
This room reads such outlines, repairs their files' errors, and turns them into pixels. Everything above it
(labels, emergence, localization) uses the interface `Annotations` and does not know the format.

The calls that one really types::

    annotations = sl.annotations.AnnotatedImages("SUN2012")     # or ADE20K, ColourMasks, JoinedAnnotations
    annotations = sl.annotations.ANNOTATION_FORMATS["coco"].open("coco")        # or any other format
    annotations.objects()                                       # one row per object: image, object, share
    annotations.masks(annotations.images[0])                    # {"wall": bool (H, W), "lamp": ...}

In go folders of photographs with annotations in one of the formats of `ANNOTATION_FORMATS`: XML of LabelMe
(the SUN layout) or Pascal VOC, JSON of ADE20K, labelme or COCO, masks of colours or numbers. Out come tables
of objects, masks, label maps, and a report of what was repaired or left out. A single file is read by
`parse_annotation` and painted by `rasterise`:

>>> from scenelens.annotations import parse_annotation, rasterise
>>> corners = "".join(f"<pt><x>{x}</x><y>{y}</y></pt>" for x, y in [(1, 1), (4, 1), (4, 3), (1, 3)])
>>> text = f"<object><name>bed</name><polygon>{corners}</polygon></object>"
>>> annotation = parse_annotation(f"<annotation>{text}</annotation>".encode()).drawn_on((5, 5))
>>> rasterise(annotation)["bed"].sum()
np.int64(6)

A format of one's own subclasses `InstanceAnnotations` (which pixels belong to which object) or
`PolygonAnnotations` (outlines). `Folding.read` gives the table of plurals and synonyms that counts "trees"
and "tree" as one object.
"""

import lazy_loader

__getattr__, __dir__, __all__ = lazy_loader.attach_stub(__name__, __file__)
