"""The dialog with the published scenes on a map of the world, as another way to use the selectbox."""

import json
from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass, replace
from html import escape
from math import ceil, hypot
from statistics import mean

import folium
import streamlit as st
from streamlit_folium import st_folium

from pages.app.state import session
from pages.map.leaflet import FOLDER, Fit, use_local_files
from pages.sources.dialog import close_dialog
from scinet.datasets.open_cities import PublishedScene

HEIGHT_PX = 440
CHIP_PX = (34, 20)
NAME_PX = 17
NEAR_DEGREES = 2.0
MIN_ZOOM = 3.25  # below it, the chips of two cities overlap
# Fine to coarse: each colour applies below so many cm/px.
COLOURS = ((3.0, "#fde725"), (5.0, "#7ad151"), (7.0, "#22a884"), (9.0, "#4aa3c0"), (15.0, "#8f9be0"), (99.0, "#d38be0"))


@st.dialog("Scenes of the Open Cities AI Challenge", width="large", on_dismiss=close_dialog)
def show_world(scenes: Sequence[PublishedScene], on_disk: Collection[str], chosen: str) -> None:
    """Draw the dialog: a click on a scene chooses it."""
    st.caption(
        f"The native resolutions, in cm/px, of the {len(scenes)} scenes of tier 1. "
        "Those with a white frame are in the folder. Click one to choose it."
    )
    found = st_folium(
        _world(scenes, on_disk, chosen),
        key="world_map",
        height=HEIGHT_PX,
        use_container_width=True,
        returned_objects=["last_object_clicked_tooltip"],
    )
    clicked = (found or {}).get("last_object_clicked_tooltip")
    if clicked is None or clicked == session().world_click:
        return
    session().world_click = clicked
    for scene in scenes:
        if scene.id in clicked:
            session().world_scene = scene.id
            close_dialog()
            st.rerun()


def _world(scenes: Sequence[PublishedScene], on_disk: Collection[str], chosen: str) -> folium.Map:
    world = folium.Map(
        location=[3, 15],
        tiles=None,
        minZoom=1,
        maxZoom=7,
        zoomSnap=0.25,
        attributionControl=False,
    )
    use_local_files(world, "pick")
    land = json.loads((FOLDER / "land.geojson").read_text(encoding="utf-8"))
    style = {"color": "#3a4756", "weight": 1, "fillColor": "#1f2933", "fillOpacity": 1, "interactive": False}
    folium.GeoJson(land, style_function=lambda _: style).add_to(world)
    for block in _blocks(scenes):
        for marker in block.markers(on_disk, chosen):
            marker.add_to(world)
    latitudes = [scene.latitude for scene in scenes]
    longitudes = [scene.longitude for scene in scenes]
    corners = [[min(latitudes), min(longitudes)], [max(latitudes), max(longitudes)]]
    world.add_child(Fit(corners, (50, 20, 85, 190), MIN_ZOOM))
    return world


@dataclass(frozen=True)
class _Block:
    """A city's scenes as rows of chips below its name, as they are all at one place on a map of the world.

    The block begins `top_px` below that place.
    """

    scenes: tuple[PublishedScene, ...]
    top_px: int

    @property
    def latitude(self) -> float:
        return mean(scene.latitude for scene in self.scenes)

    @property
    def longitude(self) -> float:
        return mean(scene.longitude for scene in self.scenes)

    @property
    def columns(self) -> int:
        return 2 if len(self.scenes) <= 4 else 4

    @property
    def bottom_px(self) -> int:
        return self.top_px + NAME_PX + CHIP_PX[1] * ceil(len(self.scenes) / self.columns)

    def markers(self, on_disk: Collection[str], chosen: str) -> Iterator[folium.Marker]:
        left_px = -CHIP_PX[0] * min(self.columns, len(self.scenes)) // 2
        name = f'<div class="city-name">{escape(self.scenes[0].city)}</div>'
        yield self._marker(name, (120, NAME_PX), (-60, self.top_px), interactive=False)
        for i, scene in enumerate(self.scenes):
            kinds = f"chip{' here' * (scene.id in on_disk)}{' chosen' * (scene.id == chosen)}"
            html = f'<div class="{kinds}" style="background:{_colour(scene)}">{scene.cm_per_px:.2g}</div>'
            row, column = divmod(i, self.columns)
            corner = left_px + CHIP_PX[0] * column, self.top_px + NAME_PX + CHIP_PX[1] * row
            marker = self._marker(html, CHIP_PX, corner)
            marker.add_child(folium.Tooltip(_facts(scene, scene.id in on_disk), style="font-size:13px"))  # type: ignore[no-untyped-call, unused-ignore]
            yield marker

    def _marker(
        self, html: str, size: tuple[int, int], corner: tuple[int, int], interactive: bool = True
    ) -> folium.Marker:
        icon = folium.DivIcon(html=html, icon_size=size, icon_anchor=(-corner[0], -corner[1]), class_name="bare")
        return folium.Marker([self.latitude, self.longitude], icon=icon, keyboard=False, interactive=interactive)


def _blocks(scenes: Sequence[PublishedScene]) -> list[_Block]:
    """One block per city, finest scene first; a city just south of another goes below it."""
    by_city: dict[str, list[PublishedScene]] = {}
    for scene in sorted(scenes, key=lambda scene: -scene.latitude):
        by_city.setdefault(scene.city, []).append(scene)
    blocks: list[_Block] = []
    for members in by_city.values():
        block = _Block(tuple(sorted(members, key=lambda scene: scene.cm_per_px)), 0)
        tops = [
            other.bottom_px
            for other in blocks
            if hypot(other.latitude - block.latitude, other.longitude - block.longitude) < NEAR_DEGREES
        ]
        blocks.append(replace(block, top_px=max(tops, default=0)))
    return blocks


def _colour(scene: PublishedScene) -> str:
    return next(colour for limit, colour in COLOURS if scene.cm_per_px < limit)


def _facts(scene: PublishedScene, here: bool) -> str:
    return (
        f"{escape(scene.city)}, {scene.id}<br>{scene.cm_per_px:.2f} cm/px, {scene.width} × {scene.height} px, "
        f"about {scene.about_gb:.2g} GB{', in the folder' if here else ''}"
    )
