"""The occlusion engine: how a unit's response changes when a patch of noise moves over the image.

Section 3.2 of the paper covers a small square of the image, reads a unit's response again, and repeats this
at some 5,000 positions. The plain way is one forward pass of the whole network for each position. It is
simple, and it is slow: hours for one layer. Two facts make it fast without changing the result:

* A patch of 11 pixels changes only a small window of each layer's map. All other values are those of the
  image without a patch, which are computed once.
* A unit at one position depends only on a small window of each layer's map. What happens outside of that
  window cannot matter.

So only the overlap of these two windows has to be computed, for many patches in one batch. Several units that
look at different places of one image share the early maps. The engine does it in stages, each in a file of
its own:

1. ``plan`` (geometry, no numbers of the image): for each step of the network, patch and axis, which interval
   of the step's map has to be computed.
2. ``steps`` (the network's weights): each step of the network, reduced to the channels that the watched units
   depend on, as a function of windows.
3. ``windows`` (reading): a value inside a window comes from the window; any other value comes from the map of
   the image without a patch.
4. ``watch`` (an image without a patch): the maps that the watched units depend on.
5. ``shared`` (an order of work): which patches are computed together, and which steps several places share.
6. ``block`` (some neighbouring patches): step by step from the image up to the watched layer.
7. ``run`` (the loop): one pass without a patch, then all blocks.

``records`` has what both ways share: the patches and the result. ``whole`` is the plain way. It has two uses:
it judges the fast way, and it serves networks whose steps cannot be followed. ``check`` compares both ways on
a few patches at a layer's first use. ``occlude`` is the entrance. `Occlusion` prepares the image and chooses
the way: the fast one only where it is known to give what whole passes give. Where it is not taken, a warning
says why.

>>> import torch
>>> from scenelens.receptive_fields.occlusion.occlude import Occlusion
>>> net = torch.nn.Sequential(torch.nn.Conv2d(3, 4, 3), torch.nn.ReLU())
>>> occlusion = Occlusion(net, "1", occluder=torch.zeros(5, 5, 3), stride=2)
>>> image = torch.rand(3, 32, 32)
>>> fast, plain = occlusion.of(image, [0]), occlusion.plainly(image, [0])
>>> fast[0].map.shape, bool(abs(fast[0].map - plain[0].map).max() < 1e-5)
((14, 14), True)
"""
