"""Connected components of masks, and how two labellings overlap, by run-length encoding.

A span is a run of pixels with the same label in a row. A mask of buildings has a hundred times fewer spans than pixels,
so counting by spans takes a hundredth of the time and memory. Pixels are needed only to draw a labelling.
"""

import math
from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy import sparse
from scipy.sparse.csgraph import connected_components

_BAND_PX = 16_000_000  # encoded at a time

Indices = NDArray[np.int64]


@dataclass(frozen=True, eq=False)
class Spans:
    """Labelled pixels of an image (H, W), run-length encoded: spans along its rows, in reading order.

    Attributes:
        shape: (H, W) of the image.
        starts: int64 (n,): position of the first pixel of each span, counted row by row as if every row had one pixel
            more, so that no span touches one of the next row.
        ends: int64 (n,): position after the last pixel.
        labels: int64 (n,), from 1.
    """

    shape: tuple[int, int]
    starts: Indices
    ends: Indices
    labels: Indices

    @classmethod
    def of(cls, values: NDArray[Any]) -> "Spans":
        """The spans of labels int (H, W), 0 for none, or of a mask bool (H, W), all labelled 1."""
        parts = list(_changes(values))
        starts, ends, labels = (np.concatenate(part) for part in zip(*parts, strict=True)) if parts else 3 * [_NONE]
        return cls((values.shape[0], values.shape[1]), starts, ends, labels)

    @property
    def sizes_px(self) -> Indices:
        """Pixels of each label from 1 on, int64 (largest label,)."""
        sizes = np.bincount(self.labels, weights=self.ends - self.starts, minlength=1)
        return sizes[1:].astype(np.int64)

    def pixels(self) -> NDArray[np.int32]:
        """The labels int32 (H, W), 0 for none."""
        height, width = self.shape
        steps = np.zeros(height * (width + 1) + 1, np.int32)
        steps[self.starts] = self.labels
        steps[self.ends] -= self.labels.astype(np.int32)
        np.cumsum(steps, out=steps)
        return steps[:-1].reshape(height, width + 1)[:, :width]

    def keep(self, kept: NDArray[np.bool_]) -> "Spans":
        """The spans of some labels, numbered from 1 again; `kept` is bool (largest label + 1,)."""
        numbers = renumbered(kept)[self.labels]
        there = numbers > 0
        return replace(self, starts=self.starts[there], ends=self.ends[there], labels=numbers[there])

    def compact(self, valid: NDArray[np.bool_] | None = None) -> "Spans":
        """The parts of the spans where `valid`, bool (H, W), is True; the labels left are numbered from 1 again."""
        spans = self
        if valid is not None and not valid.all():
            where = Spans.of(valid)
            first, second = _meetings(self, where)
            spans = replace(
                self,
                starts=np.maximum(self.starts[first], where.starts[second]),
                ends=np.minimum(self.ends[first], where.ends[second]),
                labels=self.labels[first],
            )
        present = np.bincount(spans.labels, minlength=1) > 0
        return spans if present[1:].all() else spans.keep(present)


_NONE = np.zeros(0, np.int64)


def components(values: NDArray[Any]) -> Spans:
    """4-connected components of a mask bool (H, W), or of equal values above 0 of integers (H, W).

    They are numbered in reading order.
    """
    return _connected(Spans.of(values), corners=False)


def holes(mask: NDArray[np.bool_]) -> Spans:
    """Background components (8-connected, as the foreground is 4-connected) that do not touch the image's edge."""
    height, width = mask.shape
    background = _connected(Spans.of(~mask), corners=True)
    row, column = np.divmod(background.starts, width + 1)
    at_edge = (row == 0) | (row == height - 1) | (column == 0) | (background.ends % (width + 1) == width)
    inner = np.ones(background.labels.max(initial=0) + 1, bool)
    inner[background.labels[at_edge]] = False
    return background.keep(inner)


def label(mask: NDArray[np.bool_]) -> NDArray[np.int32]:
    """4-connected components of a bool mask (H, W) as int32 labels (H, W); 0 is background.

    >>> label(np.array([[True, False], [False, True]]))
    array([[1, 0],
           [0, 2]], dtype=int32)
    """
    return components(mask).pixels()


def without_small(mask: NDArray[np.bool_], min_area_m2: float, pixel_area_m2: float) -> NDArray[np.bool_]:
    """A bool mask (H, W) without its 4-connected components of less than `min_area_m2`.

    Holes stay as they are. Areas that `pixel_area_m2` divides are kept in spite of rounding.
    """
    least_px = math.ceil(min_area_m2 / pixel_area_m2 - 1e-6)
    if least_px <= 1:
        return mask
    found = components(mask)
    return found.keep(np.concatenate([[False], found.sizes_px >= least_px])).pixels() > 0


def renumbered(keep: NDArray[np.bool_]) -> Indices:
    """A lookup from old labels to new ones: kept labels are numbered from 1, the others become 0.

    >>> renumbered(np.array([False, True, False, True]))
    array([0, 1, 0, 2])
    """
    keep = keep.copy()
    keep[0] = False
    return np.where(keep, np.cumsum(keep), 0)


def overlaps(rows: Spans, columns: Spans) -> sparse.csr_array:
    """Shared pixels n_ij of label i + 1 of `rows` and label j + 1 of `columns`, of one image.

    A sparse table (labels of rows, labels of columns): a dense one of a whole scene would not fit in memory.
    """
    first, second = _meetings(rows, columns)
    shared = np.minimum(rows.ends[first], columns.ends[second]) - np.maximum(rows.starts[first], columns.starts[second])
    where = rows.labels[first] - 1, columns.labels[second] - 1
    shape = rows.labels.max(initial=0), columns.labels.max(initial=0)
    return sparse.coo_array((shared, where), shape=shape).tocsr()


def _changes(values: NDArray[Any]) -> Iterator[tuple[Indices, Indices, Indices]]:
    """Starts, ends and labels of the spans, band by band."""
    height, width = values.shape
    rows = max(1, _BAND_PX // (width + 1))
    for top in range(0, height, rows):
        part = values[top : top + rows]
        flat = np.zeros((len(part), width + 1), values.dtype)
        flat[:, :width] = part
        flat = flat.ravel()
        changes = np.flatnonzero(flat[1:] != flat[:-1]) + 1
        if flat[0]:
            changes = np.concatenate([[0], changes])
        labels = flat[changes].astype(np.int64)
        begins = np.flatnonzero(labels)  # the last change is to 0, in the additional pixel of the row
        offset = top * (width + 1)
        yield changes[begins] + offset, changes[begins + 1] + offset, labels[begins]


def _connected(spans: Spans, corners: bool) -> Spans:
    """The spans labelled by their connected components."""
    below = spans.shape[1] + 1
    first, last = _between(spans.starts + below, spans.ends + below, spans, touching=corners)
    counts = last - first
    pointers = np.concatenate([[0], np.cumsum(counts)])
    near = _ranges(first, counts)
    alike = np.repeat(spans.labels, counts) == spans.labels[near]
    graph = sparse.csr_array((alike, near, pointers), shape=2 * counts.shape)
    graph.eliminate_zeros()
    _, labels = connected_components(graph, directed=False)
    return replace(spans, labels=labels.astype(np.int64) + 1)


def _meetings(a: Spans, b: Spans) -> tuple[Indices, Indices]:
    """The pairs of a span of `a` and one of `b` that share pixels, as indices, in reading order."""
    first, last = _between(a.starts, a.ends, b, touching=False)
    counts = last - first
    return np.repeat(np.arange(counts.size), counts), _ranges(first, counts)


def _between(starts: Indices, ends: Indices, spans: Spans, touching: bool) -> tuple[Indices, Indices]:
    """For each pair of a start and an end the first and the last index + 1 of the spans that overlap it, or touch."""
    return (
        np.searchsorted(spans.ends, starts, "left" if touching else "right"),
        np.searchsorted(spans.starts, ends, "right" if touching else "left"),
    )


def _ranges(first: Indices, counts: Indices) -> Indices:
    """first[0], first[0] + 1, ... counts[0] numbers, then those from first[1] on, and so on."""
    return np.repeat(first - np.cumsum(counts) + counts, counts) + np.arange(counts.sum())
