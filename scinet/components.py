"""Connected components of masks, their sizes, and the table of overlaps between two labellings."""

import math

import numpy as np
from scipy import ndimage, sparse

FOUR_CONNECTED = ndimage.generate_binary_structure(2, 1)
EIGHT_CONNECTED = ndimage.generate_binary_structure(2, 2)


def label(mask: np.ndarray) -> np.ndarray:
    """4-connected components of a bool mask (H, W) as int32 labels (H, W); 0 is background.

    >>> label(np.array([[True, False], [False, True]]))
    array([[1, 0],
           [0, 2]], dtype=int32)
    """
    labels = np.empty(mask.shape, np.int32)
    ndimage.label(mask, FOUR_CONNECTED, output=labels)
    return labels


def without_small(mask: np.ndarray, min_area_m2: float, pixel_area_m2: float) -> np.ndarray:
    """A bool mask (H, W) without its 4-connected components of less than ``min_area_m2``.

    Holes stay as they are. Areas that ``pixel_area_m2`` divides are kept in spite of rounding.
    """
    least_px = math.ceil(min_area_m2 / pixel_area_m2 - 1e-6)
    if least_px <= 1:
        return mask
    labels = label(mask)
    large = np.bincount(labels.ravel()) >= least_px
    large[0] = False
    return large[labels]


def hole_labels(mask: np.ndarray) -> np.ndarray:
    """Background components (8-connected, the counterpart of 4-connected foreground) that touch no image edge.

    bool (H, W) to int32 labels (H, W), numbered from 1.
    """
    labels = np.empty(mask.shape, np.int32)
    count = ndimage.label(~mask, EIGHT_CONNECTED, output=labels)
    inner = np.ones(count + 1, bool)
    for edge in (labels[0], labels[-1], labels[:, 0], labels[:, -1]):
        inner[edge] = False
    return renumbered(inner)[labels]


def compact(labels: np.ndarray, valid: np.ndarray | None) -> tuple[np.ndarray, np.ndarray]:
    """Labels (H, W) without the pixels that are not valid, numbered 1..n again where labels vanished.

    Returns the labels and the pixels of each, int64 (n,).
    """
    if valid is not None and not valid.all():
        labels = np.where(valid, labels, 0)
    areas_px = np.bincount(labels.ravel())
    present = areas_px > 0
    if not present[1:].all():
        labels = renumbered(present)[labels]
    return labels, areas_px[1:][present[1:]]


def renumbered(keep: np.ndarray) -> np.ndarray:
    """A lookup from old labels to new ones: kept labels are numbered from 1, the others become 0.

    >>> renumbered(np.array([False, True, False, True]))
    array([0, 1, 0, 2], dtype=int32)
    """
    keep = keep.copy()
    keep[0] = False
    return np.where(keep, np.cumsum(keep), 0).astype(np.int32)


def overlaps(rows: np.ndarray, columns: np.ndarray, shape: tuple[int, int]) -> sparse.csr_array:
    """Shared pixels n_ij of label i + 1 of ``rows`` and label j + 1 of ``columns``, both int32 (H, W).

    A sparse table of the given shape (labels of rows, labels of columns): a dense one of a whole scene
    would not fit in memory.
    """
    both = (rows > 0) & (columns > 0)
    i, j = rows[both] - 1, columns[both] - 1
    return sparse.coo_array((np.ones(i.size, np.int64), (i, j)), shape=shape).tocsr()
