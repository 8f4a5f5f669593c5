"""Networks: torch modules with their preprocessing, class names and layers, and what units respond to.

The paper compares two networks of the same architecture (section 2, Table 1): one trained on scenes
(Places), one on objects (ImageNet). Everything it shows is about the responses of their units, layer by
layer. This room makes any torch module such a network, records the responses of its layers, and says where in
the image the positions of a map lie and what they can see. It never trains a network.

The three calls that one really types::

    network = sl.networks.Network(module, "scene", classes, sl.Preprocessing(size=(227, 227)))
    with sl.record(network, ["conv5", "pool5"]) as activations:
        network(images)                                  # activations["pool5"]: (N, units, 6, 6)
    field = sl.theoretical_rf(network, "pool5")          # RF(size=195, stride=32, start=33)

What goes in are images, uint8 RGB (h, w, 3) of any size, and names of layers, which the table
``network.layers`` lists. A network cuts its *frame* from an image: the part that it sees, at exactly the size
that it takes. What comes out are torch tensors (logits, activations), arrays, and pixels of the frame.

The files: `network` and its parts `preprocessing` (with `mean_images`), `class_names` (with `class_lists`),
`layers`; `build`, `caffenet` and `torchvision_shim` make modules, `weights` and `weight_files` load them,
`caffe` and `caffe_network` read Caffe's files; `tracing` (with `points` and `formulas`) watches a pass, for
which `positions` and `aten` follow rows and columns through all of torch's operations; `hooks` records,
`ablation` switches units off, and `reach` gives theoretical receptive fields; `graph` follows the pass step
by step (with `following` and `overwriting`), for the occlusion experiments, and `rest` runs what follows a
layer; `undo` leaves a module as it was before a pass; `grid` says where positions lie in the frame.

>>> from scenelens.networks import CaffeNet, Network, theoretical_rf
>>> theoretical_rf(Network(CaffeNet(10, width=1 / 8, fc=16)), "pool5")
RF(size=195, stride=32, start=33)
"""

import lazy_loader

__getattr__, __dir__, __all__ = lazy_loader.attach_stub(__name__, __file__)
