"""Section 3.2: how much of an image a unit uses, compared with how much it could see.

The architecture connects a unit to a square of the image: its theoretical receptive field (see
`scenelens.networks.theoretical_rf`). The paper measures what the unit really uses. A patch of noise covers a
small square of one of the unit's top images, and the change of the unit's response is written down; this is
repeated at about 5,000 positions (`discrepancy_map`). The maps of many images are moved to a common centre
and averaged: the unit's empirical receptive field (`estimate_rf`). The paper claims that

* empirical fields are smaller than theoretical ones (Table 2: 17.8, 37.4, 60.0 and 72.0 pixels at pool1,
pool2,
  conv4 and pool5, where 19, 67, 131 and 195 are possible), and the share that is used falls with depth;
* with its field, a unit's activity can be drawn on an image (`segment_unit`, Figure 5), and the regions
become
  easier to name with depth.

The fields of all units take hours. The atlas computes each one once and caches it (`open_atlas`). These are
the calls one types most:

>>> import scenelens as sl
>>> study = sl.open_study()                                          # doctest: +SKIP
>>> atlas = sl.receptive_fields.open_atlas(study)                    # doctest: +SKIP
>>> table = sl.receptive_fields.table_2(atlas)                       # doctest: +SKIP
>>> sl.receptive_fields.describe_table_2(table)                      # doctest: +SKIP
>>> sl.receptive_fields.explore_fields(atlas, "scene", "pool5", 74)  # doctest: +SKIP

What goes in: a network or a study, and images as uint8 RGB arrays. What comes out: discrepancy maps as
arrays, fields as `EmpiricalRF` records (map, mask, size, interval), tables as DataFrames with sizes in
pixels, and figures. `scenelens.receptive_fields.occlusion` explains how occlusion is made fast.
"""

import lazy_loader

__getattr__, __dir__, __all__ = lazy_loader.attach_stub(__name__, __file__)
