"""On a GPU convolutions may not round to TF32 here, and every other choice of the reader's stays."""

import pytest
import torch

from scenelens.receptive_fields.occlusion.occlude import _exactly


@pytest.mark.parametrize("deterministic", [True, False])
@pytest.mark.parametrize("benchmark", [True, False])
def test_only_the_rounding_is_changed_and_only_inside(monkeypatch, deterministic, benchmark):
    cudnn, given = torch.backends.cudnn, {}
    flags = cudnn.flags
    monkeypatch.setattr(cudnn, "flags", lambda **named: given.update(named) or flags(**named))
    with flags(enabled=True, benchmark=benchmark, deterministic=deterministic, allow_tf32=True):
        with _exactly():
            # A build with CUDA refuses a limit that is no number, and leaves it as it is for None.
            assert given["benchmark_limit"] is None
            assert cudnn.enabled
            assert (cudnn.benchmark, cudnn.deterministic) == (benchmark, deterministic)
            assert not cudnn.allow_tf32
        assert cudnn.allow_tf32
