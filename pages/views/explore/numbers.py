"""The numbers below the map or beside it: scores, error shares and buildings, or areas."""

from collections.abc import Sequence
from dataclasses import dataclass
from html import escape
from math import isnan

import streamlit as st

from pages.app import drawing, runs
from pages.app.benchmark_file import versioned_benchmark
from pages.app.html_table import DASH
from pages.app.labels import note_on_labels
from pages.app.markdown import escaped, sentence
from pages.app.measures import (
    COUNT_TITLE,
    KIND_HELP,
    KIND_TITLES,
    OBJECT_TITLES,
    SCORE_TITLES,
    SHARE_TITLES,
    SIZE_TITLES,
    TOUCHING_TITLE,
)
from pages.app.runs import Result
from pages.app.subject import Subject
from pages.views.explore.blocks import Block, Line, show_blocks
from pages.views.explore.cells import counted, integer, number, percent
from pages.views.explore.quantities import areas, count, of_objects, score, share
from scinet.errors import BenchmarkError
from scinet.evaluation.benchmark import dataset_title, scored_strategy
from scinet.models.card import Card
from scinet.models.confidence import Estimate
from scinet.models.estimates import borrowed_text
from scinet.models.familiarity import unlike_text
from scinet.segmentation.cost import pixels_run

ESTIMATE_TITLES = {"iou": "IoU, about", "object_f1": "Object F1, about"}
ESTIMATE_HELP = (
    "There is no reference: this is what the model's own probabilities make likely. Below it is the interval that held "
    "the score of 9 in 10 images of places where the model was not trained, on average over places; in the strangest "
    "of them it held fewer. It supposes that there are buildings."
)
AREA_ROWS = (
    ("Building area", "predicted building area", "{:,.0f} m²"),
    ("Share of image", "of the valid pixels", "{:.1%}"),
    ("Components", "4-connected components of the mask", "{:,.0f}"),
    ("Median area", "of a component", "{:,.1f} m²"),
)


@dataclass(frozen=True)
class Shown:
    """A model's result at the chosen resolution, and at the native one if that has run."""

    result: Result
    native: Result | None


def show(subject: Subject, shown: Sequence[Shown], cm_per_px: float) -> None:
    """Draw the table, and remarks on it."""
    unlike = unlike_text({each.result.card.title: runs.distance(each.result.run.task) for each in shown})
    if unlike:
        st.warning(sentence(unlike))
    if not shown:
        st.info("Choose a model to see its mask and its errors.")
    elif subject.truth is None:
        _areas(shown, cm_per_px)
    else:
        _scores_and_shares(shown, cm_per_px)
    for at_native in [each.native or each.result for each in shown[:1]]:
        if at_native.run.task.cm_per_px == subject.raster.cm_per_px:
            for note in note_on_labels(at_native):
                st.warning(sentence(note))
    remark = _outside_training([each.result.card for each in shown], cm_per_px)
    if remark:
        st.caption(sentence(remark))
    if subject.credit:
        st.caption(escaped(subject.credit))


def _scores_and_shares(shown: Sequence[Shown], cm_per_px: float) -> None:
    """Scores, error shares and buildings of each model, with the change from the native resolution."""
    scores_block, shares_block, buildings_block = Block("Scores"), Block("Error shares"), Block("Buildings")
    for name, (title, tip) in SCORE_TITLES.items():
        cells = [number(score(each.result, name), score(each.native, name)) for each in shown]
        scores_block.lines.append(Line(title, cells, tip))
    for name, (title, tip) in SHARE_TITLES.items():
        colour = drawing.SHARE_COLOURS[name]
        cells = [percent(share(each.result, name), share(each.native, name), colour) for each in shown]
        shares_block.lines.append(Line(title, cells, tip, colour))
    touching = [
        (of_objects(each.result, "merging_touching"), of_objects(each.native, "merging_touching")) for each in shown
    ]
    if any(now > 0 for now, _ in touching):
        colour = drawing.SHARE_COLOURS["merging"]
        title, tip = TOUCHING_TITLE
        shares_block.lines.append(Line(title, [percent(*pair, colour) for pair in touching], tip, colour))
    for kind in drawing.KINDS:
        title = "False areas" if kind == "false" else KIND_TITLES[kind]
        cells = [integer(count(each.result, kind), count(each.native, kind), good_up=kind == "found") for each in shown]
        buildings_block.lines.append(Line(title, cells, KIND_HELP[kind], drawing.KIND_COLOURS[kind]))
    change = "; ▲▼ change from the native resolution" if any(each.native for each in shown) else ""
    blocks = [scores_block, shares_block, buildings_block, _objects(shown), _cost(shown)]
    blocks += _test_scores(shown, cm_per_px)
    show_blocks(
        blocks,
        [each.result.card.title for each in shown],
        f"Scored at {cm_per_px:.3g} cm/px{change}{_without_specks(shown)}",
    )


def _areas(shown: Sequence[Shown], cm_per_px: float) -> None:
    """What can be said of a mask without a reference."""
    block = Block("Mask")
    measured = [(areas(each.result), areas(each.native) if each.native else None) for each in shown]
    for i, (title, tip, form) in enumerate(AREA_ROWS):
        cells = [
            (DASH if isnan(now[i]) else f"<b>{form.format(now[i])}</b>")
            + (
                f'<small class="sn-under">native {form.format(native[i])}</small>'
                if native and not isnan(native[i])
                else ""
            )
            for now, native in measured
        ]
        block.lines.append(Line(title, cells, tip))
    foot = "Scores need reference buildings: upload a mask of the same size, GeoJSON or GeoPackage along with the image"
    estimated = [each.result.card for each in shown if runs.estimate(each.result)]
    blocks = [*_estimates(shown), block, _cost(shown), *_test_scores(shown, cm_per_px)]
    show_blocks(blocks, [each.result.card.title for each in shown], foot + _without_specks(shown))
    if borrowed := borrowed_text(estimated):
        st.caption(sentence(borrowed))


def _estimates(shown: Sequence[Shown]) -> list[Block]:
    """What the scores are likely to be, from the models' probabilities, if that was measured for one of them."""
    found = [runs.estimate(each.result) for each in shown]
    lines = [
        Line(title, [_interval(known.get(name)) for known in found], ESTIMATE_HELP)
        for name, title in ESTIMATE_TITLES.items()
        if any(name in known for known in found)
    ]
    return [Block("Estimated scores", lines)] if lines else []


def _interval(estimate: Estimate | None) -> str:
    if estimate is None:
        return DASH
    return f'<b>{estimate.value:.2f}</b><small class="sn-under">{estimate.low:.2f} to {estimate.high:.2f}</small>'


def _objects(shown: Sequence[Shown]) -> Block:
    """Object F1, the count, and the recall of buildings by their size."""
    title, tip = OBJECT_TITLES["f1"]
    f1 = [number(of_objects(each.result, "f1"), of_objects(each.native, "f1")) for each in shown]
    counts = [counted(of_objects(each.result, "components"), of_objects(each.result, "count_error")) for each in shown]
    block = Block("Objects", [Line(title, f1, tip), Line(COUNT_TITLE[0], counts, COUNT_TITLE[1])])
    for name, (title, tip) in SIZE_TITLES.items():
        pairs = [(of_objects(each.result, name), of_objects(each.native, name)) for each in shown]
        if not all(isnan(now) for now, _ in pairs):
            block.lines.append(Line(title, [number(*pair) for pair in pairs], tip))
    return block


def _cost(shown: Sequence[Shown]) -> Block:
    """What the strategy made of the image for the network, and what it took."""
    scales, pixels, seconds = [], [], []
    for each in shown:
        task, grid = each.result.run.task, each.result.evaluation.raster.grid
        scales.append(" and ".join(f"×{scale:g}" for scale in task.strategy.scales(task.card, grid.cm_per_px)))
        pixels.append(f"{pixels_run(grid, task.card, task.strategy) / (grid.height * grid.width):.2f}")
        took = runs.seconds(task)
        seconds.append(DASH if took is None else f"{took:.1f} s")
    whose = f" for {shown[0].result.run.task.strategy.places} places" if shown else ""
    return Block(
        "Cost",
        [
            Line("Scale", scales, f"by which the network sees the image enlarged; from the model's table{whose}"),
            Line("Network pixels", pixels, "pixels through the network per pixel of the image at this resolution"),
            Line("Time", seconds, "of this run on this server"),
        ],
    )


def _without_specks(shown: Sequence[Shown]) -> str:
    min_area_m2 = shown[0].result.settings.min_area_m2
    return f"; components under {min_area_m2:g} m² are left out" if min_area_m2 else ""


def _outside_training(cards: Sequence[Card], cm_per_px: float) -> str:
    """A remark on the models that run at a resolution they were not trained at, else ""."""
    ranges = {
        f"{sentence(card.title)} ({low:.3g} to {high:.3g} cm/px)"
        for card in cards
        for low, high in [card.gsd_range_cm_per_px]
        if not 0.98 * low <= cm_per_px <= 1.02 * high
    }
    return f"Outside the resolutions of the training: {', '.join(sorted(ranges))}." if ranges else ""


def _test_scores(shown: Sequence[Shown], cm_per_px: float) -> list[Block]:
    """What the models scored on test tiles at about this resolution, if that is known."""
    try:
        known = versioned_benchmark()
    except BenchmarkError:
        return []  # the page Benchmark says what is wrong
    if known is None:
        return []
    by = scored_strategy(known.benchmark, shown[0].result.run.task.strategy)
    names = [each.result.card.name for each in shown]
    by_model = {name: known.benchmark.at(name, cm_per_px, strategy=by) for name in names}
    found = [rows for rows in by_model.values() if len(rows)]
    if not found:
        return []
    block = Block(f"IoU on test tiles at {found[0]['cm_per_px'].iloc[0]:.3g} cm/px")
    for dataset in sorted(set().union(*(rows["dataset"] for rows in found))):
        of_dataset = [rows[rows["dataset"] == dataset] for rows in by_model.values()]
        tiles = max(int(rows["tiles"].max()) for rows in of_dataset if len(rows))
        cells = [f"<b>{rows['micro_iou'].iloc[0]:.3f}</b>" if len(rows) else DASH for rows in of_dataset]
        tip = f"micro-IoU on {tiles} tiles not used in any training, strategy {by}"
        block.lines.append(Line(escape(dataset_title(dataset)), cells, tip))
    return [block]
