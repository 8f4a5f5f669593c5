"""Build the torch module of a network: from the name of an architecture, or by a reader's own function."""

from __future__ import annotations

import importlib
import importlib.util
import re
import site
import sysconfig
from collections.abc import Callable
from pathlib import Path
from types import ModuleType
from typing import Any

from torch import Tensor, nn
from torch.nn.parallel import DistributedDataParallel
from torch.optim.swa_utils import AveragedModel

from scenelens.errors import SceneLensError, close_names
from scenelens.installation import HERE
from scenelens.networks.caffe_network import _caffe_network, _states_its_layers
from scenelens.networks.caffenet import CaffeNet
from scenelens.networks.torchvision_shim import load_torchvision


def build_module(architecture: str, n_classes: int, weights: Path | None = None, **options: Any) -> nn.Module:
    """Build an architecture by its name, with random weights.

    Parameters
    ----------
    architecture : str
        ``"caffenet"``, the paper's (see `CaffeNet`), ``"caffe"``, the name of any classifier in torchvision,
        or ``"timm:"`` and a name in timm, where that is installed. Nothing is downloaded.
    n_classes : int
        How many classes it tells apart.
    weights : Path, optional
        The file that its weights will be loaded from; it is not loaded here. A .caffemodel file states its
        layers: ``"caffe"`` is built as it says, and so is ``"caffenet"`` where it says something else.
    **options : object
        Further options of the architecture, such as ``width`` and ``fc`` of CaffeNet.

    Returns
    -------
    torch.nn.Module
        The module.

    Raises
    ------
    SceneLensError
        If there is no architecture of that name.

    Examples
    --------
    >>> type(build_module("squeezenet1_1", 10)).__name__
    'SqueezeNet'
    """
    if architecture in ("caffenet", "caffe"):
        return _caffe_or_caffenet(architecture, n_classes, weights, options)
    if architecture.startswith("timm:"):
        return _timm_module(architecture.removeprefix("timm:"), n_classes, options)
    models = load_torchvision().models
    known = models.list_models(module=models)
    if architecture not in known:
        near = close_names(architecture, ["caffenet", "caffe", *known])
        raise SceneLensError(f"no architecture {architecture!r}; {near}. Names of timm begin with 'timm:'.")
    if architecture in ("googlenet", "inception_v3"):
        # Without side branches, whose outputs come in addition to the logits; and torchvision warns if
        # init_weights is left out.
        # Random weights take seconds to draw, and are not needed where a file replaces them.
        options = {"init_weights": weights is None, "aux_logits": False, **options}
        # torchvision's published weights of these two take another scale, which its module makes itself.
        known_files = [one.url.rpartition("/")[2] for one in models.get_model_weights(architecture)]
        options["transform_input"] = weights is not None and weights.name in known_files
    return models.get_model(architecture, weights=None, num_classes=n_classes, **options)


def _caffe_or_caffenet(
    architecture: str, n_classes: int, weights: Path | None, options: dict[str, Any]
) -> nn.Module:
    states = weights is not None and weights.suffix == ".caffemodel" and _states_its_layers(weights)
    if architecture == "caffenet":
        usual = CaffeNet(n_classes, **options)
        if not states:
            return usual
    if not states or weights is None:
        raise SceneLensError(
            "the architecture 'caffe' is built as a .caffemodel file says, and this study names none that "
            "states its layers; name the architecture."
        )
    found = _caffe_network(weights)
    if architecture == "caffenet" and _layer_texts(found) == _layer_texts(usual):
        return usual
    return found


def _layer_texts(module: nn.Module) -> list[tuple[str, str]]:
    return [(name, repr(one)) for name, one in module.named_children()]


def _timm_module(name: str, n_classes: int, options: dict[str, Any]) -> nn.Module:
    load_torchvision()  # timm imports it
    try:
        timm = importlib.import_module("timm")
    except ImportError as error:
        raise SceneLensError(
            f"the architecture timm:{name} needs timm, which is not installed ({error}): run "
            f"{HERE.install('timm')}"
        ) from error
    known = timm.list_models()
    if name.partition(".")[0] not in known:  # a name of a hub would be looked for in the internet
        raise SceneLensError(f"timm has no architecture {name!r}; {close_names(name, known)}.")
    return timm.create_model(name, pretrained=False, num_classes=n_classes, **options)


class Factory:
    """A reader's own function that builds a module, named but not yet run.

    Parameters
    ----------
    name : str
        ``"file.py:function"``, or ``"package.module:function"`` for a module of an installed package. The
        function is called without arguments.
    folder : Path
        The folder that a file's path starts from.
    root : Path, optional
        The folder in which a file must lie, links followed (default: anywhere).
    """

    def __init__(self, name: str, folder: Path, root: Path | None = None) -> None:
        self.name, self.folder, self.root = name, folder, root

    def file(self) -> Path:
        """Return the Python file of the factory. Nothing is run.

        Returns
        -------
        Path
            The file, absolute, without links.

        Raises
        ------
        SceneLensError
            If there is no such file, or it lies neither in `root` nor in an installed package.
        """
        name, _, function = self.name.rpartition(":")
        path = _module_file(name) if re.fullmatch(r"\w+(\.\w+)*", name) and not name.endswith(".py") else None
        try:
            path = path or (self.folder / name).resolve()
            there = path.is_file() and bool(function)
        except (OSError, ValueError):
            there = False
        if path is None or not there:
            raise SceneLensError(
                f"factory = {self.name!r}: expected 'file.py:function' with an existing file ({path}), or "
                "'package.module:function' of an installed package."
            )
        if self.root is not None and not path.is_relative_to(self.root.resolve()) and not _is_installed(path):
            raise SceneLensError(
                f"factory = {self.name!r}: {path} lies neither in the study's folder {self.root} nor in an "
                "installed package, so it is not run: copy it into that folder."
            )
        return path

    def build(self, approve: Callable[[Path, bytes], None] | None = None) -> nn.Module:
        """Return the module that the function builds.

        This runs the file, so it must be code that one trusts.

        Parameters
        ----------
        approve : callable, optional
            Takes the file and its content, and raises if they must not be run (default: they are run).

        Returns
        -------
        torch.nn.Module
            The module, in eval mode.

        Raises
        ------
        SceneLensError
            If there is no such file or function, if it fails, or if it returns something else.
        """
        path = self.file()
        name, _, function = self.name.rpartition(":")
        try:
            content = path.read_bytes()
        except OSError as error:
            raise SceneLensError(
                f"factory = {self.name!r}: {path} cannot be read ({error.strerror})."
            ) from error
        if approve is not None:
            approve(path, content)
        try:
            namespace = (
                _run_file(path, content)
                if path == (self.folder / name).resolve()
                else importlib.import_module(name)
            )
            if not hasattr(namespace, function):
                close = close_names(function, vars(namespace))
                raise SceneLensError(f"{path} has no function {function!r}; {close}.")
            module = getattr(namespace, function)()
        except SceneLensError:
            raise
        except (Exception, SystemExit) as error:  # the reader's own code may raise anything
            reason = f"{type(error).__name__}: {error}"
            raise SceneLensError(f"factory = {self.name!r} failed ({reason}); look at {path}.") from error
        if not isinstance(module, nn.Module):
            raise SceneLensError(f"{self.name} returned {type(module).__name__}, not a torch module.")
        return self._usable(_unwrapped(module))

    def _usable(self, module: nn.Module) -> nn.Module:
        """The module in eval mode, if it is made of layers with arrays."""
        try:
            state = module.eval().state_dict()
        except Exception as error:  # the reader's own code, or an exported program
            raise SceneLensError(
                f"{self.name} returned a {type(module).__name__} that cannot be evaluated ({error}): return "
                "the module as it was written, before torch.export or the like."
            ) from error
        other = next((key for key, value in state.items() if not isinstance(value, Tensor)), None)
        if other is not None or any(value.is_quantized for value in state.values()):
            raise SceneLensError(
                f"{self.name} returned a quantised module ({other or 'its arrays are quantised'}), whose "
                "layers cannot be watched: return it before it is quantised."
            )
        return module


def _unwrapped(module: nn.Module) -> nn.Module:
    """The module within what was wrapped around it for training: several devices, an average, a compiler."""
    while True:
        inner = getattr(module, "_orig_mod", None)
        if isinstance(module, nn.DataParallel | DistributedDataParallel | AveragedModel):
            inner = module.module
        if not isinstance(inner, nn.Module):
            return module
        module = inner


def _is_installed(path: Path) -> bool:
    """Whether a file lies where packages are installed."""
    folders = (sysconfig.get_path("purelib"), sysconfig.get_path("platlib"), site.getusersitepackages())
    return any(path.is_relative_to(Path(one).resolve()) for one in folders)


def _module_file(name: str) -> Path | None:
    """The file that importing an installed module would run, found by its place: importing runs code."""
    package, *parts = name.split(".")
    try:
        spec = importlib.util.find_spec(package)  # imports nothing, because there is no dot in the name
    except (ImportError, ValueError):
        return None
    if spec is None or spec.origin is None:
        return None
    place = Path(spec.origin).parent.joinpath(*parts)
    files = (place / "__init__.py", place.with_name(f"{place.name}.py")) if parts else (Path(spec.origin),)
    found = [path.resolve() for path in files if path.is_file()]
    return next((path for path in found if _is_installed(path)), None)


def _run_file(path: Path, content: bytes) -> ModuleType:
    """Run the content that was read and no other: a .pyc next to the file might be of another source."""
    namespace = ModuleType(f"scenelens_factory_{path.stem}")
    namespace.__file__ = str(path)
    exec(compile(content, str(path), "exec"), namespace.__dict__)
    return namespace
