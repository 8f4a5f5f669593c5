"""What units are called: by people, by the paper's workers, and by automatic dissection.

Section 3.3 of the paper shows each unit's strongest images to three workers. Each gives the unit a word, one
of six types (from simple colours to scenes), and marks the images that do not fit; the share of the others is
the answer's precision. Later work, Network Dissection, replaces people by a measure: the concept whose
annotated pixels overlap best with the unit's active region. This room has both, in one table format.

The calls that one really types::

    study.automatic_labels("scene").labels()           # each unit's best concept, with its IoU and the rest
    answers = sl.read_amt("unitAnnotation_places205-alexnet.mat")    # the paper's released answers
    sl.unit_types(answers, "majority", 0.75)           # one meaning per unit, by a rule

In go annotated images and networks, or files of answers. Out comes a table of labels, one row per answer:
network, layer, unit, annotator, concept, type, precision, n_images, source, when (`COLUMNS`). Several answers
about a unit need not agree, so the rule that makes one meaning of them is an argument:

>>> import pandas as pd
>>> from scenelens.labels import Agreement, unit_types
>>> answers = pd.DataFrame({"network": "scene", "layer": "pool5", "unit": 17, "annotator": ["a", "b", "c"],
...                         "concept": ["bed", "bed", "bedroom"], "type": ["object", "object", "scene"],
...                         "precision": [0.9, 0.9, 0.8]})
>>> unit_types(answers, "majority").concept.tolist(), unit_types(answers, "unanimous").concept.tolist()
(['bed'], [])

`label_networks` measures all units of several networks in one pass. `LabelStore` stores people's answers in a
SQLite file. `Agreement.of` and `score_student` compare people with each other. `read_netdissect` reads
Network Dissection's published labels of the paper's networks.
"""

import lazy_loader

__getattr__, __dir__, __all__ = lazy_loader.attach_stub(__name__, __file__)
