"""CaffeNet, the architecture of both of the paper's networks (section 2, Table 1), at any width.

Layers are attributes with the paper's names, and they run in the order in which they are declared. The order
within a block is convolution, ReLU, pooling, normalisation, as in the paper's networks (bvlc_alexnet has the
normalisation before the pooling).
"""

from __future__ import annotations

import copy

import torch
from torch import Tensor, nn

from scenelens.errors import SceneLensError

# (channels at full width, kernel, stride, padding, groups, whether pooling follows) for conv1 ... conv5.
_CONVS = (
    (96, 11, 4, 0, 1, True),
    (256, 5, 1, 2, 2, True),
    (384, 3, 1, 1, 1, False),
    (384, 3, 1, 1, 2, False),
    (256, 3, 1, 1, 2, True),
)


class CaffeNet(nn.Module):
    """The paper's network: five convolutions, three poolings, three fully connected layers, 227x227 input.

    Parameters
    ----------
    n_classes : int
        How many outputs fc8 has.
    width : float, optional
        Share of the paper's channels; 1.0 (default) gives the paper's. Every number of channels must be a
        positive even number, because conv2, conv4 and conv5 work in two groups.
    fc : int, optional
        Units of fc6 and of fc7 (default 4096, as in the paper).
    batch_norm : bool, optional
        Put a BatchNorm behind conv1 ... fc7, which makes training faster; `fold_batch_norm` removes it.

    Raises
    ------
    SceneLensError
        If the width gives an odd number of channels.

    Notes
    -----
    Input (N, 3, 227, 227) float32, output (N, n_classes) logits. Maps: conv1 55x55, pool1 27, conv2 27, pool2
    13, conv3-5 13, pool5 6. Pooling rounds up as Caffe's does; at 227 px that changes nothing.

    Examples
    --------
    >>> net = CaffeNet(n_classes=10, width=1 / 8, fc=16).eval()
    >>> net(torch.zeros(2, 3, 227, 227)).shape
    torch.Size([2, 10])
    """

    def __init__(self, n_classes: int, width: float = 1.0, fc: int = 4096, batch_norm: bool = False) -> None:
        super().__init__()
        self.n_classes, self.width, self.fc, self.batch_norm = n_classes, width, fc, batch_norm
        n_in = 3
        for number, (full, kernel, stride, padding, groups, pooled) in enumerate(_CONVS, start=1):
            n_out = _channels(full, width)
            conv = nn.Conv2d(n_in, n_out, kernel, stride, padding, groups=groups)
            self._add(f"conv{number}", conv)
            if batch_norm:
                self._add(f"bn{number}", nn.BatchNorm2d(n_out))
            self._add(f"relu{number}", nn.ReLU())
            if pooled:
                self._add(f"pool{number}", nn.MaxPool2d(3, 2, ceil_mode=True))
            if number <= 2:
                self._add(f"norm{number}", nn.LocalResponseNorm(5, 1e-4, 0.75, 1.0))
            n_in = n_out
        self._add_fully_connected(n_in * 6 * 6)
        self.reset_parameters()

    def _add(self, name: str, module: nn.Module) -> None:
        self.add_module(name, module)

    def _add_fully_connected(self, n_in: int) -> None:
        for number in (6, 7):
            self._add(f"fc{number}", nn.Linear(n_in, self.fc))
            if self.batch_norm:
                self._add(f"bn{number}", nn.BatchNorm1d(self.fc))
            self._add(f"relu{number}", nn.ReLU())
            self._add(f"drop{number}", nn.Dropout(0.5))
            n_in = self.fc
        self._add("fc8", nn.Linear(n_in, self.n_classes))

    def reset_parameters(self) -> None:
        """Draw new weights: He's initialisation, which keeps the variance of the responses from layer to
        layer through the ReLUs; small weights in fc8."""
        for name, module in self.named_children():
            if isinstance(module, nn.Conv2d | nn.Linear):
                nn.init.kaiming_normal_(module.weight, nonlinearity="relu")
                nn.init.zeros_(module.bias)
                if name == "fc8":
                    nn.init.normal_(module.weight, std=0.01)

    def forward(self, x: Tensor) -> Tensor:
        """Run the network.

        Parameters
        ----------
        x : torch.Tensor
            (N, 3, 227, 227) float.

        Returns
        -------
        torch.Tensor
            (N, n_classes) logits.
        """
        for name, module in self.named_children():
            x = module(x.flatten(1) if name == "fc6" else x)
        return x


def _channels(full: int, width: float) -> int:
    n = round(full * width)
    if n < 2 or n % 2:
        raise SceneLensError(
            f"width={width} would give {n} channels instead of {full}; "
            "take a width that leaves an even number, such as 0.5."
        )
    return n


@torch.no_grad()
def fold_batch_norm(model: CaffeNet) -> CaffeNet:
    """Return the same network without BatchNorm: its scale and shift move into the layer before it.

    Parameters
    ----------
    model : CaffeNet
        A network with or without BatchNorm; it is not changed.

    Returns
    -------
    CaffeNet
        With ``batch_norm=False``, in eval mode. Its outputs equal those of ``model.eval()`` up to rounding.

    Examples
    --------
    >>> trained = CaffeNet(5, width=1 / 8, fc=16, batch_norm=True).eval()
    >>> x = torch.randn(1, 3, 227, 227)
    >>> torch.allclose(fold_batch_norm(trained)(x), trained(x), atol=1e-5)
    True
    """
    folded = CaffeNet(model.n_classes, model.width, model.fc)
    layers = dict(copy.deepcopy(model).named_children())
    for name, target in folded.named_children():
        if not isinstance(target, nn.Conv2d | nn.Linear):
            continue
        source, norm = layers[name], layers.get("bn" + name[-1])
        if norm is not None:
            scale = norm.weight / torch.sqrt(norm.running_var + norm.eps)
            source.weight *= scale.reshape(-1, *[1] * (source.weight.ndim - 1))
            source.bias.copy_((source.bias - norm.running_mean) * scale + norm.bias)
        target.load_state_dict(source.state_dict())
    return folded.eval()
