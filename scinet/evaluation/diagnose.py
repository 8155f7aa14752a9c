"""What is wrong with a mask: error shares in [0, 1] and the kind of every building.

Everything follows from one table: n_ij, the pixels shared by true building i and predicted component j.
With g_i and p_j their sizes, a building has

    completeness  c = sum_j n_ij / g_i            the share of it that is found
    wholeness     s = max_j n_ij / sum_j n_ij     the share of the found part that is one piece

and a predicted component

    correctness   q = sum_i n_ij / p_j            the share of it that is building
    purity        t = max_i n_ij / sum_i n_ij     the share of that which is one building.

For the best pair, 1 - c s and 1 - q t are the over- and under-segmentation indices of Clinton et al. 2010
and Persello & Bruzzone 2010, and IoU = 1 / (1/(c s) + 1/(q t) - 1).
"""

from dataclasses import dataclass
from functools import cached_property
from math import nan
from typing import NamedTuple

import numpy as np
from scipy import sparse

from scinet.evaluation.scores import Counts
from scinet.raster.components import Spans, components, holes, overlaps

BUILDING_KINDS = ("found", "missed", "merged", "fragmented")
COMPONENT_KINDS = ("good", "merger", "false")

MIN_PIECE_M2 = 1.0  # smaller crumbs do not make a building fragmented


class Shares(NamedTuple):
    """Error shares of a mask, in [0, 1], NaN where there is nothing to share.

    omission       1 - TP / sum g               building area lost to the background
    fragmentation  1 - sum_i max_j n_ij / TP    found area that lies outside its building's largest piece
    merging        1 - sum_j max_i n_ij / TP    found area that lies in another building's component
    false_area     1 - TP / sum p               predicted area that is not building
    holes          hole area / sum g            area of buildings inside holes of the mask (part of omission)
    """

    omission: float
    fragmentation: float
    merging: float
    false_area: float
    holes: float


@dataclass(frozen=True)
class Tally:
    """The sums in pixels that shares are made of; tallies of tiles add up, their shares do not."""

    true: int = 0
    predicted: int = 0
    shared: int = 0
    largest_pieces: int = 0  # sum_i max_j n_ij
    largest_owners: int = 0  # sum_j max_i n_ij
    holes: int = 0

    def __add__(self, other: "Tally") -> "Tally":
        return Tally(
            self.true + other.true,
            self.predicted + other.predicted,
            self.shared + other.shared,
            self.largest_pieces + other.largest_pieces,
            self.largest_owners + other.largest_owners,
            self.holes + other.holes,
        )

    @property
    def shares(self) -> Shares:
        """The error shares that follow from the sums."""
        return Shares(
            omission=_deficit(self.shared, self.true),
            fragmentation=_deficit(self.largest_pieces, self.shared),
            merging=_deficit(self.largest_owners, self.shared),
            false_area=_deficit(self.shared, self.predicted),
            holes=self.holes / self.true if self.true else nan,
        )

    @property
    def counts(self) -> Counts:
        """The pixel counts that follow from the sums."""
        return Counts(tp=self.shared, fp=self.predicted - self.shared, fn=self.true - self.shared)


@dataclass(frozen=True)
class Buildings:
    """Columns about the true buildings; row i belongs to label i + 1."""

    kind: np.ndarray  # str, of BUILDING_KINDS
    area_m2: np.ndarray  # float
    completeness: np.ndarray  # float, c
    wholeness: np.ndarray  # float, s; NaN where nothing is found
    pieces: np.ndarray  # int, predicted components that lie mostly inside it
    partners: np.ndarray  # int, other buildings that its component holds more than half of
    holes_m2: np.ndarray  # float


@dataclass(frozen=True)
class Components:
    """Columns about the predicted components; row j belongs to label j + 1."""

    kind: np.ndarray  # str, of COMPONENT_KINDS
    area_m2: np.ndarray  # float
    correctness: np.ndarray  # float, q
    purity: np.ndarray  # float, t; NaN where it shares nothing with a building
    buildings: np.ndarray  # int, buildings that it holds more than half of


@dataclass(frozen=True)
class Diagnosis:
    """The account of one mask: labels without nodata, their rows, and the pooled sums."""

    truth: Spans
    predicted: Spans
    holes: Spans  # those that lie mostly inside a building
    buildings: Buildings
    components: Components
    tally: Tally
    shared: sparse.csr_array  # int: n_ij, the pixels of building i + 1 and component j + 1

    @cached_property
    def truth_labels(self) -> np.ndarray:
        """int32 (H, W)"""
        return self.truth.pixels()

    @cached_property
    def predicted_labels(self) -> np.ndarray:
        """int32 (H, W)"""
        return self.predicted.pixels()

    @cached_property
    def holes_mask(self) -> np.ndarray:
        """bool (H, W)"""
        return self.holes.pixels() > 0

    @property
    def shares(self) -> Shares:
        """The error shares of the mask."""
        return self.tally.shares

    @property
    def counts(self) -> Counts:
        """The pixel counts of the mask."""
        return self.tally.counts


def diagnose(
    truth: np.ndarray, prediction: np.ndarray, *, pixel_area_m2: float, valid: np.ndarray | None = None
) -> Diagnosis:
    """Compare a predicted mask with the reference buildings, both on one grid.

    Args:
        truth: The reference: a bool mask (H, W), whose 4-connected components are the buildings, or int labels (H, W)
            of the buildings, 0 where there is none.
        prediction: The mask, bool (H, W).
        pixel_area_m2: Area of a pixel on the ground, in m2.
        valid: bool (H, W). Pixels where it is False are ignored. They are dropped after labelling, so that a gap in
            the image does not split a building.

    Returns:
        Counts, error shares, and what became of each building and component.

    Raises:
        ValueError: The shapes differ.

    Example:
        >>> import numpy as np
        >>> from scinet import diagnose
        >>> reference = np.zeros((8, 8), bool)
        >>> reference[1:3, 1:3] = reference[1:3, 5:7] = True  # two buildings
        >>> mask = reference.copy()
        >>> mask[1:3, 1:7] = True  # merged into one
        >>> mask[5:7, 1:3] = True  # and a false one
        >>> diagnosis = diagnose(reference, mask, pixel_area_m2=0.01)
        >>> diagnosis.buildings.kind.tolist(), diagnosis.components.kind.tolist()
        (['merged', 'merged'], ['merger', 'false'])
    """
    if truth.shape != prediction.shape or (valid is not None and valid.shape != truth.shape):
        raise ValueError(f"truth is {truth.shape}, prediction {prediction.shape}")
    true = (components(truth) if truth.dtype == bool else Spans.of(truth)).compact(valid)
    predicted = components(prediction).compact(valid)
    hollow = holes(prediction).compact(valid)
    g, p, h = true.sizes_px, predicted.sizes_px, hollow.sizes_px
    shared = overlaps(true, predicted)
    by_building, by_component = _RowSums.of(shared), _RowSums.of(shared.T.tocsr())

    hole_px, owned = _holes(overlaps(hollow, true), h, g.size)
    held = _majority_overlap(shared, g)  # bool table: component j holds more than half of building i
    buildings_held = np.asarray(held.sum(axis=0)).ravel().astype(int)

    tally = Tally(
        true=int(g.sum()),
        predicted=int(p.sum()),
        shared=int(by_building.total.sum()),
        largest_pieces=int(by_building.largest.sum()),
        largest_owners=int(by_component.largest.sum()),
        holes=int(hole_px.sum()),
    )
    return Diagnosis(
        truth=true,
        predicted=predicted,
        holes=hollow.keep(np.concatenate([[False], owned])),
        buildings=_buildings(shared, held, by_building, buildings_held, g, p, hole_px, pixel_area_m2),
        components=_components(by_component, buildings_held, p, pixel_area_m2),
        tally=tally,
        shared=shared,
    )


class _RowSums(NamedTuple):
    """Sum and maximum of each row of an overlap table."""

    total: np.ndarray
    largest: np.ndarray

    @classmethod
    def of(cls, table: sparse.csr_array) -> "_RowSums":
        if 0 in table.shape:
            return cls(np.zeros(table.shape[0]), np.zeros(table.shape[0]))
        return cls(np.asarray(table.sum(axis=1), float).ravel(), np.asarray(table.max(axis=1).todense(), float).ravel())


def _buildings(
    shared: sparse.csr_array,
    held: sparse.csr_array,
    sums: _RowSums,
    buildings_held: np.ndarray,
    g: np.ndarray,
    p: np.ndarray,
    hole_px: np.ndarray,
    pixel_area_m2: float,
) -> Buildings:
    completeness = sums.total / g
    wholeness = _ratio(sums.largest, sums.total)

    # A component that holds more than half of a building is the only one that can.
    holders = np.zeros(g.size, int)
    rows, columns = held.nonzero()
    holders[rows] = buildings_held[columns]
    partners = np.maximum(holders - 1, 0)

    table = shared.tocoo()
    is_piece = (table.data > 0.5 * p[table.col]) & (p[table.col] * pixel_area_m2 >= MIN_PIECE_M2)
    pieces = np.bincount(table.row[is_piece], minlength=g.size)

    in_pieces = (pieces >= 2) & (wholeness <= 0.95)
    kind = np.select(
        [completeness < 0.1, partners >= 1, in_pieces | (hole_px > 0.05 * g), completeness < 0.5],
        ["missed", "merged", "fragmented", "missed"],
        default="found",
    )
    return Buildings(
        kind, g * pixel_area_m2, completeness, wholeness, pieces, partners, holes_m2=hole_px * pixel_area_m2
    )


def _components(sums: _RowSums, buildings_held: np.ndarray, p: np.ndarray, pixel_area_m2: float) -> Components:
    correctness = sums.total / p
    kind = np.select([correctness < 0.5, buildings_held >= 2], ["false", "merger"], default="good")
    return Components(kind, p * pixel_area_m2, correctness, _ratio(sums.largest, sums.total), buildings_held)


def _majority_overlap(shared: sparse.csr_array, g: np.ndarray) -> sparse.csr_array:
    table = shared.tocoo()
    more_than_half = table.data > 0.5 * g[table.row]
    where = (table.row[more_than_half], table.col[more_than_half])
    return sparse.coo_array((np.ones(where[0].size, np.int64), where), shape=shared.shape).tocsr()


def _holes(table: sparse.csr_array, h: np.ndarray, buildings: int) -> tuple[np.ndarray, np.ndarray]:
    """Pixels of each building (n,) inside holes that lie mostly in it, and which holes these are, bool (holes,)."""
    cells = table.tocoo()
    inside = cells.data > 0.5 * h[cells.row]
    owned = np.zeros(h.size, bool)
    owned[cells.row[inside]] = True
    return np.bincount(cells.col[inside], weights=cells.data[inside], minlength=buildings), owned


def _deficit(part: int, whole: int) -> float:
    return 1 - part / whole if whole else nan


def _ratio(part: np.ndarray, whole: np.ndarray) -> np.ndarray:
    ratio = np.full(part.shape, nan)
    np.divide(part, whole, out=ratio, where=whole > 0)
    return ratio
