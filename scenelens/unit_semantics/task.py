"""The task that the paper gave to workers: what do a unit's segmented images show? (section 3.3)

For every unit a person sees 60 images, each lit only where the unit is active, and (1) names the concept that
most of them share, (2) marks those that do not fit, (3) chooses one of six types for the concept. Three of
the 60 are catch trials, images with the unit's lowest responses: a person who does not mark them did not
look. Precision is the share of the real images that fit.
"""

from __future__ import annotations

import zlib
from collections.abc import Generator, Iterable
from dataclasses import dataclass
from functools import cached_property

import numpy as np
from PIL import Image

from scenelens.errors import SceneLensError
from scenelens.labels import TYPES
from scenelens.networks import Axis, interpolate, unit_maps
from scenelens.receptive_fields import Atlas, EmpiricalRF, open_atlas
from scenelens.studies import Study
from scenelens.workbook import dimmed

N_IMAGES, N_CATCH = 60, 3  # shown, and how many of them are catch trials
LEAST_FITTING = 10  # an answer that fits fewer images is refused
_AT_ONCE = 8  # images that go through the network together
_OF_UNIT, _OF_IMAGE = 0.5, 0.9  # active: from half of the unit's peak on, or 0.9 of an image's own lower peak


@dataclass(frozen=True)
class _TaskImage:
    """One image of the task.

    Attributes
    ----------
    image : str
        Its id within the study.
    frame : numpy.ndarray
        uint8 RGB (H, W, 3), the image as the network sees it.
    mask : numpy.ndarray
        (H, W) bool, what is lit.
    peak : float
        The unit's largest response to the image.
    catch : bool
        Whether it is a catch trial.
    """

    image: str
    frame: np.ndarray
    mask: np.ndarray
    peak: float
    catch: bool


@dataclass(frozen=True)
class Answer:
    """A person's answer about a unit.

    Attributes
    ----------
    concept : str
        The name for what most images share.
    marked : frozenset of int
        The places, from 0, of the images that do not fit.
    type : str
        One of the six types, `scenelens.labels.TYPES`.

    Examples
    --------
    >>> Answer("lamp", frozenset({3}), "object").concept
    'lamp'
    """

    concept: str = ""
    marked: frozenset[int] = frozenset()
    type: str = ""


@dataclass(frozen=True)
class _AnnotationTask:
    """A unit's images as they are shown: strongest first, with the catch trials at random places.

    Attributes
    ----------
    network : str
        The network's name in the study.
    layer : str
        The layer's name.
    unit : int
        The unit's number.
    images : tuple of _TaskImage
        The images, in the order in which they are shown.
    way : str
        How they are segmented: 'receptive field', 'bilinear' or 'whole image'.
    """

    network: str
    layer: str
    unit: int
    images: tuple[_TaskImage, ...]
    way: str

    def __len__(self) -> int:
        return len(self.images)

    @cached_property
    def catch(self) -> frozenset[int]:
        """The places, from 0, of the catch trials."""
        return frozenset(place for place, one in enumerate(self.images) if one.catch)

    @property
    def n_real(self) -> int:
        """The number of real images, those that are no catch trials. Precision is a share of them."""
        return len(self.images) - len(self.catch)

    def fitting(self, marked: Iterable[int]) -> int:
        """The number of real images that fit if these places are marked; catch trials never count.

        Parameters
        ----------
        marked : iterable of int
            Places, from 0, of images that do not fit.

        Returns
        -------
        int
            At most `n_real`.
        """
        return self.n_real - len(set(marked) - self.catch)

    def precision(self, marked: Iterable[int]) -> float:
        """Share of the real images that fit.

        Parameters
        ----------
        marked : iterable of int
            Places, from 0, of images that do not fit.

        Returns
        -------
        float
            In 0..1.
        """
        return self.fitting(marked) / self.n_real

    def tiles(self, side: int = 160) -> list[np.ndarray]:
        """The images as they are shown, dark where the unit is not active.

        Parameters
        ----------
        side : int, optional
            Width and height in pixels (default 160).

        Returns
        -------
        list of numpy.ndarray
            uint8 RGB (side, side, 3) each.
        """
        shown = [Image.fromarray(dimmed(one.frame, one.mask)) for one in self.images]
        return [np.asarray(one.resize((side, side), Image.Resampling.LANCZOS)) for one in shown]

    def refusal(self, answer: Answer) -> str:
        """Why an answer is not accepted.

        Parameters
        ----------
        answer : Answer
            A person's answer.

        Returns
        -------
        str
            One sentence; '' where the answer is accepted.

        Notes
        -----
        Section 3.3 and its footnotes: an empty text, a missing type, catch trials that are not marked, and
        fewer than 10 fitting images are refused.

        Examples
        --------
        >>> blank = np.zeros((1, 1, 3), np.uint8)
        >>> images = [_TaskImage(str(k), blank, blank[..., 0] > 0, 1.0, k == 4) for k in range(12)]
        >>> task = _AnnotationTask("scene", "pool5", 17, tuple(images), "whole image")
        >>> task.refusal(Answer("lamp", frozenset({4, 5}), "object"))
        ''
        >>> task.refusal(Answer("lamp", frozenset({4, 5, 6}), "object"))
        'Only 9 images would fit: name something that at least 10 of them share.'
        """
        if not any(letter.isalnum() for letter in answer.concept):
            return "The concept is empty: name in a word or two what most of the images share."
        if answer.type not in TYPES:
            return "No type is chosen: choose one of the six types for the concept."
        if self.catch - answer.marked:
            # The sentence does not say which images: a catch trial that is pointed at catches nothing.
            return (
                f"Some images that do not belong here are not marked: look at all {len(self)} again, and "
                "mark those that do not fit."
            )
        fitting = self.fitting(answer.marked)
        if fitting < LEAST_FITTING:
            return (
                f"Only {fitting} images would fit: name something that at least {LEAST_FITTING} of them "
                "share."
            )
        return ""


def annotation_task(
    study: Study | Atlas,
    network: str,
    layer: str,
    unit: int,
    n_images: int = N_IMAGES,
    n_catch: int = N_CATCH,
    seed: int = 0,
) -> _AnnotationTask:
    """Choose, segment and order a unit's images.

    Parameters
    ----------
    study : Study or Atlas
        An open study, or its `Atlas` where one is open already.
    network : str
        The network's name in the study.
    layer : str
        The layer's name.
    unit : int
        The unit's number, from 0.
    n_images : int, optional
        Number of images, catch trials included (default 60); fewer from a small study, and only images to
        which the unit responds.
    n_catch : int, optional
        Number of catch trials among them (default 3).
    seed : int, optional
        Seed by which catch trials are drawn and placed (default 0). With the unit it fixes them.

    Returns
    -------
    _AnnotationTask
        The images in the order in which they are shown.

    Raises
    ------
    SceneLensError
        If there is no such network, layer or unit, or if the unit responds to too few images to be named.

    Notes
    -----
    Section 3.3: 60 images, three of them catch trials. A position is active from half of the unit's peak on;
    in an image whose own peak is lower, from 0.9 of that, so that something is lit in each. The unit's
    empirical receptive field is placed at the active positions where the atlas contains it; elsewhere the
    responses are interpolated.
    """
    steps = _task_steps(study, network, layer, unit, n_images, n_catch, seed)
    while True:
        try:
            next(steps)
        except StopIteration as done:
            task: _AnnotationTask = done.value
            return task


def _task_steps(
    study: Study | Atlas,
    network: str,
    layer: str,
    unit: int,
    n_images: int = N_IMAGES,
    n_catch: int = N_CATCH,
    seed: int = 0,
) -> Generator[None, None, _AnnotationTask]:
    """The work of `annotation_task` in steps of about a tenth of a second, between which clicks are answered;
    it returns the task."""
    atlas = study if isinstance(study, Atlas) else open_atlas(study)
    row = atlas.study.layer_row(network, layer)
    if not 0 <= unit < row["units"]:
        last = row["units"] - 1
        raise SceneLensError(f"{layer} of the {network} network has units 0 to {last}, not {unit}.")
    rng = np.random.default_rng([seed, zlib.crc32(f"{network} {layer} {unit}".encode())])
    real, catch, peaks = _choose(atlas.study, (network, layer, unit), n_images - n_catch, n_catch, rng)
    field = _field(atlas, network, layer, unit)
    net, frames, maps = atlas.study.networks[network], [], []
    for image in (*real, *catch):
        frames.append(net.show_input(atlas.study.load_image(image)))
        yield
    for start in range(0, len(real), _AT_ONCE):
        maps.append(unit_maps(net, layer, unit, frames[start : min(start + _AT_ONCE, len(real))]))
        yield
    way, masks = _segmented(np.concatenate(maps), field, net.axes(layer), frames[0].shape[:2])
    # In a catch trial there is little or nothing to segment, so it borrows the region of a real image: its
    # shape must not give it away.
    masks += [masks[k] for k in rng.integers(len(real), size=len(catch))]
    order = _order(len(real), len(catch), rng)
    shown = [
        _TaskImage(image, frame, mask, peak, place >= len(real))
        for place, (image, frame, mask, peak) in enumerate(
            zip([*real, *catch], frames, masks, peaks, strict=True)
        )
    ]
    return _AnnotationTask(network, layer, unit, tuple(shown[k] for k in order), way)


def _choose(
    study: Study, unit: tuple[str, str, int], n_real: int, n_catch: int, rng: np.random.Generator
) -> tuple[list[str], list[str], list[float]]:
    """Ids of the images with the highest peaks, of catch trials among the lowest, and all their peaks."""
    network, layer, number = unit
    index = study.index(network)
    peaks = np.asarray(index.peaks(layer)[:, number], float)
    names = index.images["image"].to_numpy()
    # Images that the index does not know yet have NaN; they come last and are cut off.
    ranked = np.argsort(np.where(np.isnan(peaks), np.inf, -peaks), kind="stable")[: np.isfinite(peaks).sum()]
    room = min(n_real, len(ranked) - n_catch)
    real = [k for k in ranked[: max(room, 0)] if peaks[k] > 0]
    if len(real) < LEAST_FITTING:
        n = (peaks > 0).sum()
        raise SceneLensError(
            f"{layer}:{number} of the {network} network responds to {n} of {len(ranked)} images: too few to "
            f"be named, which takes {LEAST_FITTING} and {n_catch} catch trials."
        )
    rest = ranked[len(real) :]
    low = rest[peaks[rest] <= np.sort(peaks[rest])[n_catch - 1]] if n_catch else rest[:0]  # ties: at random
    catch = rng.choice(low, n_catch, replace=False)
    chosen = [*real, *catch]
    return list(names[real]), list(names[catch]), [float(peaks[k]) for k in chosen]


def _order(n_real: int, n_catch: int, rng: np.random.Generator) -> np.ndarray:
    """The order of the images: real ones strongest first, catch trials (the last ones) at random places."""
    places = np.sort(rng.choice(n_real + n_catch, n_catch, replace=False))
    order = np.empty(n_real + n_catch, int)
    order[places] = n_real + np.arange(n_catch)
    order[np.setdiff1d(np.arange(len(order)), places)] = np.arange(n_real)
    return order


def _field(atlas: Atlas, network: str, layer: str, unit: int) -> EmpiricalRF | None:
    """The unit's field, if it is cached: none is computed while a person waits."""
    field = atlas.parts[network].cached(layer).get(unit) if network in atlas.parts else None
    return None if field is None or field.reason else field


def _segmented(
    maps: np.ndarray, field: EmpiricalRF | None, axes: tuple[Axis, Axis], frame: tuple[int, int]
) -> tuple[str, list[np.ndarray]]:
    """How the images are segmented, and their masks (H, W)."""
    if maps.shape[1:] == (1, 1):
        return "whole image", [np.ones(frame, bool) for _ in maps]
    levels = np.minimum(_OF_UNIT * maps.max(), _OF_IMAGE * maps.max(axis=(1, 2)))
    if field is not None:
        active = (maps >= levels[:, None, None]) & (maps > 0)
        return "receptive field", [field.placed_at(one) for one in active]
    pixels = [interpolate(one, axes) for one in maps]
    return "bilinear", [(one >= level) & (one > 0) for one, level in zip(pixels, levels, strict=True)]
