"""What the page Benchmark calls its scores and strategies, and what they mean, in a few words each."""

METRIC_TITLES = {
    "micro_iou": "Micro-IoU",
    "micro_f1": "Micro-F1",
    "macro_iou": "Macro-IoU",
    "macro_f1": "Macro-F1",
}
METRIC_HELP = {
    "micro_iou": "intersection over union of the pixels of all tiles pooled",
    "micro_f1": "F1 of the pixels of all tiles pooled",
    "macro_iou": "mean over tiles of their IoU; an empty tile without predictions counts as 1",
    "macro_f1": "mean over tiles of their F1; an empty tile without predictions counts as 1",
}
OBJECT_TITLES = {
    "object_f1": "Object F1",
    "object_precision": "Object precision",
    "object_recall": "Object recall",
    "object_average_precision": "Average precision",
    "object_panoptic_quality": "Panoptic quality",
    "object_boundary_iou": "Boundary IoU",
    "object_recall_under_20_m2": "Recall under 20 m²",
    "object_recall_20_to_50_m2": "Recall 20 to 50 m²",
    "object_recall_50_to_200_m2": "Recall 50 to 200 m²",
    "object_recall_over_200_m2": "Recall over 200 m²",
}
OBJECT_HELP = {
    "object_f1": "harmonic mean of object precision and recall",
    "object_precision": "share of the predicted components that match a building at IoU over 0.5",
    "object_recall": "share of the reference buildings that match a component at IoU over 0.5",
    "object_average_precision": "mean precision over all recalls, components ranked by confidence",
    "object_panoptic_quality": "object F1 times the mean IoU of the matches",
    "object_boundary_iou": "IoU of the pixels within 1 m of an outline",
    "object_recall_under_20_m2": "object recall of the buildings of that area",
    "object_recall_20_to_50_m2": "object recall of the buildings of that area",
    "object_recall_50_to_200_m2": "object recall of the buildings of that area",
    "object_recall_over_200_m2": "object recall of the buildings of that area",
}
COUNT_ERROR = "object_count_error"  # has a sign, so it ranks nothing
SCORE_TITLES = METRIC_TITLES | OBJECT_TITLES
SCORE_HELP = METRIC_HELP | OBJECT_HELP
SAME, OWN = "Same tiles", "Own GSD"  # at each resolution
WRONG_AREA, IOU = "Wrong area", "IoU"  # by which tiles are sorted
STRATEGY_TITLES = {
    "direct": "Direct",
    "best-scale": "Best scale, unknown places",
    "best-scale-known": "Best scale, known places",
}
STRATEGY_HELP = (
    "Direct: the model sees the tile at that resolution. Best scale: enlarged or reduced by the factor on its card, "
    "chosen where no model was trained (unknown places) or next to its training tiles (known places)."
)


def family(metric: str) -> dict[str, str]:
    """The titles of the scores that are shown together with one: those of pixels or those of objects."""
    return METRIC_TITLES if metric in METRIC_TITLES else OBJECT_TITLES
