"""Section 2: one architecture, trained once on scenes and once on objects. What do the two networks prefer?

The paper compares Places-CNN, trained on 2.4 million images of 205 scene categories, with ImageNet-CNN,
trained on 1.3 million images of 1,000 object categories. Their architecture is the same (Table 1). It claims
that the two differ more and more with depth: among the hundred images that drive a layer hardest, the share
of object-centric ones is 55% for the object network and 47% for the scene network at pool2, but 78% and 24%
at fc7 (Figure 1). And the features of one network serve the other's task less well: a linear SVM on those of
the object network names 40.8% of the scenes, the scene network itself 50.0%.

The room measures the same on the two networks of a study, with intervals and with chance. The three calls to
begin with:

>>> import scenelens as sl
>>> study = sl.open_study()  # doctest: +SKIP
>>> preference = sl.two_networks.layer_preference(study)  # doctest: +SKIP
>>> sl.two_networks.figures.figure_1_preference(preference)  # doctest: +SKIP
>>> sl.two_networks.describe_preference(preference)  # doctest: +SKIP

What goes in: a study with networks named 'scene' and 'object', and with scene-centric and object-centric
images. What comes out: a table with one row per layer or task. The figures draw these tables, and the
functions `describe_...` write what they say in sentences. All numbers come from the activation index of the
study, which is computed once and cached.
"""

import lazy_loader

__getattr__, __dir__, __all__ = lazy_loader.attach_stub(__name__, __file__)
