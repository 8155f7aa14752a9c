"""The cells of the tables of numbers: a figure, and its change from the native resolution."""

from math import isnan

from pages.app.html_table import DASH


def number(value: float, native: float) -> str:
    """A score with its change from the native resolution; a dash where it is not known."""
    return DASH if isnan(value) else f"<b>{value:.3f}</b>{change(value - native, '.3f', good_up=True)}"


def percent(value: float, native: float, colour: str) -> str:
    """A share with its change and a bar."""
    if isnan(value):
        return DASH
    bar = f'<span class="sn-bar"><i style="width:{100 * min(1, value):.1f}%;background:{colour}"></i></span>'
    return f"<b>{100 * value:.1f} %</b>{change(100 * (value - native), '.1f', good_up=False)}{bar}"


def integer(value: float, native: float, *, good_up: bool) -> str:
    """A number of things with its change."""
    return DASH if isnan(value) else f"<b>{value:.0f}</b>{change(value - native, '.0f', good_up=good_up)}"


def counted(components: float, error: float) -> str:
    """How many components there are, and by how many per cent that is too many or too few."""
    if isnan(components):
        return DASH
    return f"<b>{components:.0f}</b>" + ("" if isnan(error) else f"<small>{error:+.0%}</small>")


def change(difference: float, form: str, *, good_up: bool) -> str:
    """The change from native with an arrow; nothing if native is not known."""
    if isnan(difference):
        return ""
    text = format(abs(difference), form)
    if float(text) == 0:
        return "<small>±0</small>"
    tone = "sn-better" if (difference > 0) == good_up else "sn-worse"
    return f'<small class="{tone}">{"▲" if difference > 0 else "▼"} {text}</small>'
