"""Finding an image's segments: its own edges and regions, or what people marked in it (section 3.1).

The paper simplifies images twice, once with an automatic "segmentation of edges and regions", once with the
objects that SUN's annotators outlined. Both give `scenelens.minimal_images.regions.Regions`.
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
from scenelens.minimal_images.gradient_domain import forward_differences
from scenelens.minimal_images.regions import REST, Regions
from scenelens.networks import checked_image


def segment_image(image: np.ndarray, n_regions: int = 30, n_edges: int = 10, edge_width: int = 4) -> Regions:
    """An image's regions and the strong edges between them.

    Superpixels (SLIC) are merged with their neighbours, the most alike in colour first (Ward), until
    `n_regions` are left. The borders between two regions with the most contrast in all become segments of
    their own, thin ones.

    Parameters
    ----------
    image : uint8 RGB (H, W, 3); for a network its frame, ``network.show_input(image)``.
    n_regions : how many regions, at least 2; fewer on an image of a few pixels.
    n_edges : how many edges at most; 0 for none.
    edge_width : pixels, at least 2.

    Returns
    -------
    Regions : first the regions, then the edges, strongest first; at most n_regions + n_edges segments.

    Raises
    ------
    SceneLensError : numbers out of range.

    Notes
    -----
    Section 3.1: "a segmentation of edges and regions". The paper does not say which; this one is
    deterministic.

    Examples
    --------
    >>> image = np.zeros((40, 60, 3), np.uint8)
    >>> image[:, 30:] = 200
    >>> found = segment_image(image, n_regions=2, n_edges=1)
    >>> found.kinds, found.labels[0, [10, 29, 50]].tolist()  # the step from pixel 29 to 30 is the edge's
    (('region', 'region', 'edge'), [0, 2, 1])
    """
    image = checked_image(image)
    if n_regions < 2 or n_edges < 0 or edge_width < 2:
        raise SceneLensError(
            f"n_regions={n_regions}, n_edges={n_edges}, edge_width={edge_width}: take at least 2 regions, "
            "0 edges or more, and a width of at least 2 pixels."
        )
    lab = rgb2lab(image)
    regions = _merged(lab, _superpixels(image, 8 * n_regions), n_regions)
    labels = _with_edges(lab, regions, n_edges, edge_width)
    n = regions.max() + 1
    all_names = [*(f"region {k}" for k in range(n)), *(f"edge {k}" for k in range(n_edges))]
    kinds = dict(enumerate(["region"] * n + ["edge"] * n_edges))
    names = dict(enumerate(all_names))
    return Regions.from_labels(labels, names, kinds, f"{n} regions of merged superpixels and strong edges")


def _superpixels(image: np.ndarray, n: int) -> np.ndarray:
    """(H, W) labels from 0 on without gaps."""
    found = slic(image, n_segments=n, compactness=10, sigma=0, start_label=0, channel_axis=-1)
    return np.unique(found, return_inverse=True)[1].reshape(image.shape[:2])


def _merged(lab: np.ndarray, labels: np.ndarray, n: int) -> np.ndarray:
    """Superpixels merged with neighbours until n regions are left, numbered in reading order."""
    count = labels.max() + 1
    if count <= n:
        return labels
    areas = np.bincount(labels.ravel())
    colours = np.stack([np.bincount(labels.ravel(), c.ravel()) for c in np.moveaxis(lab, 2, 0)], 1)
    pairs, _ = _borders(labels)
    touching = coo_matrix((np.ones(len(pairs)), pairs.T), shape=(count, count))
    ward = AgglomerativeClustering(n, connectivity=touching + touching.T, linkage="ward")
    merged = ward.fit_predict(colours / areas[:, None])[labels]
    first = np.unique(merged, return_index=True)[1]
    return np.argsort(np.argsort(first))[merged]


def _borders(labels: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Where neighbours differ: the two labels, smaller first, (m, 2); and both flat pixels, (m, 2)."""
    numbers = np.arange(labels.size).reshape(labels.shape)
    sides = [
        np.stack([numbers[:-1].ravel(), numbers[1:].ravel()], 1),
        np.stack([numbers[:, :-1].ravel(), numbers[:, 1:].ravel()], 1),
    ]
    pixels = np.concatenate(sides)
    both = labels.ravel()[pixels]
    differ = both[:, 0] != both[:, 1]
    return np.sort(both[differ], 1), pixels[differ]


def _with_edges(lab: np.ndarray, labels: np.ndarray, n_edges: int, width: int) -> np.ndarray:
    """The strongest borders as new labels; where two meet, the stronger one has the pixel."""
    pairs, pixels = _borders(labels)
    if not n_edges or not len(pairs):
        return labels
    slope = np.hypot(*forward_differences(lab)).max(2)
    steepest = maximum_filter(slope, 3)  # superpixels may miss an edge by a pixel
    contrast = steepest.ravel()[pixels].mean(1)
    _, border = np.unique(pairs, axis=0, return_inverse=True)
    strength = np.bincount(border.ravel(), contrast)
    strongest = np.argsort(-strength, kind="stable")[:n_edges]
    rank = np.zeros(labels.size, np.int32)  # n_edges for the strongest, 0 away from edges
    for place, one in enumerate(strongest[strength[strongest] > 0]):
        along = pixels[border.ravel() == one]
        rank[along] = np.maximum(rank[along], n_edges - place)
    wide = maximum_filter(rank.reshape(labels.shape), size=width - 1)
    return np.where(wide > 0, labels.max() + 1 + n_edges - wide, labels)


def regions_from_annotation(
    annotations: Annotations, image: str, shape: Shape | None = None, by: str = "instance", at_most: int = 60
) -> Regions:
    """An annotated photograph's objects as segments, from annotations of any format.

    Who covers whom is the annotations' business (background first, then larger before smaller); what nobody
    outlined is a segment of its own, called 'unlabelled'.

    Parameters
    ----------
    annotations : see `scenelens.annotations.interface.Annotations`. image : an image's id among them.
    shape : (H, W) of the result; without it the photograph's own.
    by : 'instance', each thing a segment; or 'name', all chairs together one.
    at_most : segments wanted at most; beyond, the smallest things of one name are taken together. Different
        names are never joined.

    Returns
    -------
    Regions : of kind 'object', named as the annotators did.

    Raises
    ------
    SceneLensError : an unknown image, another `by`.

    Notes
    -----
    Section 3.1: "the ground-truth object segments provided in the database".
    """
    if by not in ("instance", "name"):
        raise SceneLensError(f"by={by!r}: objects are told apart by 'instance' or by 'name'.")
    find = getattr(annotations, "instances", None)
    if by == "name" or find is None:
        codes, names = annotations.label_map(image, "objects", shape)
    else:
        codes, things = find(image, shape)
        codes, names = _joined(codes, [thing.name for thing in things], at_most)
    kinds = dict.fromkeys([0, *names], "object")
    return Regions.from_labels(codes, {**names, 0: REST}, kinds, f"objects that people outlined, by {by}")


def _joined(codes: np.ndarray, names: list[str], at_most: int) -> tuple[np.ndarray, dict[int, str]]:
    """The largest things each under its own code, the small ones of a name under one; 0 stays 0."""
    areas = np.bincount(codes.ravel(), minlength=len(names) + 1)
    order = [k for k in np.argsort(-areas[1:], kind="stable") + 1 if areas[k]]
    rest = int(areas[0] > 0)
    alone = len(order)  # how many are told apart; the rest goes by name
    while alone and alone + len({names[k - 1] for k in order[alone:]}) + rest > at_most:
        alone -= 1
    table = np.arange(len(names) + 1)
    first: dict[str, int] = {}
    for k in order[alone:]:
        table[k] = first.setdefault(names[k - 1], k)
    return table[codes], dict(enumerate(names, start=1))
