"""What a model with several outputs learns of each building: its edge, and how far inside a pixel lies.

Buildings are told apart at the tiles' own resolution and resampled as labels, so two that a coarse chip shows as one
blob stay two. Masks may number the buildings that touch: see `training.packed_tiles`.
"""

import numpy as np
from numpy.typing import NDArray
from scipy.ndimage import distance_transform_edt, maximum

from scinet.models.architectures import Output
from scinet.raster.components import components, label
from scinet.raster.resample import resample_mask

BOUNDARY_M = 0.25  # to each side of an edge, and at least one pixel

Labels = NDArray[np.int32]
Floats = NDArray[np.float32]


def building_labels(numbers: NDArray[np.uint8]) -> Labels:
    """A label for each building, int32 (H, W), 0 for none.

    Args:
        numbers: uint8 (H, W), 0 where there is none. Pixels of a building are 4-connected and have one number;
            buildings that touch have different ones.

    Example:
        >>> building_labels(np.array([[7, 7, 9, 0, 7]], np.uint8))
        array([[1, 1, 2, 0, 3]], dtype=int32)
    """
    return components(numbers).pixels()


def labels_at(labels: Labels, building: NDArray[np.bool_]) -> Labels:
    """Labels on another grid over the same extent, with a label wherever there is building and nowhere else.

    Args:
        labels: int32 (h, w) at the tiles' own resolution.
        building: bool (H, W), the mask that the model learns.
    """
    nearest: Labels = resample_mask(labels, (building.shape[0], building.shape[1])).copy()
    nearest[~building] = 0
    missing = building & (nearest == 0)
    if not missing.any():
        return nearest
    if not nearest.any():
        return label(building)
    row, column = distance_transform_edt(nearest == 0, return_distances=False, return_indices=True)
    nearest[missing] = nearest[row[missing], column[missing]]
    return nearest


def outputs_of_labels(labels: Labels, cm_per_px: float) -> dict[Output, Floats]:
    """What the outputs should be, each float32 (H, W) in [0, 1].

    building   1 in every building
    boundary   1 up to BOUNDARY_M from an edge, between building and ground or between two buildings
    distance   the distance to the building's edge, as a share of its largest; 0 outside

    The edge of the chip is not an edge of buildings.

    Args:
        labels: int32 (H, W), 0 for none.
        cm_per_px: Their resolution.
    """
    inside, edge = labels > 0, _at_edge(labels)
    building = inside.astype(np.float32)
    if not edge.any():  # nothing but ground, or one building without an end
        return {"building": building, "boundary": np.zeros_like(building), "distance": building}
    depth = distance_transform_edt(~(edge & inside)).astype(np.float32) + 1  # 1 for pixels at the edge
    outside = distance_transform_edt(~inside).astype(np.float32)
    to_edge = np.where(inside, depth, outside)
    width_px = max(1, round(100 * BOUNDARY_M / cm_per_px))
    present = np.unique(labels[inside])
    deepest = np.ones(present[-1] + 1, np.float32)
    deepest[present] = maximum(depth, labels, present)
    return {
        "building": building,
        "boundary": (to_edge <= width_px).astype(np.float32),
        "distance": np.where(inside, depth / deepest[labels], np.float32(0)),
    }


def _at_edge(labels: Labels) -> NDArray[np.bool_]:
    """Pixels with a neighbour, of four, that has another label."""
    edge = np.zeros(labels.shape, np.bool_)
    for before, after in ((np.s_[:-1], np.s_[1:]), (np.s_[:, :-1], np.s_[:, 1:])):
        differ = labels[before] != labels[after]
        edge[before] |= differ
        edge[after] |= differ
    return edge
