"""Weights: .safetensors and torch files with other types, shapes and names, damaged, or with code in them."""

from __future__ import annotations

import io
import json
import math
import pickle
import random
from pathlib import Path
from typing import Any

import numpy as np
import torch
from safetensors.torch import save
from torch import nn

from scenelens.errors import SceneLensError
from scenelens.networks.weights import load_weights, weights_hash
from tests.torture.kind import Files, Kind, expect, expect_sentence
from tests.torture.mutate import damaged, misplaced, scattered

_TYPES = [torch.float32] * 4 + [
    torch.float16,
    torch.bfloat16,
    torch.float64,
    torch.int64,
    torch.uint8,
    torch.bool,
]


def net(seed: int = 0, n: int = 4) -> nn.Sequential:
    """A convolution and a batch normalisation, seeded."""
    torch.manual_seed(seed)
    return nn.Sequential(nn.Conv2d(3, n, 3), nn.BatchNorm2d(n), nn.ReLU()).eval()


def state(rng: random.Random) -> dict[str, torch.Tensor]:
    """A state dict that mostly fits `net`."""
    found = dict(net(rng.randrange(1000), 4 if rng.random() < 0.9 else 5).state_dict())
    if rng.random() < 0.3:
        kind = rng.choice(_TYPES)
        found = {name: value.to(kind) for name, value in found.items()}
    if rng.random() < 0.2:
        found["0.weight"].view(-1).copy_(torch.tensor(rng.choice([math.nan, math.inf, 0.0])))
    if rng.random() < 0.1:
        found[rng.choice(["extra", "", "0.weigth", "\u202e"])] = torch.zeros(rng.choice([(), (0,), (2, 3)]))
    if rng.random() < 0.1:
        del found[rng.choice(list(found))]
    return {f"{rng.choice(['', '', 'module.'])}{name}": value.contiguous() for name, value in found.items()}


class _Weights(Kind):
    """A file either changes nothing and is one sentence, or gives the numbers that stand in it."""

    file = ""

    def __init__(self, folder: Path) -> None:
        super().__init__(folder)
        self.module, self.marker = net(), folder / "ran"
        self.check(self.make(random.Random(0)))

    def check(self, files: Files) -> None:
        ((name, content),) = files.items()
        path = self.write(self.folder / name, content)
        before = weights_hash(self.module)
        try:
            load_weights(self.module, path)
        except SceneLensError as error:
            expect_sentence(str(error), name)
            expect(weights_hash(self.module) == before, "a refused file changed the network")
        else:
            self._compare({one.removeprefix("module."): value for one, value in self.stored(path).items()})
        expect(not self.marker.exists(), "a file ran code")

    def _compare(self, stored: dict[str, torch.Tensor]) -> None:
        for name, value in self.module.state_dict().items():
            if name in stored or not name.endswith("num_batches_tracked"):
                right = stored[name].to(value.dtype)
                if right.numel() == 1:  # PyTorch takes a list of one number for a number
                    right = right.reshape(value.shape)
                expect(
                    torch.equal(torch.nan_to_num(value), torch.nan_to_num(right)), "other numbers were loaded"
                )

    def stored(self, path: Path) -> dict[str, torch.Tensor]:
        """The arrays of the file, read in another way."""
        raise NotImplementedError


_NUMPY = {"F32": "<f4", "F16": "<f2", "F64": "<f8", "I64": "<i8", "I32": "<i4", "U8": "u1", "BOOL": "?"}


class Safetensors(_Weights):
    """The judge reads the header as JSON and the numbers by NumPy."""

    name, share = "safetensors", 0.7

    def make(self, rng: random.Random) -> Files:
        content, how = save(state(rng)), rng.random()
        if how < 0.3:
            n = int.from_bytes(content[:8], "little")
            header = misplaced(
                json.loads(content[8 : 8 + n]), rng, [[0, 8], [8, 0], "F32", "F4", [2**63, 2**64]]
            )
            text = json.dumps(header).encode()
            content = len(text).to_bytes(8, "little") + text + content[8 + n :]
        elif how < 0.6:
            content = scattered(content, rng, within=rng.choice([8, 700, 0]))
        elif how < 0.8:
            content = damaged(content, rng)
        return {"w.safetensors": content}

    def stored(self, path: Path) -> dict[str, torch.Tensor]:
        content = path.read_bytes()
        n = int.from_bytes(content[:8], "little")
        found = {}
        for name, about in json.loads(content[8 : 8 + n]).items():
            if name == "__metadata__":
                continue
            start, end = about["data_offsets"]
            raw = content[8 + n + start : 8 + n + end]
            if about["dtype"] == "BF16":
                wide = np.frombuffer(raw, "<u2").astype(np.uint32) << 16
                array = wide.view(np.float32)
            elif about["dtype"] in _NUMPY:
                array = np.frombuffer(raw, _NUMPY[about["dtype"]])
            else:
                continue
            found[name] = torch.from_numpy(array.reshape(about["shape"]).copy())
        return found


class _Code:
    """Whoever unpickles it calls a function."""

    def __init__(self, call: Any, *given: Any) -> None:
        self.call, self.given = call, given

    def __reduce__(self) -> tuple[Any, tuple]:
        return self.call, self.given


class Torch(_Weights):
    """The judge is torch's own reader of plain arrays; a share of the files holds code."""

    name, share = "torch files", 0.7

    def __init__(self, folder: Path) -> None:
        # Files of torch's earlier format hold addresses in memory: no seed repeats them, so there are a few.
        self.old = []
        for seed in range(8):
            torch.save(state(random.Random(seed)), out := io.BytesIO(), _use_new_zipfile_serialization=False)
            self.old.append(out.getvalue())
        super().__init__(folder)

    def make(self, rng: random.Random) -> Files:
        content, how = self._content(rng), rng.random()
        if how < 0.5:
            content = scattered(content, rng, within=rng.choice([700, 0]))
        elif how < 0.7:
            content = damaged(content, rng)
        return {rng.choice(["w.pth", "w.pt", "w.pth.tar"]): content}

    def _content(self, rng: random.Random) -> bytes:
        made, out = state(rng), io.BytesIO()
        value: Any = made if rng.random() < 0.6 else {"state_dict": made, "epoch": 3}
        if rng.random() < 0.15:
            value = misplaced({"state_dict": {"0.weight": 0, "a": 1}, "b": [1]}, rng)
        if rng.random() < 0.15:
            value[rng.choice(["0.weight", "x"])] = self._code(rng) if isinstance(value, dict) else 0
            if rng.random() < 0.4:
                return pickle.dumps(value, rng.randrange(6))
        torch.save(value, out)
        return rng.choice(self.old) if rng.random() < 0.3 else out.getvalue()

    def _code(self, rng: random.Random) -> _Code:
        text = f"open({str(self.marker)!r}, 'w')"
        return rng.choice([_Code(open, str(self.marker), "w"), _Code(eval, text), _Code(exec, text)])

    def stored(self, path: Path) -> dict[str, torch.Tensor]:
        value = torch.load(path, map_location="cpu", weights_only=True)
        return value.get("state_dict", value)
