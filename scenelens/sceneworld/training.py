"""Train the two embedded networks: one on scenes, one on objects, alike in everything but the training set.

``scenelens train`` (or ``make train``) renders the training images, trains both networks,
measures them on images that neither has seen, and writes weights and model cards to ``data/sceneworld/``.  Both
networks see the same number of images, the same number of times, with the same recipe: the paper's comparison, small.

A renderer never runs out of pictures, but a disk is full soon. So the pictures are rendered in groups (`pictures`). The
network is trained on a window of the newest groups, the window moves on by one group after each pass, and a group that has left
it is removed. Each picture is seen exactly ``passes`` times. A run that was stopped continues after its last window.

Two choices make it fit on two CPU cores.  BatchNorm speeds the training up and is folded into the weights before they
are written.  Local response normalisation is left out during training: after BatchNorm its factor is 1 to within a
few parts in ten thousand, but it costs half of the time.  What is written is the running average of the weights over
the last thousand steps or so, which is less noisy than the weights of one step.  The accuracy in the card is that of
the written network, with LRN, in the half precision in which it is shipped.
"""

from __future__ import annotations

import argparse
import json
import time
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from dataclasses import asdict, dataclass, replace
from datetime import date
from pathlib import Path
from typing import Any

import numpy as np
import torch
from safetensors.torch import save
from torch import Tensor, nn
from torch.optim.swa_utils import AveragedModel, get_ema_multi_avg_fn
from tqdm import tqdm

from scenelens.files import replace_file
from scenelens.installation import HERE
from scenelens.intervals import wilson_interval
from scenelens.networks import CaffeNet, fold_batch_norm, weights_hash
from scenelens.sceneworld.pictures import Group, Pictures, Source, begin_rendering
from scenelens.sceneworld.render.pipeline import SIZE
from scenelens.sceneworld.tasks import TASKS, Task, named_task
from scenelens.sceneworld.workers import cores, render_pool
from scenelens.sceneworld.worlds import SceneWorld, read_world

__all__ = ["HELD_OUT_SEEDS", "LONG", "SHORT", "TRAIN_SEEDS", "Recipe", "main", "train"]

#: Is told after each step how many presentations there were, how many there will be, and the loss and the share of right
#: answers in the last steps.
Watch = Callable[[int, int, float, float], object]
_LAST = 10  # steps

_SHIPPED = SceneWorld()
_MEAN = (123.0, 117.0, 104.0)  # subtracted from R, G, B on a 0..255 scale, as Caffe's networks do
_SHIFT = 8  # pixels by which a training image is moved at most
# First seeds. Those of the images in the workbook stay below 10 million (see `dataset`), so the three sets never meet.
TRAIN_SEEDS, HELD_OUT_SEEDS = 10_000_000, 20_000_000
#: The network is written when it has seen these shares of all presentations, for the curves over pictures seen.
_MILESTONES = tuple(0.5**k for k in range(7, 0, -1))


@dataclass(frozen=True)
class Recipe:
    """How both networks are trained; all of it is written into the model card.

    Attributes
    ----------
    n_images : int
        Number of images for training.
    n_held_out : int
        Number of images for measuring the accuracy.
    group : int
        Number of images that are rendered together; the last group may be smaller.
    passes : int
        How often each image is seen.
    batch : int
        Images per step.
    peak_lr : float
        Greatest learning rate of the one-cycle schedule.
    weight_decay : float
        Factor on the weights' squares in the loss.
    label_smoothing : float
        Share of the target that all classes have in common, 0..1.
    dropout : float
        Share of the units of fc6 and fc7 that are switched off in a step, 0..1.
    average : float
        How much of the running average of the weights stays at each step, 0..1.
    width : float
        Factor on the number of convolution channels of CaffeNet.
    fc : int
        Number of units in the fully connected layers.
    seed : int
        Seed of the weights, the order of the images, their shifts and dropout. The images do not depend on it.
    bfloat16 : bool
        Whether layers are computed in bfloat16. Weights, their average and the loss stay float32. Twice as fast on
        processors that have instructions for it.
    """

    n_images: int = 153_600
    n_held_out: int = 2_000
    group: int = 2_400
    passes: int = 3
    batch: int = 64
    peak_lr: float = 0.05
    weight_decay: float = 5e-4
    label_smoothing: float = 0.1
    dropout: float = 0.2
    average: float = 0.999
    width: float = 0.5
    fc: int = 512
    seed: int = 0
    bfloat16: bool = True

    @property
    def n_groups(self) -> int:
        """The number of groups of images."""
        return -(-self.n_images // self.group)

    @property
    def windows(self) -> list[range]:
        """The numbers of the groups that each pass shows.

        >>> Recipe(n_images=30, group=10, passes=2).windows
        [range(0, 1), range(0, 2), range(1, 3), range(2, 3)]
        """
        last = self.n_groups
        return [range(max(0, t - self.passes + 1), min(t + 1, last)) for t in range(last + self.passes - 1)]

    def steps(self, window: range) -> int:
        """The number of whole batches in a window.

        Parameters
        ----------
        window : range
            The numbers of its groups.

        Returns
        -------
        int
            Steps of the optimizer; the images of an incomplete batch are left out.
        """
        n = sum(len(self.images(group)) for group in window)
        return n // self.batch

    def images(self, group: int) -> range:
        """The numbers of the images of a group.

        Parameters
        ----------
        group : int
            The number of the group, from 0.

        Returns
        -------
        range
            Numbers of images, from 0. Image ``i`` is of class ``i`` modulo the number of classes.
        """
        return range(group * self.group, min((group + 1) * self.group, self.n_images))


#: What made the shipped weights, about 45 minutes a network on two cores with bfloat16 arithmetic, hours without: 460,800
#: presentations of 153,600 images, each seen three times.
LONG = Recipe()
#: For a laptop, an hour on two cores: 112,000 presentations of 16,000 images, each seven times. One run named 86.5% of 2,000
#: unseen scenes and 98.9% of the objects; the long recipe 93.5% and 99.9%.
SHORT = Recipe(n_images=16_000, group=16_000, passes=7, bfloat16=False)


def _prepared(images: Tensor) -> Tensor:
    """uint8 (N, 227, 227, 3) -> float32 (N, 3, 227, 227), mean subtracted; channels last in memory is faster on CPUs."""
    x = images.permute(0, 3, 1, 2).float()
    return (x - torch.tensor(_MEAN, device=x.device).view(1, 3, 1, 1)).contiguous(memory_format=torch.channels_last)


def _augment(images: Tensor, rng: np.random.Generator) -> Tensor:
    """Mirror half of the images and shift each by up to 8 pixels, edges repeated."""
    shifts = rng.integers(-_SHIFT, _SHIFT + 1, (2, len(images), 1))
    rows, columns = np.clip(np.arange(SIZE) + shifts, 0, SIZE - 1)
    mirrored = rng.random(len(images)) < 0.5
    columns[mirrored] = columns[mirrored, ::-1]
    at, row, column = (torch.from_numpy(part).to(images.device) for part in (np.arange(len(images)), rows, columns))
    return images[at[:, None, None], row[:, :, None], column[:, None, :]]


def _turned(images: Tensor, turns: Tensor) -> Tensor:
    """Turn each image, (N, 227, 227, 3), to the left by as many right angles as ``turns`` says, (N,)."""
    turned = images.clone()
    for number in (1, 2, 3):
        turned[turns == number] = torch.rot90(images[turns == number], number, (1, 2))
    return turned


def _batches(
    groups: list[Group], task: Task, recipe: Recipe, rng: np.random.Generator, device: torch.device
) -> Iterator[tuple[Tensor, Tensor]]:
    """One pass over some groups in random order, without the incomplete last batch: images and right answers."""
    of_group = np.repeat(np.arange(len(groups)), [len(group.images) for group in groups])
    in_group = np.concatenate([np.arange(len(group.images)) for group in groups])
    labels = np.concatenate([group.labels(task) for group in groups])
    order = rng.permutation(len(of_group))
    for start in range(0, len(order) - recipe.batch + 1, recipe.batch):
        # Sorted within the batch, so that the mapped files are read forwards.
        chosen = np.sort(order[start : start + recipe.batch])
        images = np.stack([groups[of_group[i]].images[in_group[i]] for i in chosen])
        shown = _augment(torch.from_numpy(images).to(device), rng)
        # Turned by another angle at each pass: the answer is in the picture, so there is no end of pictures.
        answers = rng.integers(0, len(task.classes), len(chosen)) if task.turns else labels[chosen]
        truth = torch.from_numpy(answers).to(device)
        yield _prepared(_turned(shown, truth) if task.turns else shown), truth


def _network_in_training(n_classes: int, recipe: Recipe) -> CaffeNet:
    """CaffeNet with BatchNorm and without LRN (see the module's docstring), ready for training."""
    torch.manual_seed(recipe.seed)
    model = CaffeNet(n_classes, width=recipe.width, fc=recipe.fc, batch_norm=True)
    model.norm1, model.norm2 = nn.Identity(), nn.Identity()
    model.drop6.p = model.drop7.p = recipe.dropout
    return model


def _finished_network(model: nn.Module, n_classes: int, recipe: Recipe) -> CaffeNet:
    """The network as it is shipped: BatchNorm folded into the weights, LRN back in its place, weights rounded to half."""
    trained = _network_in_training(n_classes, recipe)
    trained.load_state_dict({name: value.cpu() for name, value in model.state_dict().items()})
    shipped = CaffeNet(n_classes, width=recipe.width, fc=recipe.fc)
    shipped.load_state_dict(fold_batch_norm(trained).state_dict())
    return shipped.half().float().eval()


class _Training:
    """A network in training: its weights, their running average, the optimizer and the schedule.

    Attributes
    ----------
    done : int
        How many windows it has seen.
    """

    def __init__(self, task: Task, recipe: Recipe) -> None:
        self.device = torch.device("cuda" if torch.cuda.is_available() else "cpu")
        self.recipe, self.task, self.done = recipe, task, 0
        self.model = _network_in_training(len(task.classes), recipe).to(self.device, memory_format=torch.channels_last)
        keep = get_ema_multi_avg_fn(recipe.average)
        self.average = AveragedModel(self.model, multi_avg_fn=keep, use_buffers=True)
        self.optimizer = torch.optim.SGD(
            self.model.parameters(), lr=recipe.peak_lr, momentum=0.9, nesterov=True, weight_decay=recipe.weight_decay
        )
        steps = sum(map(recipe.steps, recipe.windows))
        self.schedule = torch.optim.lr_scheduler.OneCycleLR(self.optimizer, recipe.peak_lr, total_steps=steps)

    @property
    def seen(self) -> int:
        """The number of presentations so far."""
        return self.recipe.batch * sum(map(self.recipe.steps, self.recipe.windows[: self.done]))

    @property
    def total(self) -> int:
        """The number of presentations at the end."""
        return self.recipe.batch * sum(map(self.recipe.steps, self.recipe.windows))

    def finished(self) -> CaffeNet:
        """The network as it would be shipped now."""
        return _finished_network(self.average.module, len(self.task.classes), self.recipe)

    def _parts(self) -> dict[str, Any]:
        return {"model": self.model, "average": self.average, "optimizer": self.optimizer, "schedule": self.schedule}

    def load(self, checkpoint: Path) -> None:
        """Continue after the last window written to ``checkpoint``, if there is one."""
        if not checkpoint.exists():
            return
        state = torch.load(checkpoint, weights_only=True, map_location=self.device)
        for name, part in self._parts().items():
            part.load_state_dict(state[name])
        self.done = state["done"]

    def save(self, checkpoint: Path) -> None:
        """Write ``checkpoint``. It is written under another name first, so that a stop leaves the previous one intact."""
        state = {name: part.state_dict() for name, part in self._parts().items()} | {"done": self.done}
        torch.save(state, checkpoint.with_suffix(".part"))
        checkpoint.with_suffix(".part").replace(checkpoint)

    def see(self, groups: list[Group], window: range, watch: Watch | None = None) -> None:
        """One pass over a window; a bar shows it, unless somebody watches."""
        recipe = self.recipe
        # Seeds depend on the window alone, so that a continued run sees the same numbers as one that was never stopped.
        rng = np.random.default_rng([recipe.seed, self.done])
        torch.manual_seed(recipe.seed * 100_000 + self.done)  # dropout
        batches = _batches(groups, self.task, recipe, rng, self.device)
        title = f"window {self.done + 1}/{len(recipe.windows)}"
        right, loss = torch.zeros((), dtype=torch.long, device=self.device), torch.zeros(())
        last: deque[tuple[float, float]] = deque(maxlen=_LAST)
        self.model.train()
        bar = tqdm(batches, total=recipe.steps(window), desc=title, mininterval=10, disable=watch is not None)
        for step, (x, y) in enumerate(bar, start=1):
            loss, hits = self._step(x, y)
            right += hits
            if watch is not None:
                last.append((loss.item(), hits.item() / recipe.batch))
                watch(self.seen + step * recipe.batch, self.total, *np.mean(last, axis=0).tolist())
        self.done += 1
        if watch is not None:
            return
        share = right.item() / max(1, recipe.batch * recipe.steps(window))
        bar.write(f"{title}: {self.seen:,} presentations, loss {loss.item():.2f}, right in training {share:.3f}")

    def _step(self, x: Tensor, y: Tensor) -> tuple[Tensor, Tensor]:
        with torch.autocast(self.device.type, torch.bfloat16, enabled=self.recipe.bfloat16):
            logits = self.model(x).float()
        loss = nn.functional.cross_entropy(logits, y, label_smoothing=self.recipe.label_smoothing)
        self.optimizer.zero_grad()
        loss.backward()
        self.optimizer.step()
        self.schedule.step()
        self.average.update_parameters(self.model)
        return loss.detach(), (logits.argmax(1) == y).sum()


def _fit(training: _Training, pictures: Pictures, checkpoint: Path, milestone: Callable[[], object], watch: Watch | None = None) -> None:
    """Train to the end; a run that was stopped continues after the last window written to ``checkpoint``.

    ``milestone`` is called after each window in which the network has reached one of `_MILESTONES`.
    """
    training.load(checkpoint)
    windows = training.recipe.windows
    for number in range(training.done, len(windows)):
        groups = pictures.of(windows[number])
        for following in windows[number + 1 : number + 2]:
            pictures.begin(following)  # rendered while the network is trained
        before = training.seen
        training.see(groups, windows[number], watch)
        training.save(checkpoint)
        if any(before < share * training.total <= training.seen for share in _MILESTONES):
            milestone()


@torch.inference_mode()
def _correct_answers(model: CaffeNet, held_out: Group, task: Task) -> int:
    """Number of held-out images that the network classifies correctly."""
    right, labels = 0, torch.from_numpy(held_out.labels(task))
    for start in range(0, len(held_out.images), 64):
        block = torch.from_numpy(np.array(held_out.images[start : start + 64]))
        truth = labels[start : start + 64]
        shown = _turned(block, truth) if task.turns else block
        right += int((model(_prepared(shown)).argmax(1) == truth).sum())
    return right


def _model_card(task: Task, model: CaffeNet, recipe: Recipe, seen: int, right: int, seconds: float, world: SceneWorld = _SHIPPED) -> dict:
    """The model card, written next to the weights: where they come from and how good they are."""
    low, high = wilson_interval(right, recipe.n_held_out)
    edits = {"edits": world.edits} if world.edits else {}
    return {
        "network": task.name,
        "classes": list(task.classes),
        "held_out": {
            "n": recipe.n_held_out,
            "top1": right / recipe.n_held_out,
            "interval_95": [round(low, 4), round(high, 4)],
        },
        "presentations": seen,
        "recipe": asdict(recipe),
        "data": {"world": "sceneworld", "train_seeds": TRAIN_SEEDS, "held_out_seeds": HELD_OUT_SEEDS} | edits,
        "preprocessing": {"order": "RGB", "range": "0..255", "mean": list(_MEAN), "size": SIZE},
        "weights_hash": weights_hash(model),
        "date": date.today().isoformat(),
        "minutes": round(seconds / 60, 1),
        # Other options than these two are in the recipe.
        "command": "make train ARGS=--long" if recipe.n_images == LONG.n_images else "make train",
        "licence": "MIT, as the project",
    }


def _write(path: Path, model: CaffeNet, card: dict) -> None:
    """Write the weights in half precision, and the card next to them."""
    half = {name: tensor.half().contiguous() for name, tensor in model.state_dict().items()}
    weights = save(half, metadata={"weights_hash": card["weights_hash"]})
    replace_file(path.with_suffix(".safetensors"), weights, durable=True)
    replace_file(path.with_suffix(".json"), (json.dumps(card, indent=2) + "\n").encode())


def train(
    kind: str,
    recipe: Recipe,
    work: Path,
    out: Path,
    *,
    keep_pictures: bool = False,
    name: str | None = None,
    world: SceneWorld = _SHIPPED,
    watch: Watch | None = None,
) -> dict:
    """Render, train, measure and write one network.

    The network is also written at `_MILESTONES` on the way, into ``work``, as ``<name>_seen_<presentations>``, unless
    somebody watches.

    Parameters
    ----------
    kind : str
        Which network: ``"scene"``, ``"object"`` or another of `tasks.TASKS`, what it is trained to tell.
    recipe : Recipe
        How it is trained.
    work : pathlib.Path
        Folder for rendered images, checkpoints and the networks on the way; a later run continues from it.
    out : pathlib.Path
        Folder for ``<name>.safetensors`` and the model card ``<name>.json``.
    keep_pictures : bool, optional
        Whether rendered images stay on disk for the next network, 155 kB each.
    name : str, optional
        The name of the files, by default `kind`.
    world : SceneWorld, optional
        The world of the scenes (default: as it is shipped).
    watch : callable, optional
        Is called after each step with the number of presentations so far and at the end, and the loss and the share of
        right answers in the last steps. Nothing is printed then.

    Returns
    -------
    dict
        The model card.
    """
    start, name, task = time.perf_counter(), name or kind, named_task(kind)
    held_out_source, source = (Source(task.pictures, seed, world) for seed in (HELD_OUT_SEEDS, TRAIN_SEEDS))
    folder = work / "pictures"
    work.mkdir(parents=True, exist_ok=True)
    with render_pool(cores()) as pool:
        numbers = range(recipe.n_held_out)
        held_out = begin_rendering(folder / f"{source.name}_held_out.npy", held_out_source, numbers, pool)()
        training = _Training(task, recipe)

        def write(path: Path) -> dict:
            model = training.finished()
            right = _correct_answers(model, held_out, task)
            card = _model_card(task, model, recipe, training.seen, right, time.perf_counter() - start, world)
            _write(path, model, card)
            if watch is None:
                print(f"{path.stem}: top-1 {card['held_out']['top1']:.3f} on {recipe.n_held_out} held-out images", flush=True)
            return card

        def milestone() -> None:
            if watch is None:
                write(work / f"{name}_seen_{training.seen:07d}")

        pictures = Pictures(source, recipe.images, folder, str(recipe.group), pool, keep_pictures)
        _fit(training, pictures, work / f"{name}.checkpoint", milestone, watch)
        return write(out / name)


def main(arguments: Sequence[str] | None = None) -> int:
    """Train the networks that are named on the command line, with the recipe given there.

    Parameters
    ----------
    arguments : sequence of str, optional
        The words of the command line; those of the process by default.

    Returns
    -------
    int
        The exit status, 0.
    """
    parser = argparse.ArgumentParser(prog="scenelens train", description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument(
        "kinds", nargs="*", default=["scene", "object"], metavar="task", help=f"default: scene object; of {', '.join(TASKS)}"
    )
    parser.add_argument("--work", type=Path, default=HERE.build / "train")
    parser.add_argument("--out", type=Path, default=HERE.data / "sceneworld" if HERE.writes_data else Path("sceneworld-networks"))
    longer = "the recipe of the shipped weights, four times as long: 93.5%% of 2,000 unseen scenes right, the short one 86.5%%"
    parser.add_argument("--long", action="store_true", help=longer)
    parser.add_argument("--seeds", type=int, nargs="+", help="train one network for each seed, <kind>_<seed>")
    parser.add_argument("--name", help="name of the files of the one network that is trained (default: <task>, or <task>_<seed>)")
    parser.add_argument("--keep-pictures", action="store_true", help="keep rendered images for the next network")
    parser.add_argument("--edits", default="[]", help='edits of the world as JSON, such as [["scale_frequency", "bed", 0.5]]')
    for field, value in asdict(SHORT).items():
        how = {"action": argparse.BooleanOptionalAction} if isinstance(value, bool) else {"type": type(value)}
        parser.add_argument(f"--{field.replace('_', '-')}", **how)
    args = parser.parse_args(arguments)
    given = {field: getattr(args, field) for field in asdict(SHORT) if getattr(args, field) is not None}
    recipe = replace(LONG if args.long else SHORT, **given)
    world = read_world(args.edits)
    if args.name and len(args.kinds) * len(args.seeds or [0]) > 1:
        parser.error("--name is for one network; several would replace each other")
    for kind in args.kinds:
        for seed in args.seeds or [None]:
            one, name = (recipe, kind) if seed is None else (replace(recipe, seed=seed), f"{kind}_{seed}")
            train(kind, one, args.work, args.out, keep_pictures=args.keep_pictures, name=args.name or name, world=world)
    return 0


if __name__ == "__main__":
    main()
