// The contents of the app's folium map: two sides, swiped or side by side, each with images, outlines and a title.
// pages/map/view.py builds the map and calls scinetMap.open once and scinetMap.show on every run with the
// whole state; only what differs is updated, so the view and the divider survive a step of the slider.
(() => {
  "use strict";

  const SIDES = ["left", "right"];

  // Leaflet would show tooltips on focus too, which makes each of hundreds of outlines a stop of the Tab key.
  L.Path.include({ _addFocusListeners() {} });

  const escape = (text) => Object.assign(document.createElement("i"), { textContent: text }).innerHTML;

  let map = null;
  let frame = null;       // what the map was built for: bounds, id
  let swipe = null;       // the divider, where the sides share the map
  let divider = 0.5;      // its position, or its last one
  let twin = null;        // otherwise: the map of the right side, and what links the two
  let tools = [];         // the controls at the bottom right
  let leastZoom = 0;      // of the map as it was built; `fit` allows no smaller image than fits
  let touched = false;    // the user has moved the map: no refit on resize
  let sides = {};         // side -> {images: {slot: [ImageOverlay]}, shapes: {truth, components}, outcomes, title}
  let line = {};          // how reference buildings are drawn: weight, and a plain colour if it is not their outcome's
  let legend = null;
  let marks = [];         // the lines around the target
  let marked = null;      // the target's id
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
    twin = null;
    frame = next;
    leastZoom = map.options.minZoom;
    document.body.classList.add("fills-frame");
    sides = {};
    const former = memory.load();
    for (const side of SIDES) sides[side] = empty();
    tools = [
      L.control.zoom({ position: "bottomright" }), fitButton(),
      L.control.scale({ position: "bottomright", imperial: false, maxWidth: 110 }),
    ];
    tools.forEach((tool) => tool.addTo(map));
    legend = Object.assign(L.control({ position: "bottomleft" }), {
      onAdd: () => L.DomUtil.create("div", "legend"),
    }).addTo(map);
    for (const side of SIDES) {
      sides[side].title = L.DomUtil.create("div", `side-title ${side}`, map.getContainer());
    }
    fit();
    const restore = former.id === frame.id && former.touched;
    if (restore) map.setView(former.at, former.zoom, { animate: false });
    touched = restore;
    flown = former.id === frame.id ? former.flown : null;
    marks = [];
    marked = null;
    addMarkPane(map);
    divider = former.divider ?? 0.5;
    addDivider();
    for (const name of ["mousedown", "wheel", "keydown", "touchstart"]) {
      addEventListener(name, () => { touched = true; }, { passive: true });
    }
    map.on("moveend zoomend", () => { crispness(); memory.save(); });
    addEventListener("pagehide", memory.save);
    guardWheel();
    watchSize();
  }

  const empty = () => ({ images: {}, shapes: { components: {}, truth: {} }, outcomes: null, outcomesUrl: null });

  function fit() {
    limitZoom();
    map.fitBounds(frame.bounds, { animate: false, padding: [6, 6] });
    for (const each of maps()) each.setMaxBounds(L.latLngBounds(frame.bounds).pad(1));
  }

  // The image is never smaller than it fits.
  function limitZoom() {
    map.options.minZoom = leastZoom;   // or it would bound what is asked for next
    const least = map.getBoundsZoom(frame.bounds, false, L.point(12, 12));
    for (const each of maps()) each.setMinZoom(least);
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

  const maps = () => twin ? [twin.first, twin.second] : [map];
  const mapOf = (side) => side === "right" && twin ? twin.second : map;

  function addMarkPane(target) {
    L.extend(target.createPane("mark").style, { zIndex: 450, pointerEvents: "none" });
  }

  function addDivider() {
    swipe = L.control.swipe({ at: divider, onchange: (at) => { divider = at; fadeTitles(); } }).addTo(map);
  }

  // A title disappears when the divider leaves no room for it.
  function fadeTitles() {
    sides.left.title.style.opacity = !twin && divider < 0.14 ? 0 : 1;
    sides.right.title.style.opacity = !twin && divider > 0.86 ? 0 : 1;
  }

  // One map with a divider, or two linked ones: the right side moves to the other map and is drawn again there.
  function compare(paired) {
    if (paired === Boolean(twin)) return;
    const right = sides.right;
    Object.values(right.images).flat().forEach((overlay) => overlay.remove());
    Object.values(right.shapes).forEach(({ layer }) => layer && layer.remove());
    sides.right = Object.assign(empty(), { title: right.title });
    marks.splice(0).forEach((mark) => mark.remove());
    marked = null;
    tools.forEach((tool) => tool.remove());
    if (paired) {
      swipe.remove();
      swipe = null;
      twin = L.twin(map);
      twin.second.createPane("right");
      addMarkPane(twin.second);
      twin.second.on("moveend zoomend", crispness);
    } else {
      right.title.remove();
      twin.remove();
      twin = null;
      addDivider();
    }
    mapOf("right").getContainer().append(right.title);
    tools.forEach((tool) => tool.addTo(mapOf("right")));
    fadeTitles();
    if (touched) limitZoom();
    else fit();
  }

  // Coarse pixels are shown as pixels; fine ones are averaged by the browser.
  function crispness() {
    for (const side of SIDES) {
      for (const overlays of Object.values(sides[side].images)) {
        for (const overlay of overlays) {
          const img = overlay.getElement();
          if (img) img.classList.toggle("crisp", img.width > img.naturalWidth);
        }
      }
    }
  }

  // The former image stays until the next one is there: no flicker between slider steps.
  function showImage(side, slot, image) {
    const stack = (sides[side].images[slot] ??= []);
    if (!image) {
      stack.splice(0).forEach((overlay) => overlay.remove());
      return;
    }
    const key = JSON.stringify([image.url, image.bounds]);
    const top = stack.at(-1);
    if (top && top.key === key) return;
    const overlay = L.imageOverlay(image.url, image.bounds, {
      pane: side, alt: image.alt, zIndex: slot === "base" ? 1 : 2, className: `slot-${slot}`,
    });
    overlay.key = key;
    stack.push(overlay);
    const settle = () => {
      while (stack.length && stack[0] !== overlay) stack.shift().remove();
      crispness();
    };
    overlay.on("load error", settle);
    overlay.addTo(mapOf(side));
  }

  // ---- outlines: those of reference buildings stay at every step; their outcomes and the components change

  const files = new Map();   // url -> promise of its content: both sides and all steps use the same reference

  function load(url) {
    if (!files.has(url)) {
      while (files.size > 8) files.delete(files.keys().next().value);
      files.set(url, fetch(url).then((response) => response.json()));
    }
    return files.get(url);
  }

  async function showShapes(side, slot, url, style) {
    const shapes = sides[side].shapes[slot];
    if (shapes.url === url) return;
    shapes.url = url;
    const data = url ? await load(url) : null;
    if (sides[side].shapes[slot] !== shapes || shapes.url !== url) return;   // a later state came in between
    if (shapes.layer) shapes.layer.remove();
    shapes.layer = data && L.geoJSON(data, { pane: side, style, onEachFeature: (_, shape) => explain(shape, side, slot) });
    if (!shapes.layer) return;
    shapes.layer.addTo(mapOf(side));
    if (slot === "components") shapes.layer.bringToBack();
  }

  async function showOutcomes(side, url) {
    const contents = sides[side];
    if (contents.outcomesUrl !== url) {
      contents.outcomesUrl = url;
      const outcomes = url ? await load(url) : null;
      if (sides[side] !== contents || contents.outcomesUrl !== url) return;
      contents.outcomes = outcomes;
    }
    contents.shapes.truth.layer?.setStyle(styleOf(side, "truth"));
  }

  // Colour, title and rows of a shape: a component's are its properties, a building's are its outcome in the mask.
  function factsOf(side, slot, { properties }) {
    if (slot === "components") return properties;
    const { outcomes } = sides[side];
    return outcomes ? outcomes[properties.id] ?? frame.tooSmall : frame.withoutOutcome;
  }

  const styleOf = (side, slot) => (feature) => {
    const facts = factsOf(side, slot, feature);
    return {
      color: (slot === "truth" && line.plain) || facts.colour, weight: slot === "truth" ? line.weight : facts.weight,
      opacity: 0.95, dashArray: facts.dash ?? null, fill: true, fillOpacity: 0, className: "outline",
    };
  };

  function explain(shape, side, slot) {
    if (slot === "components" && !shape.feature.properties.title) return;
    shape.bindTooltip(() => {
      const { colour, dot, title, rows } = factsOf(side, slot, shape.feature);
      const lines = rows.map(([k, v]) => `<tr><td>${escape(k)}</td><td>${escape(v)}</td></tr>`).join("");
      return `<b><i style="background:${escape(dot ?? colour)}"></i>${escape(title)}</b><table>${lines}</table>`;
    }, { sticky: true, className: "tip", opacity: 1 });
    shape.on("mouseover", () => shape.setStyle({ weight: styleOf(side, slot)(shape.feature).weight + 1.5 }));
    shape.on("mouseout", () => shape.setStyle(styleOf(side, slot)(shape.feature)));
  }

  // Marks the target above both sides, and flies to it if it is new.
  async function showTarget(target) {
    const id = target ? target.id : null;
    if (marked === id) return;
    marked = id;
    const data = target && await (await fetch(target.url)).json();
    if (marked !== id) return;
    marks.splice(0).forEach((mark) => mark.remove());
    if (!data || !data.features.length) return;
    const drawn = (style) => L.geoJSON(data, { pane: "mark", interactive: false, style: { fill: false, ...style } });
    for (const each of maps()) {
      marks.push(drawn({ color: "#10151b", weight: 9, opacity: 0.75 }).addTo(each));
      marks.push(drawn({ color: "#fff", weight: 4, className: "mark" }).addTo(each));
    }
    if (flown === id) return;
    flown = id;
    touched = true;
    fly(marks[0].getBounds(), target.side);
  }

  // Close enough to see the building, far enough to see where it stands; in the middle of its side of the divider.
  function fly(bounds, side) {
    const closest = map.getBoundsZoom(frame.bounds) + 3;
    const still = matchMedia("(prefers-reduced-motion: reduce)").matches;
    (twin ?? map).flyToBounds(bounds.pad(twin ? 1 : 0.4), { maxZoom: closest, duration: 0.9, animate: !still, ...besides(side) });
  }

  // The padding that keeps a flight off the other side of the divider.
  function besides(side) {
    if (twin || !side) return {};
    const share = side === "left" ? divider : 1 - divider;
    if (share < 0.25) swipe.set(0.5);
    const { x } = map.getSize();
    return side === "left" ? { paddingBottomRight: [x * (1 - divider), 0] } : { paddingTopLeft: [x * divider, 0] };
  }

  const ramp = ({ title, ramp: colours, threshold }) =>
    `<span class="ramp">${escape(title)} <small>0</small><u style="background:linear-gradient(to right,${
      colours.map(escape).join()})"><b style="left:${100 * threshold}%"></b></u><small>1</small>` +
    `<small class="threshold">threshold ${threshold.toFixed(2)}</small></span>`;

  function showLegend(items) {
    legend.getContainer().innerHTML = items.map((item) => item.ramp ? ramp(item) :
      `<span><i style="background:${escape(item.colour)}"></i>${escape(item.title)}</span>`).join("");
    legend.getContainer().style.display = items.length ? "" : "none";
  }

  function show(state) {
    compare(state.paired);
    line = state.line;
    for (const side of SIDES) {
      sides[side].title.textContent = state[side].title;
      showImage(side, "base", state[side].base);
      showImage(side, "overlay", state[side].overlay);
      showShapes(side, "components", state[side].components, styleOf(side, "components")).catch(console.error);
      showShapes(side, "truth", state.truth, styleOf(side, "truth")).catch(console.error);
      showOutcomes(side, state[side].outcomes).catch(console.error);
    }
    showLegend(state.legend);
    showTarget(state.target).catch(console.error);
    return L.layerGroup();   // folium adds it to the map as this state's layer
  }

  function watchSize() {
    new ResizeObserver(() => {
      if (!map.getContainer().clientWidth) return;   // a page or dialog that opens or closes: no size to fit to
      for (const each of maps()) each.invalidateSize({ animate: false });
      if (touched) limitZoom();
      else fit();
      if (swipe) swipe.clip();
    }).observe(map.getContainer());
  }

  window.scinetMap = { open, show };
})();
