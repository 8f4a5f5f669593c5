"""Finding the segments of an image: its own edges and regions, or what people outlined in it (section 3.1).

The paper simplifies images in two ways: once with an automatic "segmentation of edges and regions", once with
the objects that the annotators of SUN outlined. `segment_image` and `regions_from_annotation` do one each.
Both return `Regions`.
"""

from __future__ import annotations

import numpy as np
from scipy.ndimage import maximum_filter
from scipy.sparse import coo_matrix
from skimage.color import rgb2lab
from skimage.segmentation import slic
from sklearn.cluster import AgglomerativeClustering

from scenelens.annotations import Annotations, Shape
from scenelens.errors import SceneLensError
from scenelens.minimal_images.gradient_domain import _GradientBases
from scenelens.minimal_images.regions import REST, Regions
from scenelens.networks import Preprocessing


def segment_image(image: np.ndarray, n_regions: int = 30, n_edges: int = 10, edge_width: int = 4) -> Regions:
    """Find the regions of an image and the strong edges between them.

    Superpixels (SLIC) are merged with their neighbours, those of the most similar colour first (Ward), until
    `n_regions` are left. The borders with the most contrast in all, each between two regions, become thin
    segments of their own.

    Parameters
    ----------
    image : numpy.ndarray
        uint8 RGB (H, W, 3); for a network its frame, ``network.show_input(image)``.
    n_regions : int, optional
        How many regions, at least 2; fewer on an image of a few pixels.
    n_edges : int, optional
        How many edges at most; 0 for none.
    edge_width : int, optional
        Width of the edges in pixels, at least 2.

    Returns
    -------
    Regions
        First the regions, then the edges, strongest first; at most n_regions + n_edges segments.

    Raises
    ------
    SceneLensError
        If a number is out of range, or the image is not uint8 RGB.

    Notes
    -----
    Section 3.1: "a segmentation of edges and regions". The paper does not say which. This one is
    deterministic.

    Examples
    --------
    >>> image = np.zeros((40, 60, 3), np.uint8)
    >>> image[:, 30:] = 200
    >>> found = segment_image(image, n_regions=2, n_edges=1)
    >>> found.kinds, found.segment_map[0, [10, 29, 50]].tolist()  # pixel 29, before the step, is the edge's
    (('region', 'region', 'edge'), [0, 2, 1])
    """
    image = Preprocessing.checked_image(image)
    if n_regions < 2 or n_edges < 0 or edge_width < 2:
        raise SceneLensError(
            f"n_regions={n_regions}, n_edges={n_edges}, edge_width={edge_width}: take at least 2 regions, "
            "0 edges or more, and a width of at least 2 pixels."
        )
    # In Lab, distances between colours are close to how different people find them.
    lab = rgb2lab(image)
    # Eight superpixels per region: enough that merging them can follow a region's shape, and still fast.
    regions = _merged(lab, _superpixels(image, 8 * n_regions), n_regions)
    numbers = _with_edges(lab, regions, n_edges, edge_width)
    n = regions.max() + 1
    names = [*(f"region {k}" for k in range(n)), *(f"edge {k}" for k in range(n_edges))]
    kinds = ["region"] * n + ["edge"] * n_edges
    source = f"{n} regions of merged superpixels and strong edges"
    return Regions.from_map(numbers, dict(enumerate(names)), dict(enumerate(kinds)), source)


def _superpixels(image: np.ndarray, n: int) -> np.ndarray:
    """Return segment numbers (H, W) from 0 on without gaps."""
    found = slic(image, n_segments=n, compactness=10, sigma=0, start_label=0, channel_axis=-1)
    return np.unique(found, return_inverse=True)[1].reshape(image.shape[:2])


def _merged(lab: np.ndarray, superpixels: np.ndarray, n: int) -> np.ndarray:
    """Merge superpixels with neighbours until n regions are left, numbered in reading order."""
    count = superpixels.max() + 1
    if count <= n:
        return superpixels
    areas = np.bincount(superpixels.ravel())
    channels = np.moveaxis(lab, 2, 0)
    colours = np.stack([np.bincount(superpixels.ravel(), c.ravel()) for c in channels], 1)
    # Only superpixels that touch may be merged. Without this constraint the clusters would be colours, spread
    # over the image, and not regions.
    pairs, _ = _borders(superpixels)
    touching = coo_matrix((np.ones(len(pairs)), pairs.T), shape=(count, count))
    ward = AgglomerativeClustering(n, connectivity=touching + touching.T, linkage="ward")
    merged = ward.fit_predict(colours / areas[:, None])[superpixels]
    # The clusters' own numbers depend on the order of merging. Numbers by the first pixel are easier to find
    # in a picture.
    first = np.unique(merged, return_index=True)[1]
    return np.argsort(np.argsort(first))[merged]


def _borders(segment_map: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Return where neighbours differ: the two segments, smaller first, (m, 2); both flat pixels, (m, 2)."""
    numbers = np.arange(segment_map.size).reshape(segment_map.shape)
    sides = [
        np.stack([numbers[:-1].ravel(), numbers[1:].ravel()], 1),
        np.stack([numbers[:, :-1].ravel(), numbers[:, 1:].ravel()], 1),
    ]
    pixels = np.concatenate(sides)
    both = segment_map.ravel()[pixels]
    differ = both[:, 0] != both[:, 1]
    return np.sort(both[differ], 1), pixels[differ]


def _with_edges(lab: np.ndarray, regions: np.ndarray, n_edges: int, width: int) -> np.ndarray:
    """Give the strongest borders new numbers; where two meet, the pixel goes to the stronger one."""
    pairs, pixels = _borders(regions)
    if not n_edges or not len(pairs):
        return regions
    slope = np.hypot(*_GradientBases.forward_differences(lab)).max(2)
    steepest = maximum_filter(slope, 3)  # the border of a superpixel may miss an edge by a pixel
    contrast = steepest.ravel()[pixels].mean(1)
    _, border = np.unique(pairs, axis=0, return_inverse=True)
    # The sum, not the mean: a long border of some contrast matters more than a short one of much.
    strength = np.bincount(border.ravel(), contrast)
    strongest = np.argsort(-strength, kind="stable")[:n_edges]
    # Ranks are counted downwards, n_edges for the strongest and 0 away from edges, so that a maximum filter
    # can widen the lines and settle in the same step to which of two lines a pixel belongs.
    rank = np.zeros(regions.size, np.int32)
    for place, one in enumerate(strongest[strength[strongest] > 0]):
        along = pixels[border.ravel() == one]
        rank[along] = np.maximum(rank[along], n_edges - place)
    # A border is two pixels wide already, one on each side; a filter of width - 1 makes it `width` pixels.
    wide = maximum_filter(rank.reshape(regions.shape), size=width - 1)
    return np.where(wide > 0, regions.max() + 1 + n_edges - wide, regions)


def regions_from_annotation(
    annotations: Annotations, image: str, shape: Shape | None = None, by: str = "instance", at_most: int = 60
) -> Regions:
    """Return the outlined objects of an annotated photograph as segments, from annotations of any format.

    The annotations say which object covers which (background first, then larger before smaller). What no
    outline covers becomes a segment of its own, called 'unlabelled'.

    Parameters
    ----------
    annotations : Annotations
        The annotations, such as ``study.annotations``.
    image : str
        The id of an image among them.
    shape : tuple of int, optional
        (H, W) of the result; by default that of the photograph.
    by : {'instance', 'name'}, optional
        'instance' makes each object a segment; 'name' makes one segment of all chairs together.
    at_most : int, optional
        How many segments are wanted at most. Beyond, the smallest objects of one name are joined. Objects of
        different names are never joined, so there may be more segments.

    Returns
    -------
    Regions
        Segments of kind 'object', named as the annotators did.

    Raises
    ------
    SceneLensError
        If there is no such image, or `by` is another word.

    Notes
    -----
    Section 3.1: "the ground-truth object segments provided in the database".
    """
    if by not in ("instance", "name"):
        raise SceneLensError(f"by={by!r}: objects are told apart by 'instance' or by 'name'.")
    # Formats that paint every class in one colour cannot tell two chairs apart; they have no instances.
    find = getattr(annotations, "instances", None)
    if by == "name" or find is None:
        codes, names = annotations.label_map(image, "objects", shape)
    else:
        codes, objects = find(image, shape)
        codes, names = _joined(codes, [one.name for one in objects], at_most)
    kinds = dict.fromkeys([0, *names], "object")
    return Regions.from_map(codes, {**names, 0: REST}, kinds, f"objects that people outlined, by {by}")


def _joined(codes: np.ndarray, names: list[str], at_most: int) -> tuple[np.ndarray, dict[int, str]]:
    """Keep the code of each of the largest objects, and join the small ones of a name; 0 stays 0."""
    areas = np.bincount(codes.ravel(), minlength=len(names) + 1)
    order = [k for k in np.argsort(-areas[1:], kind="stable") + 1 if areas[k]]
    rest = int(areas[0] > 0)
    # The largest number of objects that can stay separate while the others, one segment per name, still fit.
    separate, joined = len(order), set[str]()
    while separate and separate + len(joined) + rest > at_most:
        separate -= 1
        joined.add(names[order[separate] - 1])
    new_codes = np.arange(len(names) + 1)
    first: dict[str, int] = {}
    for k in order[separate:]:
        new_codes[k] = first.setdefault(names[k - 1], k)
    return new_codes[codes], dict(enumerate(names, start=1))
