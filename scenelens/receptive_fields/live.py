"""What the explorer of receptive fields computes while a reader uses it: the model behind `explore_fields`.

It needs no notebook and draws nothing. What the atlas has is there at once. A discrepancy map is computed
when it is looked at. A whole field that is missing is computed only where that is quick, or when the reader
wants it.
"""

from __future__ import annotations

import functools
import time

import numpy as np
import traitlets

from scenelens.errors import SceneLensError
from scenelens.receptive_fields.atlas import Atlas
from scenelens.receptive_fields.field import EmpiricalRF
from scenelens.receptive_fields.occlusion.occlude import Occlusion
from scenelens.receptive_fields.occlusion.records import Discrepancy
from scenelens.receptive_fields.unit_segmentation import segment_unit
from scenelens.sentences import number, percent
from scenelens.studies import TopImage, network_variant, top_images
from scenelens.workbook import UnitBrowser

_MAPS = 64  # discrepancy maps that are kept in memory
_QUICK = 3.0  # seconds that a field may take without the reader's consent


class _FieldExplorer(UnitBrowser):
    """The unit being looked at, one of its top images, and what is known of its field.

    Parameters
    ----------
    atlas : Atlas
        The atlas of a study.
    network : str, optional
        The network to begin with.
    layer : str, optional
        The layer to begin with; by default the deepest main layer with a map.
    unit : int, optional
        The unit to begin with.
    n : int, optional
        How many top images can be chosen from.

    Attributes
    ----------
    network, layer, unit : str, str, int
        Traits; set them with `choose`.
    image : int
        Trait: which of the unit's top images, from 0.
    threshold : float
        Trait: the threshold of the segmentation, a share of the unit's peak.

    Raises
    ------
    SceneLensError
        If there is no such network, layer or unit, or the layer has no map.
    """

    image = traitlets.Int(0)
    threshold = traitlets.Float(0.5)
    further = ("image", "threshold")

    def __init__(
        self, atlas: Atlas, network: str = "scene", layer: str | None = None, unit: int = 0, n: int = 12
    ) -> None:
        self.atlas = atlas
        self.seconds: dict[tuple[str, str], float] = {}  # per discrepancy map of a layer, as measured here
        self._tops = functools.lru_cache(maxsize=8)(self._find_tops)
        self._occlusion = functools.lru_cache(maxsize=4)(self._make_occlusion)
        self._maps: dict[tuple, Discrepancy] = {}  # the last ones, by all that they depend on
        # The last region, and what it was computed from: picture and sentence both use it.
        self._region: tuple[EmpiricalRF, tuple, np.ndarray] | None = None
        super().__init__(atlas.study, network, layer, unit, n)
        if self.layer not in self.layers():
            raise SceneLensError(f"{layer} of the {network} network has no map, and so no receptive field.")

    def networks(self) -> list[str]:
        """Names of the networks that the atlas measures."""
        return list(self.atlas.parts)

    def layers(self, network: str | None = None) -> list[str]:
        """A network's layers that have a map, early ones first.

        Parameters
        ----------
        network : str, optional
            By default the network being looked at.

        Returns
        -------
        list of str
            Names of layers.
        """
        found = self.atlas.part(network or self.network).network
        return [str(layer) for layer in found.layers["layer"] if found.layer_shape(layer)[1:] != (1, 1)]

    def tops(self) -> list[TopImage]:
        """The unit's top images, best first."""
        return list(self._tops(self.network, self.layer, self.unit, self._variant()))

    def _variant(self) -> str:
        """What tells the network from itself before its weights, code or hooks were changed.

        It is a part of the key of all that is remembered, so that nothing outlives such a change.
        """
        return network_variant(self.study.networks[self.network], self.study.cache / "atlas")

    def _find_tops(self, network: str, layer: str, unit: int, variant: str) -> tuple[TopImage, ...]:
        return tuple(top_images(self.study, network, layer, unit, self.n))

    def top(self) -> TopImage:
        """The top image being looked at; the last one where the study has fewer."""
        tops = self.tops()
        if not tops:
            raise SceneLensError(
                f"no image of study {self.study.name!r} could be read: check the files in study.images."
            )
        return tops[min(self.image, len(tops) - 1)]

    def field(self) -> EmpiricalRF | None:
        """The unit's average field, if the atlas has it."""
        return self.atlas.part(self.network).cached(self.layer).get(self.unit)

    def discrepancy(self) -> Discrepancy:
        """How the unit changes under occluders on the image; computed once."""
        key = self._map_key()
        if key not in self._maps:
            self._maps[key] = self._make_map(*key)
            if len(self._maps) > _MAPS:
                del self._maps[next(iter(self._maps))]
        return self._maps[key]

    def _map_key(self) -> tuple[str, str, int, str, str]:
        return self.network, self.layer, self.unit, self.top().image, self._variant()

    def is_known(self) -> bool:
        """Whether all that is shown is there, so that nothing has to be computed that takes long."""
        quick = self.field() is None and self.wait() <= _QUICK
        return self._map_key() in self._maps and not quick

    def _make_occlusion(self, network: str, layer: str, variant: str) -> Occlusion:
        return Occlusion(self.study.networks[network], layer)

    def _make_map(self, network: str, layer: str, unit: int, image: str, variant: str) -> Discrepancy:
        began = time.perf_counter()
        found = self._occlusion(network, layer, variant).of(self.study.load_image(image), [unit])[0]
        self.seconds[network, layer] = time.perf_counter() - began
        return found

    def known_units(self) -> list[int]:
        """The units of the layer whose average field the atlas has."""
        measured = self.atlas.part(self.network).cached(self.layer)
        return [unit for unit, field in measured.items() if not field.reason]

    def beside(self, unit: int, threshold: float) -> _FieldExplorer:
        """Look at another unit of the layer, or at another threshold, while this view stays as it is.

        Parameters
        ----------
        unit : int
            The unit.
        threshold : float
            The threshold of the segmentation.

        Returns
        -------
        _FieldExplorer
            It shares what this one has computed.
        """
        other = _FieldExplorer(self.atlas, self.network, self.layer, unit, self.n)
        other.threshold, other.names = threshold, self.names
        other._maps, other._occlusion, other._tops = self._maps, self._occlusion, self._tops
        return other

    def wait(self) -> float:
        """About how many seconds the average field would take now; 0 where the atlas has it."""
        if self.field() is not None:
            return 0.0
        return self.seconds.get((self.network, self.layer), np.inf) * self.atlas.n_images

    def compute(self) -> None:
        """Compute the average field; the atlas caches it."""
        self.atlas.part(self.network).field(self.layer, self.unit, progress=False)

    def quick_field(self) -> EmpiricalRF | None:
        """The unit's average field, computed now where that is quick; None where it is not."""
        if self.wait() <= _QUICK:
            self.compute()
        return self.field()

    def region(self, field: EmpiricalRF) -> np.ndarray:
        """Where the unit is active in the image.

        Parameters
        ----------
        field : EmpiricalRF
            The unit's field.

        Returns
        -------
        numpy.ndarray
            bool (H, W), in pixels of the top image's frame.
        """
        asked = (self.network, self.top().image, self.threshold, self._variant())
        if self._region is None or self._region[0] is not field or self._region[1] != asked:
            network = self.study.networks[self.network]
            mask = segment_unit(network, field, self.top().frame, self.threshold).mask
            self._region = field, asked, mask
        return self._region[2]

    def code(self) -> str:
        """Python that shows the same view, where `study` is the open study."""
        where = f"study, {self.network!r}, {self.layer!r}, {self.unit}"
        chosen = f"view.model.image, view.model.threshold = {self.image}, {self.threshold:g}"
        return f"view = sl.receptive_fields.explore_fields({where})\n{chosen}\nview"

    def glance(self) -> str:
        """What is there at once, in one line, while the rest is computed."""
        seconds = self.seconds.get((self.network, self.layer))
        wait = "" if seconds is None else f", about {max(seconds, 0.1):.1f} s"
        return f"{self._name()} · computing what an occluder changes{wait}"

    def _name(self) -> str:
        return f"{self.layer}:{self.unit} of the {self.network} network"

    def describe(self) -> str:
        """What there is to see, in one line."""
        field, name = self.field(), self._name()
        said = f" · {self.about()}" if self.about() else ""
        peak = f"image {min(self.image, len(self.tops()) - 1) + 1}, peak {number(self.top().peak)}"
        if field is None:
            return f"{name} · {peak} · its average is not in the atlas: about {self.wait():.0f} s to compute"
        if field.reason:
            return f"{name} · {peak} · {field.reason}"
        size = f"side {number(field.size)} of {np.mean(field.theoretical.size):.0f} px possible"
        if field.theoretical.whole:
            size = f"side {number(field.size)} px, the whole image is possible"
        return f"{name} · {peak} · {size}, from {len(field.peaks)} images · {self._lit(field)}{said}"

    def _lit(self, field: EmpiricalRF) -> str:
        share = self.region(field).mean()
        said = "less than 1%" if 0 < share < 0.01 else percent(share)
        return f"{said} of the image is lit at {percent(self.threshold)} of the peak or more"
