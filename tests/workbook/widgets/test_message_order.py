"""Messages of a view all go to one thread; tests/browser/test_annotate_unit.py sees it in JupyterLab."""

from __future__ import annotations

import ipywidgets
import pytest
from ipykernel.comm.comm import BaseComm

from scenelens.workbook.widgets.message_order import _handle_in_order


class Comm(BaseComm):
    """ipykernel's comm, with nobody at the other end."""

    def publish_msg(self, *_, **__):
        pass


@pytest.mark.skipif(
    not hasattr(BaseComm, "_reply_subshell_for"),
    reason="before 7.4 one thread serves all controls",
)
def test_every_part_is_routed_to_the_main_thread():
    text, button = ipywidgets.Text(), ipywidgets.Button()
    view = ipywidgets.VBox([text, ipywidgets.HBox([button])])
    for widget in (view, text, button, view.children[1]):
        widget.comm = Comm()
        widget.comm._reply_subshell_id = "written to from here last"
        assert widget.comm._reply_subshell_for({}, "asked for") == "written to from here last"
    _handle_in_order(view)
    for widget in (view, text, button, view.children[1]):
        assert widget.comm._reply_subshell_for({}, "asked for") is None
    view.close()


def test_a_closed_or_kernelless_widget_is_left_alone():
    text = ipywidgets.Text()
    _handle_in_order(text)
    text.close()
    _handle_in_order(text)
    assert not hasattr(text.comm, "_reply_subshell_for")
