"""The tab of tables: the paper's, buildings counted, scale and architecture, robustness, cities."""

from dataclasses import replace

import streamlit as st

from pages.views.benchmark import costs, downloads, object_table, paper, tables
from pages.views.benchmark.selection import Selection, estimates, robustness, scale_gains
from scinet.evaluation.benchmark import native_gsd

PAPER, OBJECTS, SCALE, ROBUSTNESS, CITIES = (
    "The paper's 1 and 2",
    "Buildings counted",
    "Scale and architecture",
    "Robustness",
    "Cities and resolutions",
)


def show(chosen: Selection) -> None:
    """Draw the choice of the table, and the table."""
    shown = {
        PAPER: papers,
        OBJECTS: objects,
        SCALE: gains,
        ROBUSTNESS: over_resolutions,
        CITIES: cities,
    }
    name = st.segmented_control(
        "Table",
        list(shown),
        default=PAPER,
        key="table",
        bind="query-params",
        required=True,
        label_visibility="collapsed",
    )
    shown[name](chosen)


def papers(chosen: Selection) -> None:
    """Draw the paper's tables with our figures."""
    everything = chosen.native.assign(cm_per_px=0.0)
    table = estimates(chosen.key("all"), everything)
    tables.papers(chosen, table, paper.TABLE_1, "Table 1")
    tables.papers(chosen, table, paper.TABLE_2, "Table 2")
    left, right = st.columns([3, 1], vertical_alignment="center")
    left.caption(
        f"Ours: {everything['image'].nunique()} test tiles of {everything['city'].nunique()} cities, each at its "
        "native resolution. The paper's: 10 % of 40,000 tiles of seven cities, drawn at random. Scores in per "
        "cent; tiles, trainings and budgets differ between the two."
    )
    with right:
        downloads.show(chosen, table, "tables-1-and-2")
    with st.expander("More remarks on the paper's figures"):
        st.markdown("\n".join(f"- {slip}" for slip in paper.GENERAL_SLIPS))


def objects(chosen: Selection) -> None:
    """Draw the object scores at the resolution."""
    object_table.objects(chosen, chosen.table, chosen.cm_per_px)
    downloads.show(chosen, chosen.table[chosen.table["cm_per_px"] == chosen.cm_per_px], "objects")


def gains(chosen: Selection) -> None:
    """Draw what scale and architecture buy at the resolution."""
    scaled = [name for name in chosen.benchmark.strategies if name != "direct"]
    if not scaled or "direct" not in chosen.benchmark.strategies:
        st.info("The models were scored by one strategy alone: python -m training.benchmark scores others.")
        return
    best = chosen.strategy if chosen.strategy in scaled else scaled[0]
    rows = {strategy: chosen.resampled_by(strategy) for strategy in ("direct", best)}
    by_strategy = {name: estimates(replace(chosen, strategy=name).key("resampled"), rows[name]) for name in rows}
    found = scale_gains(chosen.key("gains", best), rows[best], rows["direct"])
    object_table.gains(chosen, found, by_strategy, chosen.cm_per_px)
    downloads.show(chosen, found[found["cm_per_px"] == chosen.cm_per_px], "scale")


def over_resolutions(chosen: Selection) -> None:
    """Draw how the scores hold over all resolutions."""
    table = robustness(chosen.key(chosen.metric), chosen.metric, chosen.resampled)
    tables.robustness(chosen, table)
    downloads.show(chosen, table, "robustness")


def cities(chosen: Selection) -> None:
    """Draw the scores by city and by native resolution, and Figure 4."""
    native = chosen.native.assign(cm_per_px=0.0)
    by_city = dict(list(native.groupby("city")))
    by_gsd = {f"{gsd:g} cm/px": group for gsd, group in native.groupby(native_gsd(native))}
    kinds = {"By city": by_city, "By native resolution": by_gsd, "Figure 4: the tiles": {}}
    kind = st.segmented_control(
        "By", list(kinds), default="By city", key="cities_by", bind="query-params", required=True
    )
    groups = kinds[kind]
    if not groups:
        costs.figure_4(chosen)
        st.caption("Test tiles by native resolution, like the paper's Figure 4.")
        return
    tables.groups(chosen, {str(name): estimates(chosen.key(str(name)), rows) for name, rows in groups.items()})
