"""The figures of the workbook in one house style; each answers to a figure of the paper or says what it adds.

Every function returns a `Plate`, a matplotlib Figure that shows itself in a notebook. Nothing is computed
here: tables come in from `two_networks` and its neighbours, images from `top_images`.
"""

from scenelens.plots.section2 import figure_1_preference, figure_1_top_images, transfer_dots
from scenelens.plots.style import NETWORK_COLORS, Plate, network_color
from scenelens.plots.tiles import category_sheet, contact_sheet, unit_sheet
from scenelens.plots.world import object_table

__all__ = [
    "NETWORK_COLORS",
    "Plate",
    "category_sheet",
    "contact_sheet",
    "figure_1_preference",
    "figure_1_top_images",
    "network_color",
    "object_table",
    "transfer_dots",
    "unit_sheet",
]
