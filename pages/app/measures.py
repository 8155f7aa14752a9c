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
