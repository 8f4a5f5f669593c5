"""What every widget of the workbook is made of, and the widget that browses units.

A widget consists of a *model*, which knows the state and makes the pictures as arrays and bytes, and a *view*
of ipywidgets bound to it. A model needs no notebook, so it is tested without one.

`status` is the line above a widget's picture that also shows its errors. `message_order` makes a kernel
handle a widget's messages one after the other. `root` is the outermost box of every widget: it keeps its keys
from Jupyter. `tools` is the row of undo, reset, code and files. `find_row` is the row that finds things by
what they are called. `selection` shares the unit that is looked at among all widgets of a study. `unit_view`
is the view that all widgets about one unit share, and `unit_browser` is the first of these widgets (notebook
00). The widgets of the paper's sections lie in their rooms.
"""
