"""The keys of a study.toml: one table, from which errors, the page docs/study_toml.md and new files are made.

Each key has a rule for its value, a meaning, an example and perhaps a default. Another key needs one more
entry here and nothing else: `study_file` checks files by this table, and ``python docs/study_toml.py`` writes
the page from it.
"""

from __future__ import annotations

import re
import sys
from collections.abc import Callable
from typing import Any, NamedTuple

from scenelens.annotations import ANNOTATION_FORMATS
from scenelens.networks import PRESETS

_LONGEST_NAME = 100  # bytes; file systems allow 255, and a key and an ending are added
_MANY = 1_000_000


class _Rule(NamedTuple):
    """What a value may be.

    Attributes
    ----------
    types : tuple of type
        Its types. True and False are never meant, although Python counts them as int.
    words : str
        What is expected, as the end of a sentence.
    check : callable, optional
        Takes a value of one of the types; False if it is not allowed.
    choices : tuple of str, optional
        The only texts that are allowed.
    """

    types: tuple[type, ...]
    words: str
    check: Callable[[Any], bool] = lambda value: True
    choices: tuple[str, ...] = ()

    def allows(self, value: Any) -> bool:
        if not isinstance(value, self.types) or isinstance(value, bool):
            return False
        unknown = self.choices and isinstance(value, str) and value not in self.choices
        return not unknown and self.check(value)


class _Key(NamedTuple):
    """One key of a table.

    Attributes
    ----------
    rule : _Rule
        What its value may be.
    meaning : str
        What it says, in one or two sentences.
    example : str
        A value as it is written in the file.
    default : str, optional
        What holds where the key is missing, in words.
    required : bool, optional
        Whether it must be there.
    """

    rule: _Rule
    meaning: str
    example: str
    default: str = ""
    required: bool = False


class _Table(NamedTuple):
    """One kind of table.

    Attributes
    ----------
    header : str
        How it is written in the file, such as ``[[images]]``; empty for the top of the file.
    meaning : str
        What the table describes.
    keys : dict of str to _Key
        Its keys, in the order in which one would write them.
    """

    header: str
    meaning: str
    keys: dict[str, _Key]


def _is_number(value: Any) -> bool:
    # Whole numbers of TOML may be larger than any float.
    is_number = isinstance(value, int | float) and not isinstance(value, bool)
    return is_number and abs(value) <= sys.float_info.max


def _whole(low: int, high: int) -> _Rule:
    return _Rule((int,), f"a whole number, {low:,} to {high:,}", lambda value: low <= value <= high)


def _one_of(*choices: str) -> _Rule:
    return _Rule((str,), " or ".join(f'"{one}"' for one in choices), choices=choices)


def _is_side(value: Any) -> bool:
    return isinstance(value, int) and not isinstance(value, bool) and 1 <= value <= 10_000


def _is_sides(value: Any) -> bool:
    return len(value) == 2 and all(map(_is_side, value)) if isinstance(value, list) else _is_side(value)


def _is_texts(value: Any) -> bool:
    return all(isinstance(one, str) for one in value.values())


def _is_name(value: str) -> bool:
    """Whether a text is a name: no way to another place, nothing invisible, not hidden, not long.

    A slash alone makes no path, as in "day/night"; `file_name` replaces it where the name is that of a file.

    >>> [_is_name(one) for one in ("scene", "day/night", "../../x", "/x", "a/../b", "C:x", "", ".")]
    [True, True, False, False, False, False, False, False]
    """
    return (
        0 < len(value.encode(errors="replace")) <= _LONGEST_NAME
        and value.isprintable()
        and value == value.strip()
        and not re.match(r"[./\\~]|.:", value)
        and not {".", ".."} & {piece.strip() for piece in re.split(r"[/\\]", value)}
    )


def _are_classes(value: Any) -> bool:
    if isinstance(value, list):
        return bool(value) and all(one.strip() if isinstance(one, str) else type(one) is int for one in value)
    return 1 <= value <= 100_000 if isinstance(value, int) else _is_path(value)


def _are_units(value: Any) -> bool:
    return all(
        isinstance(units, list) and all(isinstance(one, int) and not isinstance(one, bool) for one in units)
        for units in value.values()
    )


def _is_path(value: str) -> bool:
    """Whether a text can be a path; one with a tab was a path with a backslash and a t, in double quotes."""
    return bool(value) and not re.search(r"[\x00-\x1f\x7f]", value)


_NAME = _Rule(
    (str,),
    f"a name in quotes, on one line, of at most {_LONGEST_NAME} bytes, and not a path (it does not begin "
    "with . / or ~ and has no .. between slashes)",
    _is_name,
)
_TEXT = _Rule((str,), "a text in quotes")
_TABLE, _TABLES = _Rule((dict,), "a table"), _Rule((list,), "a list of tables")
_PATH = _Rule((str,), "a path in quotes", _is_path)
_SIDES = _Rule((int, list), "a whole number or [height, width], 1 to 10,000", _is_sides)
_THREE = _Rule(
    (list,), "a list of three numbers", lambda value: len(value) == 3 and all(map(_is_number, value))
)
_NAMES_TO_NAMES = _Rule((dict,), "a table from text to text, such as { old = 'new' }", _is_texts)
_POSITIVE = _Rule((int, float), "a number above 0", lambda value: _is_number(value) and value > 0)

_TOP = _Table(
    "",
    "These keys stand before the first table.",
    {
        "name": _Key(
            _NAME,
            "The study's name. Its cached results and people's answers are stored under it.",
            '"my_study"',
            "the name of the file, or of the folder of a study.toml",
        ),
        "title": _Key(_TEXT, "What pages say as the study's name.", '"Rooms of our house"', "the name"),
        "networks": _Key(
            _TABLE,
            "The networks, one table [networks.<name>] for each; see below.",
            '{ scene = { architecture = "resnet18", classes = 365, seed = 0 } }',
            required=True,
        ),
        "images": _Key(
            _TABLES,
            "The folders of photographs, one table [[images]] for each; see below.",
            '[{ path = "photos", source = "scene-centric" }]',
            required=True,
        ),
        "annotations": _Key(
            _Rule((dict, list), "a table or a list of tables"),
            "What is where on photographs: [annotations], or [[annotations]] for several sets; see below.",
            '{ root = "annotated", format = "sun" }',
            "no annotations; the notebooks about objects need some",
        ),
        "cache": _Key(
            _TABLE,
            "Where results are stored; see below.",
            '{ path = "cache" }',
            "build/cache/<name>, next to the file",
        ),
        "labels": _Key(
            _TABLE,
            "Where people's answers are stored; see below.",
            '{ store = "mine.db" }',
            "answers/<name>.db, next to the file",
        ),
        "generator": _Key(
            _TABLE,
            "What makes the images, for studies of rendered worlds; see below.",
            '{ kind = "sceneworld", root = "world" }',
            "the images are there",
        ),
    },
)

_NETWORK = _Table(
    "[networks.scene]",
    "One network. The notebooks compare those named scene, trained on scenes, and object, trained on "
    "objects; a third, untrained, is the control. One network alone is enough for most of them.",
    {
        "architecture": _Key(
            _TEXT,
            "What is built: 'caffenet' (the paper's), 'caffe' (any network whose layers its .caffemodel "
            "states), the name of a classifier in torchvision, or 'timm:' and a name in timm.",
            '"resnet18"',
            "give a factory",
        ),
        "factory": _Key(
            _PATH,
            "A Python function without arguments that returns a torch module, in place of an architecture: "
            "'file.py:function', or 'package.module:function' of an installed package. It runs only after "
            "you have allowed it.",
            '"my_network.py:build"',
        ),
        "weights": _Key(
            _PATH,
            "A file of weights: .safetensors, a torch file with a state dict (.pth, .pt, .pth.tar), or "
            ".caffemodel. Prefixes such as module. in its names are taken off where the rest fits.",
            '"resnet18_places365.pth.tar"',
            "give a seed, where there is an architecture",
        ),
        "classes": _Key(
            _Rule((str, list, int), "a text, a list of names, or a whole number, 1 to 100,000", _are_classes),
            "The names of its outputs, in their order: a file (.txt, .csv or .json), a list, 'imagenet', or "
            "their number.",
            '"categories_places365.txt"',
            "the number of outputs, for a factory; an architecture needs it",
        ),
        "preprocessing": _Key(
            _Rule((str, dict), "a name or a table", choices=(*PRESETS, "torchvision", "timm")),
            "How photographs are prepared: 'imagenet', 'caffe', 'torchvision' or 'timm' (as the network's "
            "published weights need it), or a table [networks.<name>.preprocessing].",
            '"imagenet"',
            "that of torchvision's or timm's published weights, or Caffe's for a .caffemodel file; of other "
            "networks the size that they take (227 x 227 pixels where they take any), RGB, 0 to 1. "
            "`sl.describe_study` says what was assumed",
        ),
        "seed": _Key(
            _Rule((int,), "a whole number of at most 18 digits", lambda value: abs(value) < 10**18),
            "The random weights of an untrained network, in place of a file.",
            "0",
        ),
        "width": _Key(
            _Rule((int, float), "a number above 0 and at most 8", lambda value: 0 < value <= 8),
            "CaffeNet only: the share of the paper's channels.",
            "0.5",
            "1.0",
        ),
        "fc": _Key(_whole(1, 65_536), "CaffeNet only: units of fc6 and of fc7.", "512", "4096"),
        "rename": _Key(
            _NAMES_TO_NAMES,
            "How names in the file of weights begin -> how they begin in the network.",
            '{ "fire2.squeeze" = "fire2.conv1" }',
            "nothing is renamed",
        ),
        "silence": _Key(
            _Rule((dict,), "a table from a layer to its units, such as { conv2 = [7] }", _are_units),
            "Units that are switched off, for networks whose weights are not finite in places.",
            "{ conv2 = [7, 12] }",
            "no unit",
        ),
    },
)

_PREPROCESSING = _Table(
    "[networks.scene.preprocessing]",
    "How the photographs of one network are prepared, where none of the names fits.",
    {
        "size": _Key(_SIDES, "The size of the frame that the network sees, in pixels.", "224", "227"),
        "resize": _Key(
            _one_of("exact", "short side"),
            "'exact' resizes to resize_to, whatever the photograph's shape; 'short side' keeps its shape and "
            "makes its shorter side that long. Then the frame is cut from the centre.",
            '"short side"',
            "exact",
        ),
        "resize_to": _Key(_SIDES, "The size before the frame is cut, in pixels.", "256", "the size"),
        "channels": _Key(
            _one_of("RGB", "BGR"), "The order of the channels; BGR for Caffe's networks.", '"BGR"', "RGB"
        ),
        "white": _Key(_POSITIVE, "The value of a white pixel: 1.0, or 255.0 as in Caffe.", "255.0", "1.0"),
        "mean": _Key(
            _THREE,
            "What is subtracted, one number per channel, in the order of channels and on the scale of white.",
            "[104.0, 117.0, 123.0]",
            "[0, 0, 0]",
        ),
        "mean_image": _Key(
            _PATH,
            "A mean image in place of mean: .binaryproto or .npy, (3, height, width), 0 to 255.",
            '"places365CNN_mean.binaryproto"',
            "none",
        ),
        "interpolation": _Key(
            _one_of("bilinear", "bicubic"), "How pixels are computed in resizing.", '"bicubic"', "bilinear"
        ),
        "std": _Key(
            _THREE, "What is divided by, one number per channel.", "[0.229, 0.224, 0.225]", "[1, 1, 1]"
        ),
    },
)

_IMAGES = _Table(
    "[[images]]",
    "One folder of photographs, at any depth. Write one such table per folder.",
    {
        "path": _Key(
            _PATH,
            "The folder. A folder in it is a category: photos/kitchen/1.jpg is a kitchen.",
            '"photos/scenes"',
            required=True,
        ),
        "source": _Key(
            _one_of("scene-centric", "object-centric"),
            "Whether its photographs show scenes or single objects.",
            '"scene-centric"',
            required=True,
        ),
        "category": _Key(
            _one_of("folder", "file name"),
            "Where a photograph's category is written: the name of its folder, or that of the file.",
            '"file name"',
            "folder",
        ),
        "categories": _Key(
            _NAMES_TO_NAMES,
            "A folder's name -> the class of a network that means it, where the two are named differently.",
            '{ desert = "desert/sand" }',
            "each folder means the class of its own name",
        ),
        "limit": _Key(
            _whole(1, _MANY),
            "At most so many photographs, from the categories in turn.",
            "500",
            "all",
        ),
        "split": _Key(_TEXT, "The part of a data set that the folder holds.", '"val"', "test"),
    },
)

_ANNOTATIONS = _Table(
    "[annotations]",
    "Photographs on which objects are outlined or coloured. For several sets, write [[annotations]] for "
    "each.",
    {
        "root": _Key(_PATH, "The folder of the set.", '"photos/annotated"', required=True),
        "format": _Key(
            # Not checked here: the sentence about an unknown format looks into the folder.
            _Rule((str,), " or ".join(f'"{one}"' for one in ANNOTATION_FORMATS)),
            "How the set is written; the README has a table.",
            '"sun"',
            required=True,
        ),
        "images": _Key(
            _PATH,
            "The folder of its photographs.",
            '"coco/val2017"',
            "found below root, as the format has it",
        ),
        "labels": _Key(
            _PATH,
            "The folder of its annotations; of the format coco, the JSON file.",
            '"coco/annotations/instances_val2017.json"',
            "found below root, as the format has it",
        ),
        "classes": _Key(
            _Rule((str, list, dict), "a table of values and names, a list of names, or a path"),
            "Of the formats index-mask and voc: the name of each value, as a table, a list that begins with "
            "'background', or a file of either (.json) or of lines such as '1 wall' (.txt).",
            '{ 1 = "wall", 2 = "floor" }',
            "of voc, the 20 classes of Pascal VOC",
        ),
        "name": _Key(_NAME, "The set's name.", '"rooms"', "the name of its folder"),
        "colours": _Key(
            _TABLE,
            "Of the format colour-mask: the name of each class -> its colour, red, green and blue.",
            "{ sky = [0, 128, 128], door = [128, 128, 0] }",
        ),
    },
)

_CACHE = _Table(
    "[cache]",
    "Where everything is stored that can be computed again.",
    {
        "path": _Key(_PATH, "The folder.", '"build/cache"', required=True),
    },
)
_LABELS = _Table(
    "[labels]",
    "Where people's answers about units are stored. They cannot be computed again.",
    {
        "store": _Key(_PATH, "The file.", '"answers/ours.db"', required=True),
    },
)
_GENERATOR = _Table(
    "[generator]",
    "What makes the images of a rendered world at first use. Studies of photographs have none.",
    {
        "kind": _Key(
            _TEXT, "The kind of world; 'sceneworld' is the only one.", '"sceneworld"', required=True
        ),
        "root": _Key(_PATH, "The folder for its images.", '"build/world"', required=True),
        "n_scenes": _Key(_whole(0, _MANY), "How many images of scenes.", "2000", "the world's own number"),
        "n_objects": _Key(_whole(0, _MANY), "How many images of objects.", "2000", "the world's own number"),
        "edits": _Key(
            _Rule((list,), "a list of edits"),
            "What is changed in the world, as `SceneWorld.edits` has it; give a folder of its own as root.",
            '[["scale_frequency", "bed", 0.5]]',
            "the world as it is shipped",
        ),
    },
)

#: Where a table stands in the file -> its keys. The star is any name. See `_Table` and `_Key`.
STUDY_SCHEMA: dict[str, _Table] = {
    "": _TOP,
    "networks.*": _NETWORK,
    "networks.*.preprocessing": _PREPROCESSING,
    "images": _IMAGES,
    "annotations": _ANNOTATIONS,
    "cache": _CACHE,
    "labels": _LABELS,
    "generator": _GENERATOR,
}
