"""Train the two embedded networks: one on scenes, one on objects, alike in everything but the training set.

``python -m scenelens.sceneworld.training`` (or ``make train``) renders the training images, trains both networks,
measures them on images that neither has seen, and writes weights and model cards to ``data/sceneworld/``.  Both
networks see the same number of images, the same number of times, with the same recipe: the paper's comparison, small.

Two choices make it fit on two CPU cores.  BatchNorm speeds the training up and is folded into the weights before they
are written.  Local response normalisation is left out during training: after BatchNorm its factor is 1 to within a
few parts in ten thousand, but it costs half of the time.  The accuracy in the card is that of the written network,
with LRN, in the half precision in which it is shipped.
"""

from __future__ import annotations

import argparse
import json
import time
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from datetime import date
from functools import partial
from pathlib import Path

import numpy as np
import torch
from safetensors.torch import save
from torch import Tensor, nn
from tqdm import tqdm

from scenelens.files import replace_file
from scenelens.installation import HERE
from scenelens.intervals import wilson_interval
from scenelens.networks import CaffeNet, fold_batch_norm, weights_hash
from scenelens.sceneworld.objects import object_classes
from scenelens.sceneworld.scenes import render_scene
from scenelens.sceneworld.studio import render_object
from scenelens.sceneworld.truth import scene_categories
from scenelens.sceneworld.workers import cores, render_pool

__all__ = ["HELD_OUT_SEEDS", "TRAIN_SEEDS", "Recipe", "main", "train"]

_SIZE = 227
_MEAN = (123.0, 117.0, 104.0)  # subtracted from R, G, B on a 0..255 scale, as Caffe's networks do
# First seeds. Those of the images in the workbook stay below 10 million (see `dataset`), so the three sets never meet.
TRAIN_SEEDS, HELD_OUT_SEEDS = 10_000_000, 20_000_000


@dataclass(frozen=True)
class Recipe:
    """How both networks are trained; all of it is written into the model card.

    Attributes
    ----------
    n_images, n_held_out : int
        Number of images for training and for measuring the accuracy.
    epochs : int
        Number of passes over the training images.
    batch : int
        Images per step.
    peak_lr : float
        Greatest learning rate of the one-cycle schedule.
    weight_decay, label_smoothing, dropout : float
        The usual regularisers.
    width : float
        Factor on the number of convolution channels of CaffeNet.
    fc : int
        Number of units in the fully connected layers.
    seed : int
        Seed of the weights, the order of the images, their shifts and dropout.
    """

    n_images: int = 16_000
    n_held_out: int = 2_000
    epochs: int = 7
    batch: int = 64
    peak_lr: float = 0.05
    weight_decay: float = 5e-4
    label_smoothing: float = 0.1
    dropout: float = 0.2
    width: float = 0.5
    fc: int = 512
    seed: int = 0


def _class_names(kind: str) -> list[str]:
    """The classes of the ``"scene"`` network (categories) or of the ``"object"`` network (looks of objects)."""
    return list(scene_categories() if kind == "scene" else object_classes())


def _render(kind: str, names: list[str], first_seed: int, i: int) -> np.ndarray:
    """Training image ``i``, (227, 227, 3) uint8: classes take turns, and every image has its own seed."""
    draw = render_scene if kind == "scene" else render_object
    image, _ = draw(names[i % len(names)], first_seed + i)
    return image


def _rendered_images(path: Path, kind: str, n: int, first_seed: int, workers: int | None = None) -> np.ndarray:
    """Images of one kind, (n, 227, 227, 3) uint8, rendered once and then read from the file ``path``.

    16,000 images take 2.5 GB, so they are mapped into memory and read from disk as needed. The file gets its name when
    it is complete: a run that was stopped renders again.
    """
    if path.exists():
        return np.load(path, mmap_mode="r")
    path.parent.mkdir(parents=True, exist_ok=True)
    unfinished = path.with_suffix(".part.npy")
    images = np.lib.format.open_memmap(unfinished, mode="w+", dtype=np.uint8, shape=(n, _SIZE, _SIZE, 3))
    draw = partial(_render, kind, _class_names(kind), first_seed)
    with render_pool(workers or cores()) as pool:
        rendered = pool.map(draw, range(n), chunksize=50)
        for i, image in enumerate(tqdm(rendered, total=n, desc=f"rendering {path.stem}", mininterval=2)):
            images[i] = image
    images.flush()
    unfinished.replace(path)
    return np.load(path, mmap_mode="r")


def _prepared(images: np.ndarray) -> Tensor:
    """uint8 (N, 227, 227, 3) -> float32 (N, 3, 227, 227), mean subtracted; channels last in memory is faster on CPUs."""
    x = torch.from_numpy(np.array(images)).permute(0, 3, 1, 2).float()
    return (x - torch.tensor(_MEAN).view(1, 3, 1, 1)).contiguous(memory_format=torch.channels_last)


def _augment(images: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """Mirror half of the images and shift each by up to 8 pixels, edges repeated."""
    out = np.empty_like(images)
    for i, image in enumerate(images):
        dy, dx = rng.integers(-8, 9, 2)
        rows = np.clip(np.arange(_SIZE) + dy, 0, _SIZE - 1)
        columns = np.clip(np.arange(_SIZE) + dx, 0, _SIZE - 1)
        if rng.random() < 0.5:
            columns = columns[::-1]
        out[i] = image[rows][:, columns]
    return out


def _batches(images: np.ndarray, n_classes: int, recipe: Recipe, rng: np.random.Generator) -> Iterator[tuple[Tensor, Tensor]]:
    """One epoch in random order, without the incomplete last batch; image ``i`` is of class ``i % n_classes``."""
    order = rng.permutation(len(images))
    for start in range(0, len(order) - recipe.batch + 1, recipe.batch):
        # Sorted within the batch, so that the mapped file is read forwards.
        chosen = np.sort(order[start : start + recipe.batch])
        yield _prepared(_augment(images[chosen], rng)), torch.from_numpy(chosen % n_classes)


def _network_in_training(n_classes: int, recipe: Recipe) -> CaffeNet:
    """CaffeNet with BatchNorm and without LRN (see the module's docstring), ready for training."""
    torch.manual_seed(recipe.seed)
    model = CaffeNet(n_classes, width=recipe.width, fc=recipe.fc, batch_norm=True)
    model.norm1, model.norm2 = nn.Identity(), nn.Identity()
    model.drop6.p = model.drop7.p = recipe.dropout
    return model


def _finished_network(model: CaffeNet, n_classes: int, recipe: Recipe) -> CaffeNet:
    """The network as it is shipped: BatchNorm folded into the weights, LRN back in its place, weights rounded to half."""
    shipped = CaffeNet(n_classes, width=recipe.width, fc=recipe.fc)
    shipped.load_state_dict(fold_batch_norm(model).state_dict())
    return shipped.half().float().eval()


def _fit(images: np.ndarray, n_classes: int, recipe: Recipe, checkpoint: Path) -> CaffeNet:
    """Train on ``images``; a run that was stopped continues after the last epoch written to ``checkpoint``."""
    device = torch.device("cuda" if torch.cuda.is_available() else "cpu")
    model = _network_in_training(n_classes, recipe).to(device, memory_format=torch.channels_last)
    optimizer = torch.optim.SGD(model.parameters(), lr=recipe.peak_lr, momentum=0.9, nesterov=True, weight_decay=recipe.weight_decay)
    schedule = torch.optim.lr_scheduler.OneCycleLR(
        optimizer, recipe.peak_lr, epochs=recipe.epochs, steps_per_epoch=len(images) // recipe.batch
    )
    parts = {"model": model, "optimizer": optimizer, "schedule": schedule}
    done = 0
    if checkpoint.exists():
        state = torch.load(checkpoint, weights_only=True, map_location=device)
        done = state.pop("epoch")
        for name, part in parts.items():
            part.load_state_dict(state[name])
    for epoch in range(done, recipe.epochs):
        _train_epoch(model, images, n_classes, recipe, epoch, optimizer, schedule)
        # Written under another name first, so that a stop while writing leaves the previous checkpoint intact.
        state = {name: part.state_dict() for name, part in parts.items()} | {"epoch": epoch + 1}
        torch.save(state, checkpoint.with_suffix(".part"))
        checkpoint.with_suffix(".part").replace(checkpoint)
    return _finished_network(model.cpu(), n_classes, recipe)


def _train_epoch(model, images, n_classes, recipe, epoch, optimizer, schedule) -> None:
    device = next(model.parameters()).device
    # Seeds depend on the epoch alone, so that a continued run sees the same numbers as one that was never stopped.
    rng = np.random.default_rng([recipe.seed, epoch])
    torch.manual_seed(recipe.seed * 1000 + epoch)  # dropout
    right = seen = 0
    bar = tqdm(
        _batches(images, n_classes, recipe, rng),
        total=len(images) // recipe.batch,
        desc=f"epoch {epoch + 1}/{recipe.epochs}",
        mininterval=5,
    )
    model.train()
    for x, y in bar:
        logits = model(x.to(device))
        loss = nn.functional.cross_entropy(logits, y.to(device), label_smoothing=recipe.label_smoothing)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        schedule.step()
        right += int((logits.argmax(1).cpu() == y).sum())
        seen += len(y)
        bar.set_postfix(loss=f"{loss.item():.2f}", top1=f"{right / seen:.3f}", refresh=False)


@torch.inference_mode()
def _correct_answers(model: CaffeNet, images: np.ndarray, n_classes: int) -> int:
    """Number of held-out images that the network classifies correctly."""
    right = 0
    for start in range(0, len(images), 64):
        block = images[start : start + 64]
        truth = (start + np.arange(len(block))) % n_classes
        right += int((model(_prepared(block)).argmax(1).numpy() == truth).sum())
    return right


def _model_card(kind: str, model: CaffeNet, recipe: Recipe, right: int, seconds: float) -> dict:
    """The model card, written next to the weights: where they come from and how good they are."""
    low, high = wilson_interval(right, recipe.n_held_out)
    return {
        "network": kind,
        "classes": _class_names(kind),
        "held_out": {
            "n": recipe.n_held_out,
            "top1": right / recipe.n_held_out,
            "interval_95": [round(low, 4), round(high, 4)],
        },
        "recipe": asdict(recipe),
        "data": {"world": "sceneworld", "train_seeds": TRAIN_SEEDS, "held_out_seeds": HELD_OUT_SEEDS},
        "preprocessing": {"order": "RGB", "range": "0..255", "mean": list(_MEAN), "size": _SIZE},
        "weights_hash": weights_hash(model),
        "date": date.today().isoformat(),
        "minutes_on_two_cores": round(seconds / 60, 1),
        "command": "make train",
        "licence": "MIT, as the project",
    }


def train(kind: str, recipe: Recipe, work: Path, out: Path) -> dict:
    """Render, train, measure and write one network.

    Parameters
    ----------
    kind : {'scene', 'object'}
        Which network.
    recipe : Recipe
        How it is trained.
    work : pathlib.Path
        Folder for rendered images and checkpoints; both are used again by a later run.
    out : pathlib.Path
        Folder for ``<kind>.safetensors`` and the model card ``<kind>.json``.

    Returns
    -------
    dict
        The model card.
    """
    start, n_classes = time.perf_counter(), len(_class_names(kind))
    train_images = _rendered_images(work / f"{kind}_train.npy", kind, recipe.n_images, TRAIN_SEEDS)
    held_out = _rendered_images(work / f"{kind}_held_out.npy", kind, recipe.n_held_out, HELD_OUT_SEEDS)
    model = _fit(train_images, n_classes, recipe, work / f"{kind}.checkpoint")
    right = _correct_answers(model, held_out, n_classes)
    card = _model_card(kind, model, recipe, right, time.perf_counter() - start)
    half = {name: tensor.half().contiguous() for name, tensor in model.state_dict().items()}
    weights = save(half, metadata={"weights_hash": card["weights_hash"]})
    replace_file(out / f"{kind}.safetensors", weights, durable=True)
    replace_file(out / f"{kind}.json", (json.dumps(card, indent=2) + "\n").encode())
    print(f"{kind}: top-1 {card['held_out']['top1']:.3f} on {recipe.n_held_out} held-out images")
    return card


def main() -> None:
    """Train the networks that are named on the command line, with the recipe given there."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("kinds", nargs="*", default=["scene", "object"])
    parser.add_argument("--work", type=Path, default=Path("build/train"))
    parser.add_argument("--out", type=Path, default=HERE.data / "sceneworld")
    for name, value in asdict(Recipe()).items():
        parser.add_argument(f"--{name.replace('_', '-')}", type=type(value), default=value)
    args = vars(parser.parse_args())
    kinds, work, out = args.pop("kinds"), args.pop("work"), args.pop("out")
    for kind in kinds:
        train(kind, Recipe(**args), work, out)


if __name__ == "__main__":
    main()
