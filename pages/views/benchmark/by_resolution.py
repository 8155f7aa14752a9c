"""The curves of figure 5 of the paper: one score against cm/px, as such, as a difference from Sci-Net, or by city."""

from html import escape

import pandas as pd
import plotly.graph_objects as go
import streamlit as st

from pages.app.state import AXIS
from pages.views.benchmark import curves, downloads, paper
from pages.views.benchmark.curves import Line, Look
from pages.views.benchmark.metrics import METRIC_TITLES, OWN, SAME, SCORE_HELP, SCORE_TITLES
from pages.views.benchmark.scored_models import ScoredModel
from pages.views.benchmark.selection import Selection, estimates
from scinet.evaluation.benchmark import native_gsd

SCORE, DIFFERENCE, BY_CITY = "Score", "Difference from Sci-Net", "By city"
ALL = ""


def show(chosen: Selection) -> None:
    """Draw the choices of the view, and its chart."""
    view, tiles, model, toggle = st.columns([3, 2, 2, 1.3], vertical_alignment="bottom")
    shown = view.segmented_control(
        "View",
        [SCORE, DIFFERENCE, BY_CITY],
        default=SCORE,
        key="view",
        bind="query-params",
        required=True,
    )
    own = (
        tiles.segmented_control(
            "Tiles at each resolution",
            [SAME, OWN],
            default=SAME,
            key=AXIS,
            bind="query-params",
            required=True,
            disabled=shown == BY_CITY,
            help="Same tiles: the chosen tiles, resampled to every resolution, so that only the scale changes. Own "
            "GSD: all test tiles at their native resolution, as in the paper, so that the places change too.",
        )
        == OWN
    )
    by_name = {model.name: model for model in chosen.models}
    stands_out = model.selectbox(
        "Stands out",
        [*by_name, ALL],
        index=list(by_name).index("sci-net") if "sci-net" in by_name else 0,
        format_func=lambda name: by_name[name].title if name in by_name else "all models in colour",
        key="stands_out",
        bind="query-params",
    )
    intervals = toggle.toggle("Intervals", key="intervals", bind="query-params", help="95 % intervals over tiles")
    is_difference = shown == DIFFERENCE
    look = Look(ALL if is_difference and stands_out == "sci-net" else stands_out, is_difference, intervals)
    if shown == BY_CITY:
        _by_city(chosen, look)
    else:
        _one_chart(chosen, look, own)


def _one_chart(chosen: Selection, look: Look, own: bool) -> None:
    key = "own" if own else "resampled"
    table = estimates(chosen.key("own"), chosen.own_gsd) if own else chosen.table
    rows = table[table["metric"] == chosen.metric]
    title = SCORE_TITLES[chosen.metric]
    axis = f"{title} minus that of Sci-Net" if look.is_difference else title
    lines = [] if look.is_difference else _lines(chosen, own, look.stands_out)
    marked = None if own else chosen.cm_per_px
    chart = curves.figure(rows, chosen.models, look, axis, lines, marked)
    _draw(chart, chosen, look, f"figure-5-{key}-{look.is_difference}", f"{axis} against cm/px")
    left, right = st.columns([3, 1], vertical_alignment="center")
    paper_says = "; the paper's own curves have no printed values, its tables are under Tables" if own else ""
    left.caption(
        f"{title}: {SCORE_HELP[chosen.metric]}. Click a point for its tiles, a name to hide its line{paper_says}."
    )
    with right:
        downloads.show(chosen, rows, "by-resolution", has_figure=True)


def _lines(chosen: Selection, own: bool, stands_out: str) -> list[Line]:
    """The target, a published score, and next to tiles at their own resolution the paper's score over all of them."""
    found = [Line(chosen.target, f"target {chosen.target:g}")] if chosen.target else []
    published = chosen.published.get(chosen.metric)
    if published is not None:
        found.append(Line(published, f"published: {published:.3f}"))
    printed = (paper.TABLE_1 | paper.TABLE_2).get(stands_out)
    if own and printed is not None and chosen.metric in METRIC_TITLES:
        value = getattr(printed, chosen.metric) / 100
        found.append(Line(value, f"the paper's, over all resolutions: {value:.3f}"))
    return found


def _draw(chart: go.Figure, chosen: Selection, look: Look, key: str, alt: str) -> None:
    st.plotly_chart(
        chart,
        key=key,
        on_select=lambda: curves.take(st.session_state[key], look.stands_out, chosen.metric),
        selection_mode="points",
        config=downloads.camera(alt),
        alt=alt,
    )


def by_city(chosen: Selection) -> dict[str, pd.DataFrame]:
    """The rows of `estimates` of the chosen score by city: its finest tiles, at the resolutions that all have."""
    rows = chosen.resampled
    found = {}
    for city, of_city in rows.groupby("city", sort=True):
        finest = of_city[native_gsd(of_city) == native_gsd(of_city).min()]
        table = estimates(chosen.key("city", str(city)), finest)
        found[str(city)] = table[table["metric"] == chosen.metric]
    return found


def _by_city(chosen: Selection, look: Look) -> None:
    tables = by_city(chosen)
    curves.legend(_in_colour(chosen.models, look), "<i class='sn-range'></i>" if look.has_intervals else "")
    lines = [Line(chosen.target, f"target {chosen.target:g}")] if chosen.target else []
    small = look._replace(height=205, has_legend=False)
    with st.container(key="curves-large"):
        for city, rows in tables.items():
            with st.container(gap=None):
                st.html(f'<div class="sn-curve">{escape(city)}, {rows["tiles"].max()} tiles</div>')
                chart = curves.figure(rows, chosen.models, small, SCORE_TITLES[chosen.metric], lines, chosen.cm_per_px)
                alt = f"{SCORE_TITLES[chosen.metric]} against cm/px in {city}"
                st.plotly_chart(chart, key=f"city-{city}", config=downloads.camera(alt), alt=alt)
    everything = [rows.assign(city=city) for city, rows in tables.items()]
    downloads.show(chosen, pd.concat(everything), "by-city", has_figure=True)


def _in_colour(models: tuple[ScoredModel, ...], look: Look) -> list[ScoredModel]:
    return [model for model in models if look.stands_out in (ALL, model.name)]
