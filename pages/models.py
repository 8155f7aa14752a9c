"""Checkpoints: what is on board and how it was made, any two compared, and models of one's own."""

import streamlit as st

from pages.app import custom_models, navigation
from pages.views.benchmark import selection
from pages.views.explore import panels
from pages.views.models import add_model, facts, training_curves
from scinet.errors import BenchmarkError
from scinet.evaluation import bootstrap
from scinet.evaluation.benchmark import Benchmark
from scinet.models.card import Card, checkpoints_folder

NONE = ""


def choose(cards: list[Card]) -> list[Card]:
    """One checkpoint, and another to compare it with where that is wanted."""
    by_name = {card.name: card for card in cards}
    left, right, far = st.columns([2, 2, 3], vertical_alignment="bottom")
    first = left.selectbox(
        "Checkpoint", list(by_name), format_func=lambda name: by_name[name].title, key="checkpoint", bind="query-params"
    )
    others = [NONE, *(name for name in by_name if name != first)]
    second = right.selectbox(
        "Compare with",
        others,
        format_func=lambda name: by_name[name].title if name else "none",
        key="compare_with",
        bind="query-params",
        help="Facts side by side, and the difference of the scores on the same test tiles",
    )
    far.markdown("[Add a model of your own](#add)")
    return [by_name[name] for name in (first, second) if name]


def differences(cards: list[Card], benchmark: Benchmark) -> None:
    """The second against the first on each data set's tiles at their own GSD, paired tile by tile."""
    one, other = cards
    tiles = benchmark.tiles
    tiles = tiles[tiles["is_native"] & (tiles["grid"] == "working")]
    lines = []
    for dataset, rows in tiles[tiles["model"].isin([one.name, other.name])].groupby("dataset"):
        names = {one.name: "first", other.name: "second"}  # two seeds of one system stay two
        table = bootstrap.estimates(rows.assign(model=rows["model"].map(names), own=0.0), "own", against="first")
        found = table[(table["system"] == "second") & (table["metric"] == "micro_iou")]
        if len(found) and not found["change"].isna().any():
            row = found.iloc[0]
            beyond = "" if row["change_low"] <= 0 <= row["change_high"] else " (more than the choice of tiles explains)"
            lines.append(
                f"- {str(dataset).capitalize()}, {row['tiles']} tiles: {row['change']:+.3f}, "
                f"{row['change_low']:+.3f} to {row['change_high']:+.3f}{beyond}"
            )
    if lines:
        st.markdown(
            f"**Micro-IoU of {other.title} less that of {one.title}**, each tile at its own GSD, with the "
            f"{bootstrap.LEVEL:.0%} interval over tiles:\n\n" + "\n".join(lines)
        )


def main() -> None:
    navigation.through_app()
    panels.style()
    try:
        found = selection.read()
    except BenchmarkError as error:
        st.warning(str(error))
        found = None
    benchmark = found[0] if found else None
    add_model.welcome()
    cards = custom_models.all_cards()
    if cards:
        shown = choose(cards)
        if len(shown) == 2 and benchmark:
            differences(shown, benchmark)
        facts.table(shown, benchmark)
        st.subheader("Training curve", anchor="training")
        training_curves.show(shown)
    else:
        st.info(f"There are no checkpoints in {checkpoints_folder()}: train one with python -m training.train.")
    if benchmark:
        absent = [name for name in benchmark.models if name not in {card.name for card in cards}]
        if absent:
            st.caption(f"Scored on the page Benchmark, but not on board: {', '.join(absent)}.")
    st.subheader("Add your own", anchor="add")
    add_model.list_own()
    add_model.show()


main()
