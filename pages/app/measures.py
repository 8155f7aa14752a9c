"""What scores, error shares and kinds of buildings are called, and what they mean, in a few words each."""

SCORE_TITLES = {
    "iou": ("IoU", "intersection over union of building pixels"),
    "f1": ("F1", "harmonic mean of precision and recall"),
    "precision": ("Precision", "share of the predicted area that is building"),
    "recall": ("Recall", "share of the building area that is predicted"),
}
SHARE_TITLES = {
    "omission": ("Omission", "share of the reference building area that the mask misses"),
    "fragmentation": ("Fragmentation", "share of the found area outside each building's largest piece"),
    "merging": ("Merging", "share of the found area that is part of another building's component"),
    "false_area": ("False area", "share of the predicted area that is not building"),
    "holes": ("Holes", "area of holes inside buildings as a share of the reference building area"),
}
OBJECT_TITLES = {
    "f1": (
        "Object F1",
        "of buildings instead of pixels: harmonic mean of object precision and recall, at IoU over 0.5",
    ),
    "precision": ("Object precision", "share of the predicted components that match a building at IoU over 0.5"),
    "recall": ("Object recall", "share of the reference buildings that match a component at IoU over 0.5"),
    "average_precision": ("Average precision", "mean precision over all recalls, components ranked by confidence"),
    "panoptic_quality": ("Panoptic quality", "object F1 times the mean IoU of the matches"),
    "boundary_iou": ("Boundary IoU", "IoU of the pixels within 1 m of an outline"),
}
SIZE_TITLES = {
    "recall_under_20_m2": ("Recall under 20 m²", "object recall of the reference buildings of that area"),
    "recall_20_to_50_m2": ("Recall 20 to 50 m²", "object recall of the reference buildings of that area"),
    "recall_50_to_200_m2": ("Recall 50 to 200 m²", "object recall of the reference buildings of that area"),
    "recall_over_200_m2": ("Recall over 200 m²", "object recall of the reference buildings of that area"),
}
COUNT_TITLE = ("Count", "predicted components, and how many more or fewer than reference buildings")
TOUCHING_TITLE = (
    "Merging, touching",
    "the part of merging that is between buildings that touch, which no mask can part",
)
PIXEL_TITLES = {"right": "Right", "missed": "Missed", "invented": "Invented"}
KIND_TITLES = {
    "found": "Found",
    "missed": "Missed",
    "merged": "Merged",
    "fragmented": "Fragmented",
    "false": "False area",
}
KIND_HELP = {
    "found": "reference buildings of which one component covers half or more",
    "missed": "reference buildings of which less than half is covered",
    "merged": "reference buildings that share their component with another one",
    "fragmented": "reference buildings in two or more pieces, or full of holes",
    "false": "predicted components of which less than half is building",
}
GRID_HELP = (
    "Working: the reference is brought to the model's grid; shows the model's own errors. "
    "Native: the mask is brought back to the image's grid; also shows what the coarser resolution loses."
)
