"""What a unit is for: units are switched off, or on, and the network is asked again (after section 4.1).

The paper infers from a correlation that objects emerge because they tell scenes apart. An intervention asks
the network itself: if a unit that detects beds helps to recognise bedrooms, then bedrooms are recognised less
often without it, and other scenes as often as before. Zhou, Sun, Bau and Torralba (2018) and Bau et al.
(2020) did this for networks like the paper's.

Units are chosen on one half of the images, and what their absence costs is read on the other. In goes an open
study. Out comes an `AblationEffects`, from which tables (pandas), sentences (``describe_...``) and figures
(``figures``) are made. A study whose images name no category that the network knows raises
`CannotAnswerError`, whose sentence a notebook shows.

>>> import scenelens as sl
>>> study = sl.open_study()  # doctest: +SKIP
>>> found = sl.interventions.ablation_effects(study)  # doctest: +SKIP
>>> sl.interventions.figures.ablation_figure(found)  # doctest: +SKIP
>>> sl.interventions.describe_ablation(found)  # doctest: +SKIP

Any network's units can be switched off, with or without a study: see `scenelens.networks.ablate`.
"""

import lazy_loader

__getattr__, __dir__, __all__ = lazy_loader.attach_stub(__name__, __file__)
