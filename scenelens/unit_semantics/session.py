"""A person annotates a queue of units: what is on screen, what is refused, what is on disk.

`_AnnotationSession` is the model of the annotation widget and needs no notebook. An accepted answer is on
disk before the next unit is shown. An answer that was begun and not sent is on disk at every change
(`drafts`): it stays with its person and unit, and is there again in the next session.
"""

from __future__ import annotations

import json
from collections.abc import Generator, Iterable, Sequence
from pathlib import Path
from typing import Any

import traitlets

from scenelens.errors import SceneLensError
from scenelens.labels import LabelStore
from scenelens.receptive_fields import Atlas, open_atlas
from scenelens.sentences import one_line, percent
from scenelens.studies import Study
from scenelens.unit_semantics.drafts import _Drafts
from scenelens.unit_semantics.queue import Unit, active_units
from scenelens.unit_semantics.task import Answer, _AnnotationTask, _task_steps, annotation_task
from scenelens.workbook import History

_TASKS = 4  # units whose images are kept in memory


class _AnnotationSession(traitlets.HasTraits):
    """Who annotates, which unit of the queue is on screen, and the answer as far as it is given.

    Parameters
    ----------
    study : Study or Atlas
        An open study, or its `Atlas` where one is open already.
    units : sequence of tuple
        The queue, (network, layer, unit) each; see `unit_queue`.
    annotator : str, optional
        The person's name. The session begins at the first unit that this person has not answered.
    store : LabelStore, optional
        Where answers are stored (default the study's own, `Study.answers`).
    seed : int, optional
        Seed of the catch trials (default 0).

    Attributes
    ----------
    annotator : str
        Trait: the person's name.
    place : int
        Trait: the unit on screen, counted from 0 in the queue.
    concept : str
        Trait: the concept as far as it is written.
    type : str
        Trait: the chosen type, '' before the choice.
    marked : tuple of int
        Trait: the sorted places, from 0, of the images that do not fit.
    trouble : str
        Trait: why the answer that was begun could not be put on disk, '' where it is there.

    Raises
    ------
    SceneLensError
        If there are no units, if there is no such network, layer or unit, or if the store cannot be read.
    """

    annotator = traitlets.Unicode()
    place = traitlets.Int(0)
    concept = traitlets.Unicode()
    marked = traitlets.Tuple()
    type = traitlets.Unicode()
    trouble = traitlets.Unicode()

    def __init__(
        self,
        study: Study | Atlas,
        units: Sequence[Unit],
        annotator: str = "",
        store: LabelStore | None = None,
        seed: int = 0,
    ) -> None:
        super().__init__()
        self.atlas = study if isinstance(study, Atlas) else open_atlas(study)
        self.units = [(str(network), str(layer), int(unit)) for network, layer, unit in units]
        _check_units(self.atlas.study, self.units)
        self.store = self.atlas.study.answers if store is None else store
        self.seed = seed
        self._tasks: dict[int, _AnnotationTask] = {}  # the last ones, by their place in the queue
        self._drafts = _Drafts(self.store.path)
        self._unwritten: dict[tuple[str, Unit], Answer] = {}  # drafts of which the disk has no copy
        self._loaded = Answer()  # what the form shows of this unit before anything is begun
        self._drafted: Answer | None = None  # the draft that is on disk
        self.observe(lambda change: self._keep_draft(), ["concept", "type", "marked"])
        self.annotator = annotator
        self.resume()
        self.history, self._typing = History(self), False
        self.observe(self._note, ["place", "concept", "type", "marked"])

    def task_at(self, place: int) -> _AnnotationTask:
        """The images of a unit of the queue, by its place from 0; the last four are cached."""
        if place not in self._tasks:
            self._keep_task(place, annotation_task(self.atlas, *self.units[place], seed=self.seed))
        return self._tasks[place]

    def _keep_task(self, place: int, task: _AnnotationTask) -> None:
        self._tasks = dict([*self._tasks.items(), (place, task)][-_TASKS:])

    def prepare_next(self) -> Generator[None, None, int]:
        """Prepare the unit that comes after this one, in short steps.

        Yields
        ------
        None
            After each step.

        Returns
        -------
        int
            The unit's place in the queue.
        """
        place = self._next_open((self.place + 1) % len(self.units))
        if place not in self._tasks:
            task = yield from _task_steps(self.atlas, *self.units[place], seed=self.seed)
            self._keep_task(place, task)
        return place

    # ---- undo

    def state(self) -> tuple[int, str, str, tuple[int, ...]]:
        """What is on screen: the place, the concept, the type, and the marks."""
        return self.place, self.concept, self.type, self.marked

    def restore(self, state: tuple[int, str, str, tuple[int, ...]]) -> None:
        """Show again what `state` has returned; what was saved stays saved."""
        place, concept, type_, marked = state
        with self.hold_trait_notifications():
            if place != self.place:
                self.go_to(place)
            self.concept, self.type, self.marked = concept, type_, marked

    def undo(self) -> None:
        """Take the last change back: a mark, a type, a word, or a step to another unit."""
        self._typing = False
        self.history.undo()

    def _note(self, change: Any) -> None:
        # A word is one change, however many keys it takes.
        typing = change["name"] == "concept" and self.place == self.history.now[0]
        self.history.note(merge=typing and self._typing)
        self._typing = typing

    # ---- what is on screen

    @property
    def unit(self) -> Unit:
        """The unit on screen: network, layer, unit."""
        return self.units[self.place]

    def task(self) -> _AnnotationTask:
        """The images of the unit on screen.

        Returns
        -------
        _AnnotationTask
            The task; the last four are cached.
        """
        return self.task_at(self.place)

    @property
    def answer(self) -> Answer:
        """The answer as far as it is given."""
        return Answer(self.concept.strip(), frozenset(self.marked), self.type)

    def mark(self, place: int, out: bool = True) -> None:
        """Mark one image as one that does not fit, or take the mark off.

        Parameters
        ----------
        place : int
            The image's place, from 0.
        out : bool, optional
            False takes the mark off (default True).

        Raises
        ------
        SceneLensError
            If there is no such image; the marks stay as they were.
        """
        marked = set(self.marked) - {place} | ({place} if out else set())
        self.mark_all(marked)

    def mark_all(self, places: Iterable[int]) -> None:
        """Mark these images and no others.

        Parameters
        ----------
        places : iterable of int
            The images' places, from 0.

        Raises
        ------
        SceneLensError
            If there is no such image; the marks stay as they were.
        """
        wanted, n = tuple(sorted(set(places))), len(self.task())
        wrong = [place for place in wanted if not 0 <= place < n]
        if wrong:
            raise SceneLensError(f"there is no image {wrong[0] + 1}: their numbers go from 1 to {n}.")
        self.marked = wanted

    # ---- going through the queue

    def go_to(self, place: int) -> None:
        """Show another unit of the queue, with the answer that was begun or given there.

        Parameters
        ----------
        place : int
            The unit's place in the queue, from 0.

        Raises
        ------
        SceneLensError
            If there is no such unit, or if it cannot be shown; this one stays on screen.
        """
        if not 0 <= place < len(self.units):
            raise SceneLensError(f"the queue has units 1 to {len(self.units)}, and no unit {place + 1}.")
        self.task_at(place)  # made before anything changes, so that an error leaves this unit on screen
        self._keep_draft()
        with self.hold_trait_notifications():
            self.place = place
            self._load()

    def step(self, by: int) -> None:
        """Show the next or an earlier unit, whether this one is answered or not.

        Parameters
        ----------
        by : int
            Number of units to go on, or back if negative; after the last unit comes the first.
        """
        self.go_to((self.place + by) % len(self.units))

    def find(self, text: str, shown: str = "all", order: str = "number") -> list[tuple[str, int]]:
        """The units of the queue that a person looks for, by what this person has said of them.

        What images, other people or other programs call a unit is not looked at: nobody may see it before
        they have answered.

        Parameters
        ----------
        text : str
            A part of the concept that this person has written; '' for any.
        shown : str, optional
            'all' (default), 'open', 'begun' or 'answered'.
        order : str, optional
            'number' (default), the place in the queue, or 'name'.

        Returns
        -------
        list of tuple
            A line about each unit, and its place in the queue, from 0.
        """
        asked, found = text.strip().casefold(), []
        own, begun = self._own_words(), set(self._drafts.begun(self.annotator, self.units))
        for place, unit in enumerate(self.units):
            how = "begun" if place in begun else "answered" if unit in own else "open"
            word = self._begun_word(unit) if place in begun else own.get(unit, "")
            if shown in ("all", how) and asked in word.casefold():
                found.append((place, how, word))
        if order == "name":  # those without a word come last
            found.sort(key=lambda one: (not one[2], one[2].casefold()))
        return [
            (f"{place + 1} {how}{': ' if word else ''}{one_line(word, 60)}", place)
            for place, how, word in found
        ]

    def _own_words(self) -> dict[Unit, str]:
        """The concept of this person's last answer about each unit."""
        if not self.annotator:
            return {}
        table = self.store.history()
        own = table[table.annotator == self.annotator]
        return {(row.network, row.layer, int(row.unit)): str(row.concept) for row in own.itertuples()}

    def _begun_word(self, unit: Unit) -> str:
        draft = self._drafts.read(self.annotator, unit)
        return draft["concept"] if draft else ""

    def resume(self) -> None:
        """Show the next unit, from this one on, that this person has not answered."""
        self.go_to(self._next_open(self.place))

    def _next_open(self, start: int) -> int:
        """The next open place, from `start` to the end and then from 0; `start` where all are answered."""
        done, n = self.answered(), len(self.units)
        ahead = [(start + k) % n for k in range(n)]
        return next((place for place in ahead if self.units[place] not in done), start)

    def rename(self, annotator: str) -> None:
        """Another person takes over.

        An answer that was begun stays on screen and becomes this person's, unless this person has begun
        another one about the unit: then each keeps their own. Where nothing was begun, the session goes to
        the first unit that this person has not answered.

        Parameters
        ----------
        annotator : str
            The person's name.
        """
        begun, before = self.answer != self._loaded, self.annotator
        self.annotator = annotator.strip()
        try:
            self._take_over(begun, before)
        finally:
            self.history = History(self)  # nobody takes back what another person did

    def _take_over(self, begun: bool, before: str) -> None:
        if not begun:
            self._loaded = self.answer  # what is on screen is not kept as a draft of either person
            self.go_to(self._next_open(0))
        elif self._draft() is not None:
            self._load()
        else:
            self._loaded, self._drafted = self.earlier(), None
            self._keep_draft()
            if self._drafted is not None and before != self.annotator:
                self._drafts.remove(before, self.unit)
            self._unwritten.pop((before, self.unit), None)

    def answered(self) -> set[Unit]:
        """The queue's units that this person has answered.

        Returns
        -------
        set of tuple
            (network, layer, unit) each; empty without a name.
        """
        return self.store.progress(self.annotator) & set(self.units) if self.annotator else set()

    def progress(self) -> str:
        """How far this person is.

        Returns
        -------
        str
            Such as 'unit 3 of 20 · 2 answered'.
        """
        done = self.answered()
        again = " · answered before: a new answer replaces it" if self.unit in done else ""
        places = [
            place + 1 for place in self._drafts.begun(self.annotator, self.units) if place != self.place
        ]
        begun = f" · begun: {', '.join(map(str, places))}" if places else ""
        return f"unit {self.place + 1} of {len(self.units)} · {len(done)} answered{again}{begun}"

    def _keep_draft(self) -> None:
        """Put the answer on screen on disk where it was begun; remove its draft where it no longer is."""
        begun, who = self.answer if self.answer != self._loaded else None, (self.annotator, self.unit)
        if begun == self._drafted and who not in self._unwritten:
            return
        self._unwritten.pop(who, None)
        if begun is None:
            self._drafts.remove(*who)
        else:
            try:
                self._drafts.write(*who, self._by_image(begun))
            except SceneLensError as error:
                # The person goes on all the same; the draft is in memory, and the next change tries again.
                self._unwritten[who] = begun
                self.trouble = f"What you begin is not on disk until you save it: {error}"
                return
        self._drafted, self.trouble = begun, ""

    def _draft(self) -> Answer | None:
        """This person's draft about the unit on screen."""
        who = self.annotator, self.unit
        draft = self._drafts.read(*who) if who not in self._unwritten else None
        if draft is None:
            return self._unwritten.get(who)
        return Answer(draft["concept"], self._places_of(draft["marked"]), draft["type"])

    def _by_image(self, answer: Answer) -> dict[str, Any]:
        images = [one.image for one in self.task().images]
        marked = [images[place] for place in sorted(answer.marked)]
        return {"concept": answer.concept, "type": answer.type, "marked": marked}

    def _load(self) -> None:
        """Show the draft for this unit, or this person's last answer about it, or a blank form."""
        draft, self._loaded = self._draft(), self.earlier()
        self._drafted = draft if (self.annotator, self.unit) not in self._unwritten else None
        shown = self._loaded if draft is None else draft
        with self.hold_trait_notifications():
            self.concept, self.type, self.marked = shown.concept, shown.type, tuple(sorted(shown.marked))

    def earlier(self) -> Answer:
        """This person's last answer about the unit on screen.

        Returns
        -------
        Answer
            A blank one where there is none.
        """
        table = self.store.history() if self.unit in self.answered() else None
        if table is None:
            return Answer()
        network, layer, unit = self.unit
        own = table[(table.annotator == self.annotator) & (table.network == network)]
        last = own[(own.layer == layer) & (own.unit == unit)].iloc[-1]
        return Answer(last.concept, self._places(last.details), last.type)

    def _places(self, details: str) -> frozenset[int]:
        """The places of the images that an earlier answer marked; their order may have been another one."""
        try:
            return self._places_of(json.loads(details)["marked"])
        except (ValueError, KeyError, TypeError):  # an answer from another program, without such details
            return frozenset()

    def _places_of(self, images: Iterable[str]) -> frozenset[int]:
        marked = set(images)
        return frozenset(place for place, one in enumerate(self.task().images) if one.image in marked)

    # ---- answering

    def refusal(self) -> str:
        """Why the answer on screen is not accepted.

        Returns
        -------
        str
            One sentence; '' where the answer is accepted.
        """
        if not self.annotator.strip():
            return "The answer needs a name: write yours at the top."
        return self.task().refusal(self.answer)

    def accept(self) -> str:
        """Write the answer to disk, then show the next unit that is not answered.

        Returns
        -------
        str
            What was written, in a sentence.

        Raises
        ------
        SceneLensError
            If the answer is refused, or cannot be written; it stays on screen.
        """
        sentence = self.refusal()
        if sentence:
            raise SceneLensError(sentence)
        task, answer = self.task(), self.answer
        network, layer, unit = self.unit
        self.store.add(
            network=network, layer=layer, unit=unit, annotator=self.annotator.strip(), concept=answer.concept,
            type=answer.type, precision=task.precision(answer.marked), n_images=task.n_real,
            details=self._details(task, answer),
        )  # fmt: skip
        # Only now, when the answer is on disk, its draft is removed: an error above loses nothing.
        self._loaded = answer
        self._keep_draft()
        self.resume()
        share = f"{percent(task.precision(answer.marked))} of {task.n_real} images"
        return (
            f"saved: {layer}:{unit} of the {network} network is {answer.concept!r} ({answer.type}), {share}"
        )

    def _details(self, task: _AnnotationTask, answer: Answer) -> str:
        images = [one.image for one in task.images]
        about = {
            "marked": [images[place] for place in sorted(answer.marked)],
            "catch": [images[place] for place in sorted(task.catch)],
            "shown": len(images),
            "seed": self.seed,
            "segmented by": task.way,
            "weights": str(self.atlas.study.networks[task.network].weights_hash),
        }
        return json.dumps(about)

    def export_csv(self, path: str | Path | None = None) -> Path:
        """Write the latest answers of all annotators as a table.

        Parameters
        ----------
        path : str or pathlib.Path, optional
            The CSV file (default next to the store, with its name).

        Returns
        -------
        pathlib.Path
            The file that was written.
        """
        return self.store.export_csv(path or self.store.path.with_suffix(".csv"))


def _check_units(study: Study, units: list[Unit]) -> None:
    if not units:
        raise SceneLensError("there are no units to annotate; unit_queue makes a list of them.")
    active = {pair: set(active_units(study, *pair)) for pair in {unit[:2] for unit in units}}
    for network, layer, unit in units:
        last = int(study.layer_row(network, layer)["units"]) - 1
        if not 0 <= unit <= last:
            raise SceneLensError(f"{layer} of the {network} network has units 0 to {last}, not {unit}.")
        if (network, layer, unit) not in active[network, layer]:
            raise SceneLensError(
                f"{layer}:{unit} of the {network} network responds to too few images to be named; "
                "active_units lists those that can be."
            )
