"""Draws a plan at any resolution: ground, shadows, roofs, trees; in bands of rows to bound the memory."""

import math
from collections.abc import Iterable

import numpy as np
from PIL import Image, ImageDraw, ImageFilter

from scinet.synthetic.coverage import (
    Rings,
    bounds_in,
    building_shadow,
    coverage,
    crop,
    crown_shadow,
    fill,
    in_rows,
    item_shadow,
    mix,
    read_soft,
    rings_of,
    roof_shadows,
    soft_masks,
    spans,
    subpixels,
    to_pixels,
)
from scinet.synthetic.elements import Building, Item, OpenGround, Plan, Roof, Tree
from scinet.synthetic.noise import Noise, Window, smooth_step

_BAND_PX = 1_500_000
_PENUMBRA_M = 0.09  # blur of a shadow's border

_CELLS_M = (17.0, 4.1, 1.3, 0.4, 0.14, 0.06)


class Painter:
    """Holds what every band needs: noise, soft masks and shadows as outlines."""

    def __init__(self, plan: Plan, seed: int) -> None:
        self.plan = plan
        self.noise = Noise(seed)
        self.soft = soft_masks(plan)
        self.roof_shadows = roof_shadows(plan)
        # From where to where each thing and its shadow may reach, in y: a band looks at its own things only.
        self.spans = {
            "open_ground": spans([ground.polygon for ground in plan.open_ground], 1.0),
            "litter": spans([item.polygon for item in plan.litter], 1.0),
            "standing": spans([item.polygon for item in plan.standing], 3.0),
            "buildings": spans([np.asarray(one.footprint.exterior.coords) for one in plan.buildings], 12.0),
            "trees": spans([np.array([[tree.x, tree.y]]) for tree in plan.trees], 20.0),
        }

    def paint(self, metres_per_px: float, pixels_a_side: int, most_steps: int) -> np.ndarray:
        """uint8 (n, n, 3). Pixels above 10 cm are averages of finer ones, at most `most_steps` a side."""
        steps = int(np.clip(math.ceil(metres_per_px / 0.1 - 0.01), 1, most_steps))
        width = pixels_a_side * steps
        image = np.empty((pixels_a_side, pixels_a_side, 3), np.uint8)
        rows = max(1, _BAND_PX // (width * steps))
        for start in range(0, pixels_a_side, rows):
            stop = min(start + rows, pixels_a_side)
            window = Window(metres_per_px / steps, start * steps, (stop - start) * steps, width)
            canvas = self._band(window)
            if steps > 1:
                canvas = canvas.reshape(3, stop - start, steps, pixels_a_side, steps).mean(axis=(2, 4))
            image[start:stop] = np.clip(canvas + 0.5, 0, 255).astype(np.uint8).transpose(1, 2, 0)
        return image

    def _band(self, window: Window) -> np.ndarray:
        """float32 (3, height, width)."""
        plan = self.plan
        fields = {cell: self.noise.field(window, cell, number) for number, cell in enumerate(_CELLS_M)}
        canvas = self._ground(window, fields)
        for ground in in_rows(plan.open_ground, self.spans["open_ground"], window):
            self._open_ground(canvas, window, fields, ground)
        for item in in_rows(plan.litter, self.spans["litter"], window):
            fill(canvas, window, item.polygon, item.colour)
        near = in_rows(list(enumerate(plan.buildings)), self.spans["buildings"], window)
        standing = in_rows(plan.standing, self.spans["standing"], window)
        trees = in_rows(plan.trees, self.spans["trees"], window)
        self._shadow(canvas, window, (ring for _, one in near for ring in building_shadow(one, self._reach(one))))
        self._shadow(canvas, window, (ring for one in standing for ring in item_shadow(one, self._reach(one))))
        for item in standing:
            fill(canvas, window, item.polygon, item.colour)
        for number, building in near:
            self._roof(canvas, window, fields, building, self.roof_shadows.get(number, []))
        self._shadow(canvas, window, (crown_shadow(tree, self._reach(tree)) for tree in trees))
        for tree in trees:
            self._tree(canvas, window, fields, tree)
        canvas *= 1 + 0.018 * fields[0.06]
        return canvas

    def _reach(self, thing: Building | Item | Tree) -> np.ndarray:
        """Where the shadow of a thing's top falls, metres from it."""
        return -np.array(self.plan.look.sun) * self.plan.look.shadow_per_height * thing.height_m

    def _shadow(self, canvas: np.ndarray, window: Window, rings: Iterable[np.ndarray]) -> None:
        # Drawn a little beyond the band, so that the blur has both sides of the band's border.
        scale, pad = 2, math.ceil(_PENUMBRA_M * 4 / window.metres_per_px) + 1
        wide = Window(window.metres_per_px, window.row - pad, window.height + 2 * pad, window.width)
        mask = Image.new("L", (wide.width * scale, wide.height * scale))
        draw = ImageDraw.Draw(mask)
        for ring in rings:
            pixels = to_pixels(wide, ring)
            if pixels[:, 1].max() > -1 and pixels[:, 1].min() < wide.height + 1:
                draw.polygon(subpixels(pixels, scale), fill=255)
        soft = mask.reduce(scale).filter(ImageFilter.GaussianBlur(_PENUMBRA_M / window.metres_per_px))
        cover = np.asarray(soft, np.float32)[pad:-pad] * (self.plan.look.shadow_strength / 255)
        for channel, tint in enumerate((1.0, 0.97, 0.9)):  # the sky lights a shadow a little blue
            canvas[channel] *= 1 - tint * cover

    # Ground

    def _ground(self, window: Window, fields: dict[float, np.ndarray]) -> np.ndarray:
        look = self.plan.look
        trodden, close, paved, cement = (read_soft(mask, window) for mask in self.soft)
        hills, patches, spots = fields[17.0], fields[4.1], fields[1.3]
        grain = fields[0.4]
        common, light, dark = (np.array(soil, np.float32) for soil in look.soils)
        canvas = np.empty((3, window.height, window.width), np.float32)
        canvas[:] = common[:, None, None]
        lightness = smooth_step(0.7 * hills + 0.6 * patches + 0.25 * spots + 1.4 * trodden, 0.0, 2.4)
        mix(canvas, light, 0.85 * lightness)
        damp = smooth_step(0.9 * patches - 0.6 * hills + 0.45 * spots + 0.2 * grain - 0.7 * trodden, 0.45, 2.1)
        mix(canvas, dark, 0.75 * damp)
        mix(
            canvas,
            np.array(look.climate.grit, np.float32),
            0.5 * smooth_step(0.8 * spots + 0.4 * grain - hills, 0.6, 2.4),
        )
        openness = 1.8 - 2.6 * look.greenness
        green = smooth_step(
            hills + 0.7 * patches + 0.45 * spots + 0.35 * grain - 1.6 * trodden - 0.9 * close,
            openness,
            openness + 0.8,
        )
        grass = np.array(look.climate.grass, np.float32)
        mix(canvas, grass, 0.8 * green)
        ragged = smooth_step(paved + 0.16 * spots + 0.08 * grain, 0.42, 0.6)
        mix(
            canvas,
            np.array(look.asphalt, np.float32),
            ragged * (0.85 - 0.25 * smooth_step(spots + patches, 0, 2)),
        )
        slab = smooth_step(cement + 0.1 * spots, 0.4, 0.6)
        mix(
            canvas,
            np.array(look.climate.slab, np.float32),
            slab * (0.85 - 0.4 * smooth_step(patches + spots, -0.4, 1.8)),
        )
        rough = 1 + (1 - 0.6 * ragged) * (0.04 * spots + 0.05 * grain + 0.05 * fields[0.14] + 0.025 * fields[0.06])
        rough += green * (0.06 * fields[0.14] + 0.06 * grain)
        canvas *= np.clip(rough, 0.3, 2.0) * (1 - 0.42 * np.clip(close, 0, 1))
        return canvas

    def _open_ground(
        self, canvas: np.ndarray, window: Window, fields: dict[float, np.ndarray], ground: OpenGround
    ) -> None:
        patch = coverage(window, [ground.polygon])
        if patch is None:
            return
        rows, columns, cover = patch
        surface, pixel = ground.surface, window.metres_per_px
        spots, grain = fields[1.3][rows, columns], fields[0.4][rows, columns]
        tone = 1 + surface.texture * (0.7 * fields[4.1][rows, columns] + 0.6 * spots + 0.5 * grain)
        if surface.furrow_m > 2 * pixel:
            xs, ys = window.xs(columns.start, columns.stop), window.ys(rows.start, rows.stop)[:, None]
            across = ys * math.cos(ground.angle) - xs * math.sin(ground.angle) + 0.1 * spots
            tone = tone + 2 * surface.texture * np.sin(across * (2 * math.pi / surface.furrow_m))
        for channel in range(3):
            layer = canvas[channel, rows, columns]
            layer += cover * (surface.colour[channel] * tone - layer)

    # Roofs

    def _roof(
        self,
        canvas: np.ndarray,
        window: Window,
        fields: dict[float, np.ndarray],
        building: Building,
        shadows: list[Rings],
    ) -> None:
        patch = coverage(window, [np.asarray(ring.coords) for ring in rings_of(building.footprint)])
        if patch is None:
            return
        rows, columns, cover = patch
        roof, pixel = building.roof, window.metres_per_px
        xs, ys = window.xs(columns.start, columns.stop), window.ys(rows.start, rows.stop)[:, None]
        height, along, across, light = _slopes(building, self.plan.look.sun, xs, ys)
        u, v = along * (1 / roof.sheet_m[0]) + roof.phase[0], across * (1 / roof.sheet_m[1]) + roof.phase[1]
        sheet_u, sheet_v = u.astype(np.int32), v.astype(np.int32)
        # Sheets of one row start a little aside from the row above; the table says which colour each takes.
        which = self.noise.sheets[(sheet_u * 57 + sheet_v * 131) & 4095]
        colour = roof.palette[which & (len(roof.palette) - 1)]
        section = (self.noise.sheets[(sheet_u // 5 * 89 + roof.phase[1]) & 4095] & 7) * (1 / 7) - 0.5
        spots, grain = fields[1.3][rows, columns], fields[0.4][rows, columns]
        tone = (
            1
            + light
            + 0.14 * section
            + 0.05 * grain
            + 0.035 * fields[0.14][rows, columns]
            + 0.02 * fields[0.06][rows, columns]
        )
        self._add_relief(tone, roof, (height, along, across), (v - sheet_v) * roof.sheet_m[1], pixel)
        bias = ((which >> 4) & 15) * (1 / 15) - 0.5
        level = 1.6 - 2.6 * roof.stain_level
        stained = smooth_step(spots + 0.55 * grain + 0.5 * fields[4.1][rows, columns] + 1.1 * bias, level, level + 2.0)
        stained *= 0.7
        tone = np.clip(tone, 0.2, 1.8)
        for outline in shadows:
            shade = coverage(window, outline)
            if shade is not None:
                tone *= 1 - self.plan.look.shadow_strength * crop(shade, rows, columns)
        for channel in range(3):
            layer = canvas[channel, rows, columns]
            base = colour[..., channel]
            layer += cover * ((base + stained * (roof.stain[channel] - base)) * tone - layer)
        for item in building.items:
            if item.height_m > 0:
                for ring in item_shadow(item, self._reach(item)):
                    fill(canvas, window, ring, (30, 26, 22), self.plan.look.shadow_strength)
            fill(canvas, window, item.polygon, item.colour)

    def _add_relief(
        self,
        tone: np.ndarray,
        roof: Roof,
        slope: tuple[np.ndarray, np.ndarray, np.ndarray],
        seam: np.ndarray,
        pixel: float,
    ) -> None:
        """Add ribs and streaks, seams between sheets, a ridge, and the parapet of a flat roof."""
        height, along, across = slope
        if roof.rib > 0:
            tone += roof.rib * self._streaks(along, across, roof.phase[0], pixel)
        if pixel < 0.2:
            tone -= np.where(seam < 0.07, 0.16 if roof.shape != "flat" else 0.05, 0)
            ridge = np.abs(across) if roof.shape == "gable" else np.full_like(across, 9)
            tone += np.where(ridge < 0.12, 0.1, 0)
        if roof.shape == "flat":
            tone += np.where(height < 0.28, 0.14, 0) - np.where((height >= 0.28) & (height < 0.5), 0.2, 0)

    def _streaks(self, along: np.ndarray, across: np.ndarray, phase: int, pixel: float) -> np.ndarray:
        """Ribs and rain streaks: fast along the ridge, slow down the slope."""
        total = np.zeros_like(along)
        for cell, length, share in ((0.12, 2.3, 0.36), (0.36, 4.0, 0.55)):
            fade = min(1.0, 1.3 * cell / pixel) ** 2
            if fade > 0.05:
                u = along * (1 / cell) + 1000
                v = across * (1 / length) + phase
                row, column = v.astype(np.int32), u.astype(np.int32) & 511
                part, flat = v - row, self.noise.lattice.ravel()
                upper = flat[((row & 511) << 9) + column]
                total += share * fade * (upper + part * (flat[(((row + 1) & 511) << 9) + column] - upper))
        return total

    # Trees

    def _tree(self, canvas: np.ndarray, window: Window, fields: dict[float, np.ndarray], tree: Tree) -> None:
        pixel, radius = window.metres_per_px, tree.radius_m * 1.1
        box = np.array([[tree.x - radius, tree.y - radius], [tree.x + radius, tree.y + radius]])
        bounds = bounds_in(window, to_pixels(window, box))
        if bounds is None:
            return
        rows, columns = bounds
        dx = window.xs(columns.start, columns.stop) - tree.x
        dy = window.ys(rows.start, rows.stop)[:, None] - tree.y
        leaves = (
            0.6 * fields[0.4][rows, columns] + 0.8 * fields[0.14][rows, columns] + 0.5 * fields[0.06][rows, columns]
        )
        sun_x, sun_y = self.plan.look.sun
        if tree.palm:
            crown, light = _fronds(tree, dx, dy, self.plan.look.sun)
        else:
            crown = np.full(np.broadcast_shapes(dx.shape, dy.shape), -1.0, np.float32)
            light = np.zeros_like(crown)
            for x, y, size in tree.clumps:
                px, py = (dx - x) / size, (dy - y) / size
                bulge = 1 - px * px - py * py
                higher = bulge > crown
                crown = np.where(higher, bulge, crown)
                light = np.where(higher, 0.30 * (px * sun_x + py * sun_y) + 0.28 * bulge - 0.12, light)
            light = light + 0.16 * (dx * sun_x + dy * sun_y) / tree.radius_m
        soft = max(0.25, pixel / tree.radius_m)
        cover = smooth_step(crown + 0.22 * leaves, 0.1, 0.1 + soft)
        tone = np.clip(1 + light + 0.20 * leaves, 0.25, 1.9)
        for channel in range(3):
            layer = canvas[channel, rows, columns]
            layer += cover * (tree.colour[channel] * tone - layer)


def _fronds(tree: Tree, dx: np.ndarray, dy: np.ndarray, sun: tuple[float, float]) -> tuple[np.ndarray, np.ndarray]:
    """Crown and light of a palm: leaves that bend outward from the middle."""
    crown = np.full(np.broadcast_shapes(dx.shape, dy.shape), -1.0, np.float32)
    light = np.zeros_like(crown)
    for turn, reach, width in tree.clumps:
        along = (dx * math.cos(turn) + dy * math.sin(turn)) / reach
        across = np.abs(dy * math.cos(turn) - dx * math.sin(turn)) / (reach * width)
        leaf = np.where((along > 0) & (along < 1), 1 - across - np.clip(along, 0, 1) ** 3, -1.0)
        higher = leaf > crown
        crown = np.where(higher, leaf, crown)
        facing = math.cos(turn) * sun[0] + math.sin(turn) * sun[1]
        light = np.where(higher, 0.25 * facing + 0.3 * np.clip(leaf, 0, 1) - 0.1, light)
    return crown, light


def _slopes(
    building: Building, sun: tuple[float, float], xs: np.ndarray, ys: np.ndarray
) -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]:
    """Height over the eaves, metres along the ridge and from the ridge, and light, float32 arrays.

    Roofs of several wings meet where they are equally high: the roof is the highest of them.
    """
    best: tuple[np.ndarray, ...] | None = None
    shape, contrast = building.roof.shape, building.roof.contrast
    for wing in building.wings:
        cos, sin = np.float32(math.cos(wing.angle)), np.float32(math.sin(wing.angle))
        u = (xs - wing.x) * cos + (ys - wing.y) * sin
        v = (ys - wing.y) * cos - (xs - wing.x) * sin
        side, end = wing.half_width - np.abs(v), wing.half_length - np.abs(u)
        lit_side = contrast * float(cos * sun[1] - sin * sun[0])
        lit_end = contrast * float(cos * sun[0] + sin * sun[1])
        if shape == "hip":
            on_end = end < side
            one = (
                np.minimum(side, end),
                np.where(on_end, v, u),
                np.where(on_end, u, v),
                np.where(on_end, np.sign(u) * lit_end, np.sign(v) * lit_side),
            )
        elif shape == "flat":
            one = (np.minimum(side, end), u, v, np.zeros_like(u))
        else:
            light = np.full_like(u, lit_side) if shape == "mono" else np.where(v > 0, lit_side, -lit_side)
            one = (np.minimum(side, 50 * end), u, v, light.astype(np.float32))
        if best is None:
            best = one
        else:
            higher = one[0] > best[0]
            best = tuple(np.where(higher, new, old) for new, old in zip(one, best, strict=True))
    assert best is not None
    height, along, across, light = best
    return height, along, across, light
