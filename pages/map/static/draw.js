// Drawing on Leaflet maps in step: a rectangle or a polygon as the area of interest, or a line of known length. One
// drawing at a time, by pointer or by keys: arrows move a cross, Enter sets a point, twice at one place ends a polygon.
(() => {
  "use strict";

  const HINTS = {
    rectangle: "Set two opposite corners",
    polygon: "Set the corners; double-click or Enter twice ends",
    line: "Set the two ends",
  };
  const LEAST = { rectangle: 2, polygon: 3, line: 2 };
  const SAME_PX = 6;            // points that are nearer to one another are one
  const STEP_PX = 8;            // of an arrow key; with Shift five times as much
  const STYLE = { color: "#ffd23f", weight: 3, fillOpacity: 0.12, interactive: false };

  let drawing = null;           // what is being drawn: kind, points, cross, done

  const hint = () => document.querySelector(".draw-hint") ?? L.DomUtil.create("div", "draw-hint", document.body);

  // Begin a drawing on maps that show the same; `done` gets its corners [latitude, longitude].
  function begin(kind, maps, done) {
    end();
    drawing = { kind, maps, done, points: [], cross: null, shapes: [], pressed: null, switchedOff: [] };
    for (const map of maps) {
      for (const name of ["dragging", "doubleClickZoom", "keyboard", "boxZoom"]) {
        if (!map[name]?.enabled()) continue;
        map[name].disable();
        drawing.switchedOff.push(map[name]);
      }
      map.on(listeners);
    }
    document.body.classList.add("drawing");
    const text = hint();
    text.setAttribute("role", "status");
    text.textContent = `${HINTS[kind]}. Keys: arrows and Enter, Esc cancels.`;
    maps[0].getContainer().focus({ preventScroll: true });
  }

  function end() {
    if (!drawing) return;
    const { maps, shapes, switchedOff } = drawing;
    shapes.forEach((shape) => shape.remove());
    switchedOff.forEach((handler) => handler.enable());
    maps.forEach((map) => map.off(listeners));
    drawing = null;
    document.body.classList.remove("drawing");
    document.querySelector(".draw-hint")?.remove();
  }

  const isNear = (a, b) => {
    const [map] = drawing.maps;
    return map.latLngToContainerPoint(a).distanceTo(map.latLngToContainerPoint(b)) < SAME_PX;
  };

  function set(point) {
    const { kind, points } = drawing;
    const repeated = points.length > 0 && isNear(point, points.at(-1));
    const closes = kind === "polygon" && points.length >= LEAST.polygon && (repeated || isNear(point, points[0]));
    if (!repeated && !closes) points.push(point);
    if (closes || (kind !== "polygon" && points.length === LEAST[kind])) finish();
    else redraw();
  }

  function finish() {
    const { done } = drawing;
    ignoreDoubleClick();
    const corners = cornersOf(drawing.points).map(({ lat, lng }) => [lat, lng]);
    end();
    done(corners);
  }

  // A double-click that ends a drawing would zoom the map too.
  function ignoreDoubleClick() {
    const stop = (event) => event.stopPropagation();
    document.addEventListener("dblclick", stop, true);
    setTimeout(() => document.removeEventListener("dblclick", stop, true), 500);
  }

  function cornersOf(points) {
    if (drawing.kind !== "rectangle" || points.length < 2) return points;
    const [a, b] = points;
    return [a, L.latLng(a.lat, b.lng), b, L.latLng(b.lat, a.lng)];
  }

  function redraw() {
    const { kind, points, cross, maps, shapes } = drawing;
    shapes.splice(0).forEach((shape) => shape.remove());
    const corners = cornersOf(cross ? [...points, cross] : points);
    const isOpen = kind === "line" || corners.length < 3;
    for (const map of maps) {
      const style = { ...STYLE, pane: map.getPane("mark") ? "mark" : "overlayPane" };
      if (corners.length > 1) shapes.push((isOpen ? L.polyline : L.polygon)(corners, style).addTo(map));
      for (const point of points) shapes.push(L.circleMarker(point, { ...style, radius: 4, fillOpacity: 1 }).addTo(map));
      if (cross) shapes.push(L.circleMarker(cross, { ...style, radius: 7 }).addTo(map));
    }
  }

  const listeners = {
    click({ latlng }) { if (drawing) set(latlng); },
    mousemove({ latlng }) {
      if (!drawing) return;
      drawing.cross = latlng;
      redraw();
    },
    // A rectangle can be dragged too: the pointer is pressed at a corner, and let go at the opposite one
    mousedown({ latlng }) { if (drawing?.kind === "rectangle" && !drawing.points.length) drawing.pressed = latlng; },
    mouseup({ latlng }) {
      const from = drawing?.pressed;
      if (!from) return;
      drawing.pressed = null;
      if (isNear(from, latlng)) return;   // a click, which sets one corner
      drawing.points = [from, latlng];
      finish();
    },
  };

  const ARROWS = { ArrowLeft: [-1, 0], ArrowRight: [1, 0], ArrowUp: [0, -1], ArrowDown: [0, 1] };

  function key(event) {
    if (!drawing) return;
    const [map] = drawing.maps;
    if (event.key === "Escape") end();
    else if (event.key === "Backspace") {
      drawing.points.pop();
      redraw();
    } else if (event.key === "Enter" || event.key === " ") {
      set(drawing.cross ?? map.getCenter());
    } else if (ARROWS[event.key]) {
      const step = L.point(ARROWS[event.key]).multiplyBy(event.shiftKey ? 5 * STEP_PX : STEP_PX);
      const from = map.latLngToContainerPoint(drawing.cross ?? map.getCenter());
      drawing.cross = map.containerPointToLatLng(from.add(step));
      redraw();
    } else return;
    event.preventDefault();
    event.stopImmediatePropagation();
  }

  document.addEventListener("keydown", key, true);

  // Hand a value to Python, as Streamlit's components do.
  function send(value) {
    parent.postMessage({ isStreamlitMessage: true, type: "streamlit:setComponentValue", dataType: "json", value }, "*");
  }

  // Buttons, as a control of a map: [class, sign, title, action].
  const bar = (...buttons) => Object.assign(L.control({ position: "bottomright" }), {
    onAdd() {
      const element = L.DomUtil.create("div", "leaflet-bar draw-bar");
      for (const [name, sign, title, action] of buttons) {
        const a = L.DomUtil.create("a", name, element);
        Object.assign(a, { href: "#", title, innerHTML: sign });
        a.setAttribute("role", "button");
        a.setAttribute("aria-label", title);
        L.DomEvent.on(a, "click", (e) => { L.DomEvent.preventDefault(e); action(); });
      }
      L.DomEvent.disableClickPropagation(element);
      return element;
    },
  });

  // A tool for a line of known length, which begins at once: each line replaces the one before.
  function measure(map) {
    let line = null;
    const draw = () => begin("line", [map], (ends) => {
      line?.remove();
      line = L.polyline(ends, STYLE).addTo(map);
      send({ drawing: ends, at: Date.now() });
    });
    const icon = '<svg viewBox="0 0 16 16" width="14" height="14" stroke="currentColor" stroke-width="2"><path d="M2 14L14 2"/></svg>';
    bar(["line", icon, "Draw a line", draw]).addTo(map);
    draw();
  }

  window.scinetDraw = { begin, end, send, bar, measure };
})();
