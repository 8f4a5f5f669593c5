from .checks import Verdict, check_choice, check_number
from .pages import write_pages
from .pictures import dimmed, heat, map_in_frame
from .running import Run
from .style import BODY, HAIR, INK, SMALL, SOFT, SOURCE_COLORS, WIDTH, Plate, network_color
from .tiles import RIGHT, WRONG, category_sheet, contact_sheet, fit, mark_peak, show_tile, unit_sheet
from .tour import (
    deepest_map_layer,
    describe_presence,
    describe_study,
    object_presence,
    tidiest_unit,
    tidiness,
)
from .widgets.find_row import FindRow
from .widgets.root import WidgetRoot
from .widgets.selection import SharedUnit
from .widgets.status import Status
from .widgets.tools import History, ToolRow
from .widgets.unit_browser import GAP, STRIP, UnitBrowser, browse_units, tile
from .widgets.unit_view import CSS_WIDTH, NARROW, WIDE, UnitView, encode, uploaded
from .widgets.waiting import Waiting
from .world import object_table

__all__ = [
    "BODY",
    "CSS_WIDTH",
    "GAP",
    "HAIR",
    "INK",
    "NARROW",
    "RIGHT",
    "SMALL",
    "SOFT",
    "SOURCE_COLORS",
    "STRIP",
    "WIDE",
    "WIDTH",
    "WRONG",
    "FindRow",
    "History",
    "Plate",
    "Run",
    "SharedUnit",
    "Status",
    "ToolRow",
    "UnitBrowser",
    "UnitView",
    "Verdict",
    "Waiting",
    "WidgetRoot",
    "browse_units",
    "category_sheet",
    "check_choice",
    "check_number",
    "contact_sheet",
    "deepest_map_layer",
    "describe_presence",
    "describe_study",
    "dimmed",
    "encode",
    "fit",
    "heat",
    "map_in_frame",
    "mark_peak",
    "network_color",
    "object_presence",
    "object_table",
    "show_tile",
    "tidiest_unit",
    "tidiness",
    "tile",
    "unit_sheet",
    "uploaded",
    "write_pages",
]
