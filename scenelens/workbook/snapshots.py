"""A still view of a widget, made from its saved state: HTML that needs no JavaScript and no network.

The pages of the workbook are for reading. They show each widget as it was when its notebook ended: its
images, its labels and the values of its controls, in the order of the view. Where the widget has drawn
pictures in advance (`widgets.steps`), the page's script lets a reader step through them.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from html import escape
from itertools import product
from typing import Any

from scenelens.installation import HERE

_LIVE_ONLY = "scenelens-live-only"  # the class of what is of no use in a picture
_STATUS = "scenelens-status"  # the class of the line that says what the picture shows
_Models = Mapping[str, Mapping[str, Any]]
_LIVE = '<p class="live">A still picture of the widget; it is live in JupyterLab: <code>{}</code></p>'
_STEPPED = (
    '<p class="live">These pictures were drawn in advance. The widget has every choice in JupyterLab: '
    "<code>{}</code></p>"
)
_BOXES = {"HBoxModel": "row", "VBoxModel": "column", "BoxModel": "row", "GridBoxModel": "row"}
_ALT = "\ufdd0"  # stands for the text of a picture until it is known; no character of a name
_MOST_PICTURES = 12
_PRESSED = {"ButtonModel", "ToggleButtonModel", "FileUploadModel"}
_STACKS = {"TabModel", "AccordionModel", "StackModel"}


def _snapshot(
    model_id: str, models: _Models, heading: str = "", steps: Mapping[str, Any] | None = None
) -> str:
    """The HTML of one widget; a progress bar, which is no widget for a reader, leaves nothing.

    Parameters
    ----------
    model_id : str
        The id of the widget's model.
    models : mapping of str to mapping
        The saved models of the notebook (see `scenelens.workbook.running.Run.widget_models`).
    heading : str, optional
        What the widget is about, for the texts that stand for its pictures.
    steps : mapping, optional
        Pictures that the widget has drawn in advance (see `scenelens.workbook.widgets.steps`).

    Returns
    -------
    str
        One ``<div class="widget">``, or ''. A model without a saved state or a view adds nothing to it.

    Examples
    --------
    >>> models = {
    ...     "a": {"model_name": "VBoxModel", "state": {"children": ["IPY_MODEL_b"]}},
    ...     "b": {"model_name": "LabelModel", "state": {"value": "conv5 < pool5"}},
    ... }
    >>> _snapshot("a", models).partition('<p class="live">')[0]
    '<div class="widget"><div class="column"><span>conv5 &lt; pool5</span></div>'
    """
    if steps:
        models = _with_steps(models, steps)
    view = "" if _is_progress(model_id, models) else _view(model_id, models)
    if not view:
        return ""
    alt = f"The widget's picture: {heading}" if heading else "The widget's picture"
    live = (_STEPPED if steps else _LIVE).format(escape(HERE.call("lab")))
    return f'<div class="widget">{view.replace(_ALT, escape(alt))}{live}</div>'


def _with_steps(models: _Models, steps: Mapping[str, Any]) -> _Models:
    """The models with all pictures in the place of one, and without what the page's sliders replace.

    Buttons go too: beside sliders that move something, they would seem broken.
    """
    replaced = {_STATUS, *(f"sl-{axis['name']}" for axis in steps["axes"])}
    kept = {
        name: model
        for name, model in models.items()
        if model["model_name"] not in _PRESSED and not replaced & {*model["state"].get("_dom_classes", ())}
    }
    return {**kept, steps["picture"]: {"model_name": "HTMLModel", "state": {"value": _stepper(steps)}}}


def _stepper(steps: Mapping[str, Any]) -> str:
    """All pictures, of which one is seen; the sliders, which only the script shows; and the sentence."""
    axes, views = steps["axes"], steps["views"]
    first, sliders, pictures = 0, [], []
    for axis in axes:
        first = first * len(axis["stops"]) + axis["first"]
        if len(axis["stops"]) > 1:
            sliders.append(_axis(axis["name"], axis["stops"], axis["first"]))
    for place, (view, stops) in enumerate(
        zip(views, product(*(axis["stops"] for axis in axes)), strict=True)
    ):
        at = ", ".join(f"{axis['name']} {stop}" for axis, stop in zip(axes, stops, strict=True))
        pictures.append(
            f'<img alt="{_ALT}, {escape(at)}" data-words="{escape(view["words"])}"'
            f'{"" if place == first else " hidden"} src="data:image/webp;base64,{escape(view["picture"])}">'
        )
    said = f'<p role="status">{escape(views[first]["words"])}</p>'
    return f'<div class="steps">{"".join(pictures)}{"".join(sliders)}{said}</div>'


def _axis(name: str, stops: list[str], first: int) -> str:
    name = escape(name.capitalize())
    return (
        f'<div class="axis" hidden><span>{name}</span>'
        f'<button type="button" value="-1" aria-label="{name}: back">‹</button>'
        f'<input type="range" min="0" max="{len(stops) - 1}" value="{first}" aria-label="{name}"'
        f' data-stops="{escape(json.dumps(stops))}">'
        f'<button type="button" value="1" aria-label="{name}: on">›</button>'
        f'<span class="value">{escape(stops[first])}</span></div>'
    )


def _is_progress(model_id: str, models: _Models) -> bool:
    """Whether a widget is the bar of tqdm: a row of a text, the bar and a text."""
    inside = models.get(model_id, {}).get("state", {}).get("children", ())
    kinds = [models.get(child.removeprefix("IPY_MODEL_"), {}).get("model_name") for child in inside]
    return len(kinds) == 3 and kinds[1] in ("FloatProgressModel", "IntProgressModel")


def _view(model_id: str, models: _Models) -> str:
    # Saved states refer to other models by this prefix and their id.
    model = models.get(model_id.removeprefix("IPY_MODEL_"))
    if model is None or _hidden(model, models):
        return ""
    name, state = model["model_name"], model["state"]
    if name in _BOXES:
        return _box(_BOXES[name], state, models)
    if name in _STACKS:
        return _stack(state, models)
    if name == "OutputModel":
        return "".join(map(_output, state.get("outputs", ())))
    if name == "ImageModel":
        return _image(model)
    return _VIEWS.get(name, _control)(state)


def _hidden(model: Mapping[str, Any], models: _Models) -> bool:
    if _LIVE_ONLY in model["state"].get("_dom_classes", ()):
        return True
    layout = models.get(model["state"].get("layout", "").removeprefix("IPY_MODEL_"), {}).get("state", {})
    return layout.get("display") == "none" or layout.get("visibility") == "hidden"


def _box(direction: str, state: Mapping[str, Any], models: _Models) -> str:
    views = [view for child in state.get("children", ()) if (view := _view(child, models))]
    # Of many pictures a few show how the widget looks; the notebook's figure above it has them all.
    pictures = sum("<img" in view for view in views)
    if pictures > _MOST_PICTURES:
        views = [*views[:_MOST_PICTURES], f"<span>… and {len(views) - _MOST_PICTURES} more</span>"]
    inside = "".join(views)
    return f'<div class="{direction}">{inside}</div>' if inside else ""


def _stack(state: Mapping[str, Any], models: _Models) -> str:
    """A tab or accordion: the open page, under its title."""
    chosen, children = state.get("selected_index"), state.get("children", ())
    if chosen is None or not 0 <= chosen < len(children):
        return ""
    titles = state.get("titles") or ()
    title = titles[chosen] if chosen < len(titles) else ""
    return f'<div class="column"><b>{escape(title)}</b>{_view(children[chosen], models)}</div>'


def _image(model: Mapping[str, Any]) -> str:
    data = next((b["data"] for b in model.get("buffers", ()) if b["path"] == ["value"]), "")
    kind = model["state"].get("format", "png")
    size = "".join(
        f' {k}="{int(v)}"' for k in ("width", "height") if (v := model["state"].get(k, "")).isdigit()
    )
    return (
        f'<img alt="{_ALT}" src="data:image/{escape(kind)};base64,{escape(data.strip())}"{size}>'
        if data
        else ""
    )


def _output(output: Mapping[str, Any]) -> str:
    data = output.get("data", {})
    if "image/png" in data:
        return f'<img alt="{_ALT}" src="data:image/png;base64,{escape(data["image/png"].strip())}">'
    return data.get("text/html") or f"<pre>{escape(output.get('text', data.get('text/plain', '')))}</pre>"


def _html(state: Mapping[str, Any]) -> str:
    return f"<div>{state.get('value', '')}</div>"


def _label(state: Mapping[str, Any]) -> str:
    return f"<span>{escape(state.get('value', ''))}</span>"


def _button(state: Mapping[str, Any]) -> str:
    return f'<span class="button">{escape(state.get("description") or state.get("tooltip") or "·")}</span>'


def _slider(state: Mapping[str, Any]) -> str:
    low, high, value = (float(state.get(key) or 0) for key in ("min", "max", "value"))
    share = 100 * (value - low) / (high - low) if high > low else 0
    track = f'<span class="track"><span style="left:{share:.0f}%"></span></span>'
    return _control({**state, "value": state.get("value")}, before=track)


def _choice(state: Mapping[str, Any]) -> str:
    labels, index = state.get("_options_labels", ()), state.get("index")
    chosen = [index] if isinstance(index, int) else (index or ())
    return _control({**state, "value": ", ".join(labels[i] for i in chosen)})


def _buttons(state: Mapping[str, Any]) -> str:
    """Buttons of which one is pressed: that one is bold."""
    names, chosen = state.get("_options_labels", ()), state.get("index")
    drawn = [
        f'<span class="button">{f"<b>{escape(name)}</b>" if k == chosen else escape(name)}</span>'
        for k, name in enumerate(names)
    ]
    label = _control({"description": state.get("description")})
    return f'<span class="buttons">{label}{" ".join(drawn)}</span>'


def _upload(state: Mapping[str, Any]) -> str:
    """A button to choose a file; which ones were chosen, a still picture need not say."""
    return f'<span class="button">{escape(state.get("description") or "Upload")} …</span>'


def _text(state: Mapping[str, Any]) -> str:
    return _control({**state, "value": state.get("value") or state.get("placeholder") or ""})


def _check(state: Mapping[str, Any]) -> str:
    return f"<span>{'☑' if state.get('value') else '☐'} {escape(state.get('description', ''))}</span>"


def _control(state: Mapping[str, Any], before: str = "") -> str:
    value, description = state.get("value"), state.get("description", "")
    if value is None and not description:
        return ""
    shown = escape("" if value is None else str(value))
    label = f"<span>{escape(description)}</span>" if description else ""
    return f'<span class="control">{label}{before}<span class="value">{shown}</span></span>'


_VIEWS: dict[str, Callable[[Mapping[str, Any]], str]] = {
    **dict.fromkeys(("HTMLModel", "HTMLMathModel"), _html),
    "LabelModel": _label,
    **dict.fromkeys(("ButtonModel", "ToggleButtonModel"), _button),
    **dict.fromkeys(
        ("IntSliderModel", "FloatSliderModel", "IntProgressModel", "FloatProgressModel"), _slider
    ),
    **dict.fromkeys(("CheckboxModel", "ValidModel"), _check),
    **dict.fromkeys(
        ("DropdownModel", "SelectModel", "RadioButtonsModel", "SelectionSliderModel"),
        _choice,
    ),
    "SelectMultipleModel": _choice,
    "ToggleButtonsModel": _buttons,
    "FileUploadModel": _upload,
    **dict.fromkeys(("TextModel", "TextareaModel"), _text),
}
