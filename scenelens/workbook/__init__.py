"""What a notebook of the workbook is made of: figures, tables of images, widgets, exercises, and its page.

Every notebook follows one section of the paper in four steps: predict, look, compare, change something. This
room has the parts that all of them share. What only one section needs lies in that section's room, which
builds on this one.

- *Figures*: `Plate` is a figure with a title, a body and a caption with its n. Its width, type sizes and
network
  colours are the same everywhere (`style`). `contact_sheet`, `category_sheet` and `unit_sheet` show images as
  tiles; `object_table` shows which object is found in which scene.
- *Images from arrays*: `heat`, `dimmed`, `map_in_frame` (`pictures`).
- *Widgets*: `browse_units`, and the parts that every widget needs (`widgets`).
- *Exercises*: `check_number` and `check_choice` compare an answer with the right one, and return a `Verdict`.
- *Notebook 00*: `describe_study`, `object_presence`, `tidiest_unit` (`tour`).

A study may lack what a cell needs. Its call then raises `CannotAnswerError`, and the notebook shows that
sentence once and goes on with the cells that can be answered (`scenelens.cells`). So a function that serves a
cell shows what the study has, and raises where there is nothing to show: it returns no None, no empty table,
and no text in place of a number.

Figures and widgets take tables, arrays and a study with its index. They never run a network, so they are
quick.

The three calls that you will use:

>>> from scenelens.workbook import browse_units, check_number, unit_sheet
>>> unit_sheet(study, "scene", "pool5", 17)               # doctest: +SKIP
>>> browse_units(study, "scene", "pool5", 17)             # doctest: +SKIP
>>> check_number("12", 12)
'✅ Right: 12.'

``scenelens workbook`` (or `make workbook`) runs every notebook, two at a time, and writes it as a web page
with an index; ``--times`` prints which cells took long. The page runner consists of `kernels` (a clean
process for each notebook, which on Linux has the imports already), `running` (executes a notebook and says
what went wrong in it), `snapshots` (its widgets as still HTML), `page_body` (its cells, with numbered
figures), `page_links` (units, sections and figures lead to their pages) and `pages` (the pages, a search, and
an index from each notebook's title, section, minutes and goals).
The only script of the pages is ``pages.js``: it enlarges figures, and searches.
"""

import lazy_loader

__getattr__, __dir__, __all__ = lazy_loader.attach_stub(__name__, __file__)
