"""Numbers that are not finite (NaN or infinite), found where they first occur, in weights and in activations.

One such weight makes every later layer NaN, for every image: nothing can be ranked, and an average says
nothing. So they are an error that names the network, the layer and the units. `Network.silence` goes on
without these units.
"""

from __future__ import annotations

from collections.abc import Iterable

import numpy as np
import torch
from torch import Tensor, nn

from scenelens.errors import SceneLensError


class NonFinite:
    """Where a network has numbers that are not finite: in rows of a tensor, in weights, and in words."""

    @staticmethod
    def rows(values: Tensor, dim: int = 0) -> list[int]:
        """Return the indices along one dimension at which a tensor has numbers that are not finite.

        Parameters
        ----------
        values : torch.Tensor
            Any numbers.
        dim : int, optional
            The dimension (default 0).

        Returns
        -------
        list of int
            Empty if all numbers are finite.
        """
        # A sum is not finite if a number is not; it needs no memory, and only a sum that overflowed misleads.
        if not values.is_floating_point() or bool(torch.isfinite(values.sum())):
            return []
        bad = ~torch.isfinite(values)
        if bad.ndim == 0:
            return [0] if bool(bad) else []
        return (
            torch.nonzero(bad.movedim(dim, 0).flatten(1).any(1) if bad.ndim > 1 else bad).flatten().tolist()
        )

    @staticmethod
    def weights(module: nn.Module) -> dict[str, list[int]]:
        """Return which of a module's weights are not finite.

        Parameters
        ----------
        module : torch.nn.Module
            The module.

        Returns
        -------
        dict of str to list of int
            Name in the state dict -> the units (rows of the array) concerned; empty for a healthy network.

        Examples
        --------
        >>> layer = nn.Linear(2, 3)
        >>> layer.bias.data[1] = torch.nan
        >>> NonFinite.weights(layer)
        {'bias': [1]}
        """
        found = {name: NonFinite.rows(value.detach()) for name, value in module.state_dict().items()}
        return {name: rows for name, rows in found.items() if rows}

    @staticmethod
    def note(module: nn.Module) -> str:
        """Return the sentence about a module's weights that are not finite, and the way out.

        Parameters
        ----------
        module : torch.nn.Module
            The module.

        Returns
        -------
        str
            Without a full stop; empty for a healthy network.
        """
        bad = NonFinite.weights(module)
        names = "; ".join(f"{name} in units {rows[:5]}" for name, rows in list(bad.items())[:3])
        if not bad:
            return ""
        return (
            f"weights are not finite (NaN or infinite): {names}; load other weights, or go on without these "
            "units, by the key silence in the study.toml or by Network.silence"
        )

    @staticmethod
    def error(
        network: str, layer: str, units: Iterable[int], module: nn.Module | None = None
    ) -> SceneLensError:
        """Return the error about activations that are not finite, for raising.

        Parameters
        ----------
        network : str
            The network's name.
        layer : str
            The layer where they occur.
        units : iterable of int
            The units that have them.
        module : torch.nn.Module, optional
            The network's module. Where its weights are not finite, the error names them as the cause.

        Returns
        -------
        SceneLensError
            With the way out.
        """
        units = list(units)
        cause, weights = "", NonFinite.weights(module) if module is not None else {}
        if weights:
            name, units_of_weights = next(iter(weights.items()))
            cause = f" because its weights {name} are so ({_listed(units_of_weights)})"
            path = name.rpartition(".")[0]
            together = {
                unit for key, value in weights.items() if key.rpartition(".")[0] == path for unit in value
            }
            out = f"silence({path!r}, {sorted(together)[:20]})"
        else:
            out = f"silence({layer!r}, {units[:20]})"
        return SceneLensError(
            f"network {network!r} gives numbers that are not finite (NaN or infinite) at layer {layer!r} "
            f"({_listed(units)}){cause}: load other weights, or go on without these units by network.{out}, "
            "or by the network's key silence in the study.toml."
        )


def _listed(units: list[int]) -> str:
    shown = ", ".join(map(str, np.sort(units)[:5].tolist()))
    more = f", ... ({len(units)} in all)" if len(units) > 5 else ""
    return f"unit {shown}" if len(units) == 1 else f"units {shown}{more}"
