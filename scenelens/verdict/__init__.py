"""The verdict: the paper's claims one by one, each judged by a stated rule from what the notebooks found.

A verdict is one of four: *holds*, *differs*, *depends on the rule*, *cannot be tested here*. None is written
down anywhere: it follows from numbers on the study that is open. A claim has one rule or several. Each rule
gives an outcome: the claim holds, it does not, or the data leave it open. Where all rules agree, that is the
verdict; where they do not, the verdict is *depends on the rule*.

- `judge_claims` judges all claims; it calls the rooms of the sections, and measures nothing itself.
- `Verdicts` has them in sentences, what differs first, as cards for a notebook, and as tables.

>>> verdicts = judge_claims(study)                        # doctest: +SKIP
>>> verdicts.cards("4.1")                                 # doctest: +SKIP

One limit belongs to every row: how many networks of each kind were trained. An interval over images or units
is about these networks. What several trainings gave stands on the cards too, where it was measured: for the
embedded study from the tables of `scenelens.seeds`, for another from the table `trainings` that
`judge_claims` takes.
"""

import lazy_loader

__getattr__, __dir__, __all__ = lazy_loader.attach_stub(__name__, __file__)
