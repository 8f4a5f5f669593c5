"""The paper's own numbers, each written once, so that all tables and figures compare ours with the same ones.

Zhou, Khosla, Lapedriza, Oliva and Torralba, *Object Detectors Emerge in Deep Scene CNNs*, ICLR 2015
(https://arxiv.org/abs/1412.6856). Shares are fractions in 0..1.
"""

from __future__ import annotations

PAIR = ("scene", "object")  # the two networks it compares, the scene network first
#: The kind of images that each of the two was trained on.
SOURCES = {"scene": "scene-centric", "object": "object-centric"}
CONTROL = "untrained"  # not in the paper: a network with random weights, which some studies have besides

# Table 1: layer, number of units, (rows, columns) of its map, which is (1, 1) for fully connected layers.
TABLE_1 = (
    ("conv1", 96, (55, 55)),
    ("pool1", 96, (27, 27)),
    ("conv2", 256, (27, 27)),
    ("pool2", 256, (13, 13)),
    ("conv3", 384, (13, 13)),
    ("conv4", 384, (13, 13)),
    ("conv5", 256, (13, 13)),
    ("pool5", 256, (6, 6)),
    ("fc6", 4096, (1, 1)),
    ("fc7", 4096, (1, 1)),
)

# Section 2: share of object-centric (ImageNet) images among a layer's 100 strongest, per network.
PREFERENCE = {
    ("object", "pool2"): 0.55,
    ("scene", "pool2"): 0.47,
    ("object", "fc7"): 0.78,
    ("scene", "fc7"): 0.24,
}
PREFERENCE_TOP = 100
PARTS_FROM = "conv4"  # the layer from which on the two networks differ significantly

# Section 2: top-1 accuracy on the 205 scene categories: the scene network itself, and a linear SVM
# on the features of the object network.
SCENE_ACCURACY = {"scene": 0.500, "object": 0.408}
# Section 2: top-1 accuracy of the object network on its own 1,000 classes, in the published version and the
# slides; another version of the text says 63%.
OBJECT_ACCURACY = {"object": 0.574}
OBJECT_ACCURACY_IN_TEXT = 0.63

# Section 2: the scene network's top-5 accuracy in the wild, from its demo.
DEMO_TOP_FIVE = 0.773

# Table 2: mean side of the scene network's empirical receptive fields, in pixels of its 227-pixel input.
RF_SIZES = {"pool1": 17.8, "pool2": 37.4, "conv4": 60.0, "pool5": 72.0}
# The same for the object network.
RF_SIZES_OBJECT = {"pool1": 17.9, "pool2": 36.7, "conv4": 60.4, "pool5": 70.3}

# Section 3.1: of the annotated images of a scene category, the share whose minimal image keeps an object
# (the paper writes some of them in the plural).
RETENTION = {
    "bedroom": {"bed": 0.87, "wall": 0.28, "window": 0.21},
    "art_gallery": {"painting": 0.81, "picture": 0.58},
    "amusement_park": {"carousel": 0.75, "ride": 0.64, "roller coaster": 0.50},
    "bookstore": {"bookcase": 0.96, "book": 0.68, "shelf": 0.67},
}

# Section 4.1: Pearson correlation of the number of units per object with what else is known of the objects,
# and the units of the scene network's pool5 that detect no object, of all of them.
EMERGENCE_CORRELATION = {"frequency": 0.54, "informativeness": 0.84}
NO_OBJECT = {"pool5": (115, 256)}
# Network Dissection (Bau et al., CVPR 2017): conv5 units whose best concept is an object with IoU above .04,
# and the classes of object among them.
DISSECTED_OBJECTS = {"places205-alexnet": (64, 30), "imagenet-alexnet": (32, 17)}
# Units of pool5 that detect an object by the majority of the released answers, precision at least 75%; these
# are counted by this package, tests/emergence/test_published.py.
MAJORITY_OBJECTS = {"scene": (81, 256), "object": (36, 256)}
# Section 4.1: units of pool5 that detect one kind of thing.
UNITS_FOR = {("scene", "lamp"): 6, ("scene", "person"): 9, ("object", "dog"): 23}
# The words that people have for these, as patterns.
UNIT_WORDS = {
    "lamp": r"\b(?:lamp|light)s?\b",
    "person": r"\b(?:person|people|man|men|woman|women|human|face)s?\b",
    "dog": r"\bdogs?\b",
}

# Section 4.2, Figure 11a: Jaccard index and average precision of the scene network's pool5 units on SUN.
SEGMENTATIONS = {
    "fireplace": (0.053, 0.229),
    "bed": (0.246, 0.811),
    "wardrobe": (0.042, 0.127),
    "mountain": (0.113, 0.476),
    "billiard table": (0.032, 0.426),
    "sofa": (0.108, 0.362),
    "building": (0.146, 0.472),
    "washing machine": (0.032, 0.344),
}

# Bau et al., "Understanding the role of individual units in a deep neural network" (PNAS 2020): without the
# 20 of conv5_3's 512 units that matter most to a class, the balanced accuracy of telling it from all others,
# mean over 365 classes of VGG-16 on Places365; chance is 0.5.
WITHOUT_TWENTY, TWENTY_OF = 0.53, 512

# Section 3.3: units count from this precision on; a worker saw so many images, so many of them catch trials.
PRECISION_WANTED = 0.75
IMAGES_SHOWN, CATCH_TRIALS = 60, 3
