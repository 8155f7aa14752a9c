"""The worst buildings of a model, and the one among them that the map flies to and marks."""

import uuid
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd
import streamlit as st
from pandas.io.formats.style import Styler

from pages.app import drawing
from pages.app.runs import Verdict
from pages.map import layers
from pages.sources import Subject

ROWS = 200
TARGET = "explore.target"
AFFECTED_HELP = (
    "Lost area of a missed or found building, the whole area of a merged or fragmented one, and of a false area "
    "what lies on no building."
)
COLUMNS = {
    "colour": st.column_config.TextColumn("", width=16, help="As on the map"),
    "title": st.column_config.TextColumn("Kind", width=88),
    "affected_m2": st.column_config.NumberColumn("Affected m²", format="%.1f", width=88, help=AFFECTED_HELP),
    "area_m2": st.column_config.NumberColumn("Area m²", format="%.1f", width=72),
    "lost_m2": st.column_config.NumberColumn("Lost m²", format="%.1f", width=72, help="Not in the mask"),
    "completeness": st.column_config.NumberColumn(
        "Complete", format="%.0f %%", width=76, help="Completeness: the share of the building that the mask holds"
    ),
    "pieces": st.column_config.NumberColumn("ResumableCog", format="%d", width=60, help="Components mostly inside it"),
    "partners": st.column_config.NumberColumn(
        "Partners", format="%d", width=68, help="Other buildings that share its component"
    ),
}
KINDS = ("missed", "merged", "fragmented", "false", "found")


# A true building is the same one in every result, a component belongs to its own.
Place = tuple[object, ...]


@dataclass(frozen=True, eq=False)
class Target:
    """A place that the map flies to once, as its id tells, and marks until another takes its place."""

    id: str
    subject: str
    place: Place
    geojson: bytes


def target_of(subject: Subject) -> Target | None:
    """What the reader has chosen on this image."""
    target: Target | None = st.session_state.get(TARGET)
    return target if target is not None and target.subject == subject.key else None


def table(subject: Subject, verdict: Verdict) -> pd.DataFrame:
    """True buildings and false areas, the most affected area first: areas in m2, shares in [0, 1].

    `building` tells the two apart; `id` is the building's in the truth, or the component's label.
    """
    assert verdict.diagnosis is not None
    own, parts = verdict.diagnosis.buildings, verdict.diagnosis.components
    lost_m2 = own.area_m2 * (1 - own.completeness)
    buildings = pd.DataFrame(
        {
            "kind": own.kind,
            "affected_m2": np.where(np.isin(own.kind, ("merged", "fragmented")), own.area_m2, lost_m2),
            "area_m2": own.area_m2,
            "lost_m2": lost_m2,
            "completeness": own.completeness,
            "pieces": own.pieces,
            "partners": own.partners,
            "building": True,
            "id": layers.truth_ids(subject, verdict.raster),
        }
    )
    false = np.flatnonzero(parts.kind == "false")
    areas = pd.DataFrame(
        {
            "kind": "false",
            "affected_m2": parts.area_m2[false] * (1 - parts.correctness[false]),
            "area_m2": parts.area_m2[false],
            "building": False,
            "id": false + 1,
        }
    )
    both = pd.concat([buildings, areas]) if len(areas) else buildings
    return both.sort_values("affected_m2", ascending=False, kind="stable", ignore_index=True)


def show(subject: Subject, verdicts: Sequence[Verdict]) -> None:
    """The table; a click on a row sends the map there. Nothing where no verdict has a diagnosis."""
    by_title = {verdict.card.title: verdict for verdict in verdicts if verdict.diagnosis is not None}
    if not by_title:
        return
    with st.container(key="worst", gap="small"):
        left, right = st.columns([3, 2], vertical_alignment="bottom") if len(by_title) > 1 else (st.container(), None)
        kinds = left.pills(
            "Worst buildings",
            KINDS,
            selection_mode="multi",
            default=KINDS[:-1],
            key="worst_kinds",
            format_func=drawing.KIND_TITLES.__getitem__,
            help="A click on a row's box shows the building on the map.",
        )
        title = next(iter(by_title))
        if right is not None:
            title = (
                right.segmented_control(
                    "Model of the table",
                    list(by_title),
                    default=title,
                    key="worst_model",
                    required=True,
                    label_visibility="collapsed",
                    width="stretch",
                )
                or title
            )
        _rows(subject, by_title[title], kinds)


def _rows(subject: Subject, verdict: Verdict, kinds: Sequence[str]) -> None:
    whole = table(subject, verdict)
    whole = whole[whole["kind"].isin(kinds)]
    shown = whole.head(ROWS).reset_index(drop=True)
    if shown.empty:
        st.info("None of the chosen kinds.")
        return
    # A table of its own for each result: a row's number means another building in another one.
    key = f"worst-{hash((verdict.key, tuple(kinds))):x}"

    def choose() -> None:
        rows = st.session_state[key]["selection"]["rows"]
        st.session_state[TARGET] = _target(subject, verdict, shown.iloc[rows[0]]) if rows else None

    target = target_of(subject)
    places = [_place(verdict, *row) for row in zip(shown["building"], shown["id"], strict=True)]
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
    count = f"The {ROWS} most affected of {len(whole):,}" if len(whole) > ROWS else f"{len(whole):,}"
    st.caption(f"{count}, sorted by affected area.")
    if target is not None and not marked:  # where the table has no row of it to untick
        st.button("Unmark the building on the map", key="unmark", type="tertiary", on_click=_unmark)


def _unmark() -> None:
    st.session_state[TARGET] = None


def _coloured(shown: pd.DataFrame) -> Styler:
    """The rows as they are shown, each with its kind's colour before it."""
    titles = pd.DataFrame({"colour": "", "title": shown["kind"].map(drawing.KIND_TITLES)})
    colours = shown["kind"].map(drawing.KIND_COLOURS)
    rows = pd.concat([titles, shown.drop(columns=["kind", "building", "id"])], axis=1)
    rows["completeness"] *= 100
    return rows.style.apply(lambda _: "background-color: " + colours, subset=["colour"])


def _place(verdict: Verdict, building: bool, number: int) -> Place:
    return ("building", int(number)) if building else (*verdict.key, int(number))


def _target(subject: Subject, verdict: Verdict, row: pd.Series) -> Target:
    if row["building"]:
        features = [layers.true_building(subject, row["id"])]
    else:
        features = drawing.outlines(layers.component_shapes(verdict, [row["id"] - 1]), verdict.raster.crs, [{}])
    place = _place(verdict, row["building"], row["id"])
    return Target(uuid.uuid4().hex, subject.key, place, layers.collection(features))
