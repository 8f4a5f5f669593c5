"""Studies: which networks, images and annotations a question is put to, and where the results are cached.

The paper compares two networks of one architecture. One was trained on scenes (Places), the other on objects
(ImageNet). Both see the same images, scene-centric and object-centric ones. A *study* is such a set-up,
described in one file, study.toml. SceneWorld, the study that comes with the package, is opened by default; a
study of your own networks and photographs runs through the same notebooks.

What goes in is a study.toml. What comes out is a `Study`, from which every other room gets its networks
(``study.networks``), images (``study.images``, ``study.load_image``), annotations (``study.annotations``) and
labels (``study.labels``). Its activation index (``study.index``) stores how strongly each unit responds to
each image. It is computed once and then answers in milliseconds which images a unit or a layer prefers.

The three calls that you will use:

>>> from scenelens.studies import open_study, top_images
>>> study = open_study("sceneworld")                               # a name, or the path of a study.toml
>>> study.index("scene").layer_preference("pool5")                 # doctest: +SKIP
>>> top_images(study, "scene", "pool5", unit=17)[0].category       # doctest: +SKIP

The files of the room: `study` and `study_file` (the study and its file), `schema` and `toml_text` (the keys
that a file may have, and TOML as people write it), `trust` (whether the study's own code may run), `networks`
(those that the file describes), `index`, `index_build`, `index_files` and `index_key` (the activation index:
its questions, how it is computed, how it lies on disk, and what it depends on), `ranking` (a unit's top
images with their receptive fields).
"""

import lazy_loader

__getattr__, __dir__, __all__ = lazy_loader.attach_stub(__name__, __file__)
