"""What can be taken from the page Benchmark: what is shown, the rows of all tiles, and how it was made, in words."""

from typing import Any

import pandas as pd
import streamlit as st

from pages.app import charts
from pages.app.state import FIGURE_FORMAT
from pages.views.benchmark import methods
from pages.views.benchmark.selection import Selection
from scinet.evaluation.benchmark_rows import rows_to_parquet
from scinet.evaluation.threshold_sums import THRESHOLD_COLUMNS
from scinet.evaluation.tile_sums import RANKED

FORMATS = {"PNG": "png", "SVG": "svg"}


def show(chosen: Selection, shown: pd.DataFrame, name: str, *, has_figure: bool = False) -> None:
    """Draw the menu.

    Args:
        chosen: The choices of the page.
        shown: The figures of this tab, one row each.
        name: Of the files.
        has_figure: Whether the tab has charts, whose camera button saves them.
    """
    with st.popover("Download and cite", width="stretch"):
        st.markdown(f"**What is shown**, {len(shown)} rows")
        _tables(f"sci-net_{name}", shown, f"shown_{name}")
        rows = chosen.resampled
        st.markdown(f"**Sums of every tile** behind it, {len(rows):,} rows")
        _tables("sci-net_tiles", rows, f"tiles_{name}")
        if has_figure:
            st.segmented_control(
                "The camera above a chart saves it as",
                list(FORMATS),
                default="PNG",
                key=FIGURE_FORMAT,
                required=True,
            )
        st.markdown("**Methods**, for a report")
        st.code(methods.paragraph(chosen), language=None, wrap_lines=True)


def camera(title: str) -> dict[str, Any]:
    """The buttons of a chart: its camera saves it in the chosen format."""
    form = FORMATS[st.session_state.get(FIGURE_FORMAT) or "PNG"]
    name = f"sci-net {title}".replace("/", " per ")
    return {**charts.CAMERA, "toImageButtonOptions": {"filename": name, "scale": 2, "format": form}}


def csv(table: pd.DataFrame) -> bytes:
    """A table as CSV; lists are left to Parquet."""
    text: str = table.drop(columns=[*RANKED, *THRESHOLD_COLUMNS], errors="ignore").to_csv(index=False)
    return text.encode()


def _tables(name: str, table: pd.DataFrame, key: str) -> None:
    left, right = st.columns(2, wrap=False)
    left.download_button(
        "CSV", lambda: csv(table), f"{name}.csv", "text/csv", key=f"{key}_csv", on_click="ignore", width="stretch"
    )
    right.download_button(
        "Parquet",
        lambda: rows_to_parquet(table),
        f"{name}.parquet",
        "application/vnd.apache.parquet",
        key=f"{key}_parquet",
        on_click="ignore",
        width="stretch",
    )
