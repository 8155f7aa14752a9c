"""The table of a model's worst buildings, of which one can be shown on the map."""

import uuid
from collections.abc import Sequence

import numpy as np
import pandas as pd
import streamlit as st
from pandas.io.formats.style import Styler

from pages.app import drawing, page
from pages.app.markdown import sentence
from pages.app.measures import KIND_TITLES
from pages.app.runs import Result
from pages.app.state import Key, session
from pages.app.subject import Subject
from pages.map import layers
from pages.map.target import Target, target_of

MAX_ROWS = 200
AFFECTED_HELP = (
    "The lost area of a missed or found building, the whole area of a merged or fragmented one, and the part of a "
    "false area that is outside all buildings."
)
COLUMNS = {
    "colour": st.column_config.TextColumn("", width=16, help="As on the map"),
    "title": st.column_config.TextColumn("Kind", width=88),
    "affected_m2": st.column_config.NumberColumn("Affected m²", format="%.1f", width=88, help=AFFECTED_HELP),
    "area_m2": st.column_config.NumberColumn("Area m²", format="%.1f", width=72),
    "lost_m2": st.column_config.NumberColumn("Lost m²", format="%.1f", width=72, help="Not in the mask"),
    "completeness": st.column_config.NumberColumn(
        "Complete", format="%.0f %%", width=76, help="Completeness: the share of the building that the mask covers"
    ),
    "pieces": st.column_config.NumberColumn("Pieces", format="%d", width=60, help="Components mostly inside it"),
    "partners": st.column_config.NumberColumn(
        "Merged with", format="%d", width=86, help="Number of other buildings that share its component"
    ),
}
KINDS = ("missed", "merged", "fragmented", "false", "found")


def table(subject: Subject, result: Result) -> pd.DataFrame:
    """Reference buildings and false areas, the most affected area first: areas in m2, shares in [0, 1].

    `building` distinguishes the two; `id` is the building's in the reference, or the component's label.
    """
    assert result.evaluation.diagnosis is not None
    buildings, components = result.evaluation.diagnosis.buildings, result.evaluation.diagnosis.components
    lost_m2 = buildings.area_m2 * (1 - buildings.completeness)
    rows = pd.DataFrame(
        {
            "kind": buildings.kind,
            "affected_m2": np.where(np.isin(buildings.kind, ("merged", "fragmented")), buildings.area_m2, lost_m2),
            "area_m2": buildings.area_m2,
            "lost_m2": lost_m2,
            "completeness": buildings.completeness,
            "pieces": buildings.pieces,
            "partners": buildings.partners,
            "building": True,
            "id": layers.truth_ids(subject, result.evaluation.raster),
        }
    )
    is_partial = subject.truth is not None and subject.truth.is_partial
    false = np.flatnonzero((components.kind == "false") & (not is_partial))  # else nobody says what stands there
    false_rows = pd.DataFrame(
        {
            "kind": "false",
            "affected_m2": components.area_m2[false] * (1 - components.correctness[false]),
            "area_m2": components.area_m2[false],
            "building": False,
            "id": false + 1,
        }
    )
    both = pd.concat([rows, false_rows]) if len(false_rows) else rows
    return both.sort_values("affected_m2", ascending=False, kind="stable", ignore_index=True)


def show(subject: Subject, results: Sequence[Result]) -> None:
    """Draw the table, in which a click on a row shows it on the map; nothing if no result has a diagnosis."""
    by_title = {result.card.title: result for result in results if result.evaluation.diagnosis is not None}
    if not by_title:
        return
    page.section("Worst buildings")
    with st.container(key="worst", gap="small"):
        left, right = st.columns([3, 2], vertical_alignment="bottom") if len(by_title) > 1 else (st.container(), None)
        kinds = left.pills(
            "Kinds",
            KINDS,
            selection_mode="multi",
            default=KINDS[:-1],
            key="worst_kinds",
            format_func=KIND_TITLES.__getitem__,
            help="Tick a row to show the building on the map.",
        )
        title = next(iter(by_title))
        if right is not None:
            title = (
                right.segmented_control(
                    "Model of the table",
                    list(by_title),
                    default=title,
                    key="worst_model",
                    format_func=sentence,
                    required=True,
                    label_visibility="collapsed",
                    width="stretch",
                )
                or title
            )
        _rows(subject, by_title[title], kinds)


def _rows(subject: Subject, result: Result, kinds: Sequence[str]) -> None:
    whole = table(subject, result)
    whole = whole[whole["kind"].isin(kinds)]
    shown = whole.head(MAX_ROWS).reset_index(drop=True)
    if shown.empty:
        st.info("None of the chosen kinds.")
        return
    # One table per result: the same row is another building in another result.
    key = f"worst-{hash((result.key, tuple(kinds))):x}"

    def choose() -> None:
        rows = st.session_state[key]["selection"]["rows"]
        session().target = _target(subject, result, shown.iloc[rows[0]]) if rows else None

    target = target_of(subject)
    places = [_place(result, *row) for row in zip(shown["building"], shown["id"], strict=True)]
    marked = [places.index(target.place)] if target is not None and target.place in places else []
    st.dataframe(
        _coloured(shown),
        hide_index=True,
        height=300,
        key=key,
        placeholder="–",
        column_config=COLUMNS,
        on_select=choose,
        selection_mode="single-row",
        selection_default={"selection": {"rows": marked}},
    )
    count = f"The {MAX_ROWS} most affected of {len(whole):,}" if len(whole) > MAX_ROWS else f"{len(whole):,}"
    st.caption(f"{count}, sorted by affected area.")
    if target is not None and not marked:  # the table has no row of it to untick
        st.button("Unmark the building on the map", key="unmark", type="tertiary", on_click=_unmark)


def _unmark() -> None:
    session().target = None


def _coloured(shown: pd.DataFrame) -> Styler:
    """The rows as they are displayed, each preceded by its kind's colour."""
    titles = pd.DataFrame({"colour": "", "title": shown["kind"].map(KIND_TITLES)})
    colours = shown["kind"].map(drawing.KIND_COLOURS)
    rows = pd.concat([titles, shown.drop(columns=["kind", "building", "id"])], axis=1)
    rows["completeness"] *= 100
    return rows.style.apply(lambda _: "background-color: " + colours, subset=["colour"])


def _place(result: Result, building: bool, number: int) -> Key:
    """Identifies a row: a reference building is the same in every result, a component belongs to one."""
    return ("building", int(number)) if building else (*result.key, int(number))


def _target(subject: Subject, result: Result, row: pd.Series) -> Target:
    if row["building"]:
        features = [layers.reference_building(subject, row["id"])]
    else:
        raster = result.evaluation.raster
        features = drawing.outlines(layers.component_shapes(result, [row["id"] - 1]), raster.crs, [{}], raster)
    place = _place(result, row["building"], row["id"])
    return Target(uuid.uuid4().hex, subject.key, place, layers.collection(features), result.card.title)
