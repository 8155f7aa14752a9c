// The contents of the app's folium map: cells, each with images, outlines and a label, on one map with a divider, on
// two maps or on a grid of many. pages/map/view.py builds the map, which calls scinetMap.open once; stage.js calls
// scinetMap.show with the whole state whenever it changes. Only what differs is updated, so the view and the divider
// survive a step of the slider.
(() => {
  "use strict";

  const SWIPE = "swipe";
  const CAPTION_PX = { wide: 24, narrow: 40 };   // of one line, and of two
  const WIDE_PX = 250;                           // of a cell whose caption is one line
  const FOOT_PX = { wide: 34, phone: 76 };       // below a grid: legend and tools beside or above one another
  const PHONE_PX = 480;
  const LEAST_PX = 40;

  const TILES = "https://tile.openstreetmap.org/{z}/{x}/{y}.png";

  // Leaflet would show tooltips on focus too, which makes each of hundreds of outlines a stop of the Tab key.
  L.Path.include({ _addFocusListeners() {} });

  const escape = (text) => Object.assign(document.createElement("i"), { textContent: text }).innerHTML;

  let map = null;         // the first one, which folium has made
  let frame = null;       // what it was built for: bounds, id
  let grid = null;        // all maps, in step
  let swipe = null;       // the divider, where two cells share the map
  let divider = 0.5;      // its position, or its last one
  let tools = [];         // the controls at the bottom right
  let leastZoom = 0;      // of the map as it was built; `fit` allows no smaller image than fits
  let touched = false;    // the user has moved the map: no refit on resize
  let slots = [];         // where cells are drawn
  let arranged = "";      // what the slots were made for
  let sent = null;        // the state as Python has made it
  let state = null;       // as it is shown
  let legend = null;
  let foot = null;        // the line below a grid, with legend and tools
  let marks = [];         // the lines around the target
  let marked = null;      // the target's id
  let areas = [];         // the lines around the area of interest, and the shade outside it
  let areaShown;          // what they were drawn for
  let sizes = null;       // watches the frame's size
  let flown = null;       // the id of the last target that was flown to

  // ---- the view survives a remount of this page
  const memory = {
    save() {
      const c = map.getCenter();
      const view = { id: frame.id, at: [c.lat, c.lng], zoom: map.getZoom(), divider, touched, flown };
      try { sessionStorage.setItem("scinet-view", JSON.stringify(view)); } catch { /* storage refused */ }
    },
    load() {
      try { return JSON.parse(sessionStorage.getItem("scinet-view")) ?? {}; } catch { return {}; }
    },
  };

  function open(leafletMap, next) {
    map = leafletMap;
    frame = next;
    leastZoom = map.options.minZoom;
    document.body.classList.add("fills-frame");
    map.getContainer().setAttribute("role", "application");
    map.getContainer().setAttribute("aria-label", "Map: arrow keys move it, + and - zoom");
    const former = memory.load();
    slots = [];
    arranged = "";
    sent = state = null;
    swipe = null;
    grid = new L.Grid(map);
    grid.box.querySelectorAll(".cell, .caption, .legend, .foot").forEach((element) => element.remove());
    tools = [
      L.control.zoom({ position: "bottomright" }), fitButton(), scinetPresent.buttons(), areaButtons(),
      L.control.scale({ position: "bottomright", imperial: false, maxWidth: 110 }),
    ];
    legend = L.DomUtil.create("div", "legend");
    foot = L.DomUtil.create("div", "foot");
    fit();
    const restore = former.id === frame.id && former.touched;
    if (restore) map.setView(former.at, former.zoom, { animate: false });
    touched = restore;
    flown = former.id === frame.id ? former.flown : null;
    marks = [];
    marked = null;
    areas = [];
    areaShown = undefined;
    scinetDraw.end();
    addMarkPane(map);
    divider = former.divider ?? 0.5;
    for (const name of ["mousedown", "wheel", "keydown", "touchstart"]) {
      addEventListener(name, () => { touched = true; }, { passive: true });
    }
    map.on("moveend zoomend", () => { crispness(); memory.save(); });
    addEventListener("pagehide", memory.save);
    guardWheel();
    watchSize();
    scinetPresent.onChange(() => sent && show(sent));
    scinetStage.attach(show);
  }

  function fit() {
    const { x, y } = map.getSize();
    if (x < LEAST_PX || y < LEAST_PX) {   // a frame that has no size yet
      map.setView(L.latLngBounds(frame.bounds).getCenter(), 1, { animate: false });
      return;
    }
    limitZoom();
    map.fitBounds(frame.bounds, { animate: false, padding: paddingOfFit() });
    for (const each of grid.maps) each.setMaxBounds(L.latLngBounds(frame.bounds).pad(1));
  }

  const paddingOfFit = () => grid.maps.length > 2 ? [1, 1] : [6, 6];

  // The image is never smaller than it fits.
  function limitZoom() {
    map.options.minZoom = leastZoom;   // or it would bound what is asked for next
    const padding = L.point(paddingOfFit()).multiplyBy(2);
    const least = map.getBoundsZoom(frame.bounds, false, padding);
    for (const each of grid.maps) each.setMinZoom(least);
  }

  // The wheel scrolls the page, as everywhere else on it; with Ctrl or Cmd it zooms the map.
  function guardWheel() {
    if (document.querySelector(".wheel-hint")) return;   // a new image in the same frame
    const key = /Mac|iPhone|iPad/.test(navigator.platform) ? "\u2318" : "Ctrl";
    const hint = L.DomUtil.create("div", "wheel-hint", document.body);
    hint.textContent = `${key} + wheel zooms the map`;
    let timer = 0;
    document.addEventListener("wheel", (event) => {
      if (event.ctrlKey || event.metaKey) return;
      event.stopPropagation();
      hint.classList.add("shown");
      clearTimeout(timer);
      timer = setTimeout(() => hint.classList.remove("shown"), 1200);
    }, { capture: true, passive: true });
  }

  const fitButton = () => Object.assign(L.control({ position: "bottomright" }), {
    onAdd() {
      const bar = L.DomUtil.create("div", "leaflet-bar");
      const a = L.DomUtil.create("a", "fit", bar);
      a.href = "#";
      a.title = "Show the whole image";
      a.setAttribute("role", "button");
      a.setAttribute("aria-label", a.title);
      a.innerHTML = "&#x2922;";
      L.DomEvent.disableClickPropagation(bar);
      L.DomEvent.on(a, "click", (e) => { L.DomEvent.preventDefault(e); fit(); });
      return bar;
    },
  });

  const icon = (shape) =>
    `<svg viewBox="0 0 16 16" width="14" height="14" fill="none" stroke="currentColor" stroke-width="1.8">${shape}</svg>`;

  const areaButtons = () => {
    const draw = (kind) => () =>
      scinetDraw.begin(kind, grid.maps, (corners) => scinetDraw.send({ drawing: corners, at: Date.now() }));
    return scinetDraw.bar(
      ["rectangle", icon('<path d="M2 4h12v8H2z"/>'), "Area of interest: draw a rectangle", draw("rectangle")],
      ["polygon", icon('<path d="M8 2l6 5-2.5 7h-7L2 7z"/>'), "Area of interest: draw a polygon", draw("polygon")],
      ["remove", "&#x2715;", "Remove the area of interest", () => scinetDraw.send({ drawing: null, at: Date.now() })],
    );
  };

  function addMarkPane(target) {
    L.extend(target.createPane("mark").style, { zIndex: 450, pointerEvents: "none" });
  }

  // ---- slots: the two sides of one map, or a map for each cell

  function arrange(compare, count) {
    const next = `${compare} ${count}`;
    if (next === arranged) return;
    arranged = next;
    slots.forEach(clear);
    marks.splice(0).forEach((mark) => mark.remove());
    marked = null;
    areas.splice(0).forEach((line) => line.remove());
    areaShown = undefined;
    scinetDraw.end();
    tools.forEach((tool) => tool._map && tool.remove());
    if (swipe) swipe.remove();
    swipe = null;
    const many = compare !== SWIPE && count > 2;
    grid.resize(compare === SWIPE ? 1 : count, (added) => {
      addMarkPane(added);
      added.on("moveend zoomend", crispness);
    });
    slots = Array.from({ length: count }, (_, i) => {
      const on = compare === SWIPE ? map : grid.maps[i];
      const name = many ? "cell" : i ? "right" : "left";
      if (!on.getPane(name)) on.createPane(name).style.zIndex = 400;
      on.options.preferCanvas = many;   // the outlines of nine maps are too many elements
      const label = many ? L.DomUtil.create("div", "caption", grid.box)
        : L.DomUtil.create("div", `side-title ${name}`, on.getContainer());
      return { map: on, pane: name, label, images: {}, shapes: { components: {}, truth: {} }, outcomes: null, outcomesUrl: null };
    });
    if (compare === SWIPE) {
      swipe = L.control.swipe({ at: divider, onchange: (at) => { divider = at; fadeTitles(); } }).addTo(map);
    }
    foot.remove();
    if (many) grid.box.append(foot);
    (many ? foot : map.getContainer()).append(legend);
    layOut();
    for (const tool of tools) {
      tool.addTo(grid.maps.at(-1));
      if (many) foot.append(tool.getContainer());
    }
    if (touched) limitZoom();
    else fit();
  }

  function clear(slot) {
    Object.values(slot.images).flat().forEach((overlay) => overlay.remove());
    Object.values(slot.shapes).forEach((shapes) => { shapes.url = undefined; shapes.layer?.remove(); });
    slot.label.remove();
  }

  // Rows and columns in which the image is largest; on a phone two columns, as high as they need.
  function layOut() {
    const count = grid.maps.length;
    const many = count > 2;
    grid.box.classList.toggle("paired", count === 2);
    grid.box.classList.toggle("grid", many);
    const [southWest, northEast] = frame.bounds.map((corner) => map.project(corner, 0));
    const aspect = Math.abs((northEast.x - southWest.x) / (northEast.y - southWest.y));
    const isPhone = innerWidth <= PHONE_PX;
    const columns = !many ? count : isPhone ? 2
      : L.Grid.columns(count, innerWidth, innerHeight - FOOT_PX.wide, aspect, CAPTION_PX.wide);
    const rows = Math.ceil(count / columns);
    const isNarrow = innerWidth / columns < WIDE_PX;
    const captionPx = isNarrow ? CAPTION_PX.narrow : CAPTION_PX.wide;
    const footPx = isPhone ? FOOT_PX.phone : FOOT_PX.wide;
    grid.box.classList.toggle("narrow", isNarrow);
    for (const [name, value] of Object.entries({ columns, rows, caption: `${captionPx}px`, foot: `${footPx}px` })) {
      grid.box.style.setProperty(`--${name}`, value);
    }
    grid.maps.forEach((each, i) => place(each.getContainer(), many, 2 * Math.floor(i / columns) + 1, i % columns + 1));
    if (many) slots.forEach(({ label }, i) => place(label, many, 2 * Math.floor(i / columns) + 2, i % columns + 1));
    scinetStage.resize(many && isPhone ? rows * (innerWidth / 2 / aspect + captionPx) + footPx : null);
    grid.measure();
  }

  function place(element, many, row, column) {
    Object.assign(element.style, many ? { gridRow: row, gridColumn: column } : { gridRow: "", gridColumn: "" });
  }

  // A title disappears when the divider leaves no room for it.
  function fadeTitles() {
    if (!swipe || slots.length < 2) return;
    slots[0].label.style.opacity = divider < 0.14 ? 0 : 1;
    slots[1].label.style.opacity = divider > 0.86 ? 0 : 1;
  }

  // Coarse pixels are shown as pixels; fine ones are averaged by the browser.
  function crispness() {
    for (const overlay of slots.flatMap((slot) => Object.values(slot.images).flat())) {
      const img = overlay.getElement();
      if (img) img.classList.toggle("crisp", img.width > img.naturalWidth);
    }
  }

  // The former image stays until the next one is there: no flicker between slider steps.
  function showImage(slot, name, image, opacity) {
    const stack = (slot.images[name] ??= []);
    if (!image) {
      stack.splice(0).forEach((overlay) => overlay.remove());
      return;
    }
    const key = JSON.stringify([image.url, image.bounds]);
    const top = stack.at(-1);
    if (top && top.key === key) {
      top.setOpacity(opacity);
      return;
    }
    const overlay = L.imageOverlay(scinetStage.local(image.url), image.bounds, {
      pane: slot.pane, alt: image.alt, zIndex: name === "base" ? 1 : 2, className: `slot-${name}`, opacity,
    });
    overlay.key = key;
    stack.push(overlay);
    const settle = () => {
      while (stack.length && stack[0] !== overlay) stack.shift().remove();
      crispness();
    };
    overlay.on("load error", settle);
    overlay.addTo(slot.map);
  }

  // ---- outlines: those of reference buildings stay at every step; their outcomes and the components change

  async function showShapes(slot, name, url, style) {
    const shapes = slot.shapes[name];
    if (shapes.url === url) return;
    shapes.url = url;
    const data = url ? await scinetStage.load(url) : null;
    if (shapes.url !== url) return;   // a later state came in between
    if (shapes.layer) shapes.layer.remove();
    shapes.layer = data && L.geoJSON(data, { pane: slot.pane, style, onEachFeature: (_, shape) => explain(shape, slot, name) });
    if (!shapes.layer) return;
    shapes.layer.addTo(slot.map);
    if (name === "components") shapes.layer.bringToBack();
  }

  async function showOutcomes(slot, url) {
    if (slot.outcomesUrl !== url) {
      slot.outcomesUrl = url;
      const outcomes = url ? await scinetStage.load(url) : null;
      if (slot.outcomesUrl !== url) return;
      slot.outcomes = outcomes;
    }
    slot.shapes.truth.layer?.setStyle(styleOf(slot, "truth"));
  }

  // Colour, title and rows of a shape: a component's are its properties, a building's are its outcome in the mask.
  function factsOf(slot, name, { properties }) {
    if (name === "components") return properties;
    return slot.outcomes ? slot.outcomes[properties.id] ?? frame.tooSmall : frame.withoutOutcome;
  }

  const styleOf = (slot, name) => (feature) => {
    const facts = factsOf(slot, name, feature);
    const { line } = state;
    const isReference = slot.kind === "reference";
    return {
      color: (name === "truth" && !isReference && line.plain) || facts.colour,
      weight: name === "truth" ? (slot.pane === "cell" ? 1 : line.weight) : facts.weight,
      opacity: name === "truth" && !isReference && !line.shown ? 0 : 0.95,
      dashArray: facts.dash ?? null, fill: true, fillOpacity: isReference ? 0.45 : 0, className: "outline",
    };
  };

  function explain(shape, slot, name) {
    if (name === "components" && !shape.feature.properties.title) return;
    shape.bindTooltip(() => {
      const { colour, dot, title, rows } = factsOf(slot, name, shape.feature);
      const lines = rows.map(([k, v]) => `<tr><td>${escape(k)}</td><td>${escape(v)}</td></tr>`).join("");
      return `<b><i style="background:${escape(dot ?? colour)}"></i>${escape(title)}</b><table>${lines}</table>`;
    }, { sticky: true, className: "tip", opacity: 1 });
    shape.on("mouseover", () => shape.setStyle({ weight: styleOf(slot, name)(shape.feature).weight + 1.5 }));
    shape.on("mouseout", () => shape.setStyle(styleOf(slot, name)(shape.feature)));
  }

  // Marks the target above all cells, and flies to it if it is new.
  async function showTarget(target) {
    const id = target ? target.id : null;
    if (marked === id) return;
    marked = id;
    const data = target && await scinetStage.load(target.url);
    if (marked !== id) return;
    marks.splice(0).forEach((mark) => mark.remove());
    if (!data || !data.features.length) return;
    const drawn = (style) => L.geoJSON(data, { pane: "mark", interactive: false, style: { fill: false, ...style } });
    for (const each of grid.maps) {
      marks.push(drawn({ color: "#10151b", weight: 9, opacity: 0.75 }).addTo(each));
      marks.push(drawn({ color: "#fff", weight: 4, className: "mark" }).addTo(each));
    }
    if (flown === id) return;
    flown = id;
    touched = true;
    fly(marks[0].getBounds(), slots.findIndex(({ title }) => title === target.model));
  }

  // The area of interest: a line around it, and shade on what does not count.
  async function showArea(area) {
    const url = area?.url ?? null;
    if (areaShown === url) return;
    areaShown = url;
    const data = url && await scinetStage.load(url);
    if (areaShown !== url) return;
    areas.splice(0).forEach((line) => line.remove());
    document.body.classList.toggle("drawn-area", Boolean(area?.drawn));
    if (!data) return;
    const { _southWest: a, _northEast: b } = L.latLngBounds(frame.bounds).pad(2);
    const around = [a, [a.lat, b.lng], b, [b.lat, a.lng]];
    const rings = data.features.flatMap(({ geometry: { type, coordinates } }) =>
      type === "Polygon" ? coordinates : coordinates.flat());
    const holes = rings.map((ring) => L.GeoJSON.coordsToLatLngs(ring));
    const style = { pane: "mark", interactive: false };
    for (const each of grid.maps) {
      areas.push(L.polygon([around, ...holes], { ...style, stroke: false, fillColor: "#0b0f14", fillOpacity: 0.55 }).addTo(each));
      areas.push(L.polygon(holes, { ...style, color: "#ffd23f", weight: 2, dashArray: "6 4", fill: false, className: "area" }).addTo(each));
    }
  }

  // Close enough to see the building, far enough to see where it stands; in the middle of its side of the divider.
  function fly(bounds, side) {
    const closest = map.getBoundsZoom(frame.bounds) + 3;
    const still = matchMedia("(prefers-reduced-motion: reduce)").matches;
    const options = { maxZoom: closest, duration: 0.9, animate: !still, ...besides(side) };
    grid.flyToBounds(bounds.pad(swipe ? 0.4 : 1), options);
  }

  // The padding that keeps a flight off the other side of the divider.
  function besides(side) {
    if (!swipe || side < 0) return {};
    const share = side === 0 ? divider : 1 - divider;
    if (share < 0.25) swipe.set(0.5);
    const { x } = map.getSize();
    return side === 0 ? { paddingBottomRight: [x * (1 - divider), 0] } : { paddingTopLeft: [x * divider, 0] };
  }

  // Nothing is fetched from outside unless the user has switched it on.
  function showBaseMap(isOn) {
    for (const each of grid.maps) {
      if (Boolean(each.tiles) === isOn) continue;
      each.tiles?.remove();
      each.tiles = isOn ? L.tileLayer(TILES, { maxNativeZoom: 19, maxZoom: 27 }).addTo(each) : null;
    }
  }

  const ramp = ({ title, ramp: colours, end, threshold }) =>
    `<span class="ramp">${escape(title)} <small>0</small><u style="background:linear-gradient(to right,${
      colours.map(escape).join()})">${threshold ? `<b style="left:${100 * threshold}%"></b>` : ""}</u><small>${escape(end)}</small>` +
    `${threshold ? `<small class="threshold">threshold ${threshold.toFixed(2)}</small>` : ""}</span>`;

  function showLegend(items) {
    const credit = state.baseMap ? "<span>Base map &copy; OpenStreetMap contributors</span>" : "";
    legend.innerHTML = credit + items.map((item) => item.ramp ? ramp(item) :
      `<span><i style="background:${escape(item.colour)}"></i>${escape(item.title)}</span>`).join("");
    legend.style.display = legend.innerHTML ? "" : "none";
  }

  function label(slot, cell) {
    const number = slot.number ? ` data-number="${slot.number}"` : "";
    slot.label.innerHTML = `<b${number}>${escape(cell.title)}</b>${cell.note ? ` <span>${escape(cell.note)}</span>` : ""}`;
    slot.label.title = slot.label.textContent;
    slot.label.classList.toggle("waiting", cell.waits);
  }

  // `pictures`: only these, for the steps that a slider passes while it is dragged.
  function show(next, pictures = false) {
    sent = next;
    state = scinetPresent.chosen(next);
    const { cells, sides, compare } = state;
    const models = next.cells.filter(({ kind }) => kind === "model").map(({ title }) => title);
    document.body.dataset.step = state.step;
    const shown = compare === "all" ? cells : sides.map((side) => cells[side]);
    arrange(compare, shown.length);
    slots.forEach((slot, i) => {
      const cell = shown[i];
      Object.assign(slot, { title: cell.title, kind: cell.kind, number: models.indexOf(cell.title) + 1 });
      label(slot, cell);
      showImage(slot, "base", cell.base, 1);
      showImage(slot, "overlay", cell.overlay, state.opacity);
      if (pictures) return;
      const truth = cell.kind === "image" && compare === "all" ? null : state.truth;
      showShapes(slot, "components", cell.components, styleOf(slot, "components")).catch(console.error);
      showShapes(slot, "truth", truth, styleOf(slot, "truth")).catch(console.error);
      showOutcomes(slot, cell.outcomes).catch(console.error);
    });
    fadeTitles();
    showBaseMap(state.baseMap);
    showLegend(state.legend);
    showTarget(state.target).catch(console.error);
    showArea(state.area).catch(console.error);
  }

  function watchSize() {
    sizes?.disconnect();
    sizes = new ResizeObserver(() => {
      if (map.getContainer().clientWidth < LEAST_PX) return;   // a page or dialog that opens or closes: no size to fit to
      layOut();
      if (touched) limitZoom();
      else fit();
      if (swipe) swipe.clip();
    });
    for (const element of [grid.box, map.getContainer()]) sizes.observe(element);
  }

  window.scinetMap = { open };
})();
