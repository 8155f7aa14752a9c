// What lies on the app's folium map: two sides that are swiped, each with images, outlines and a title.
// pages/explorer/map.py builds the map and calls scinetMap.open once and scinetMap.show on every run with the
// whole state; only what differs is touched, so the view and the divider outlive a step of the slider.
(() => {
  "use strict";

  const SIDES = ["left", "right"];
  const escape = (text) => Object.assign(document.createElement("i"), { textContent: text }).innerHTML;

  let map = null;
  let frame = null;       // what the map was built for: bounds, id
  let swipe = null;
  let touched = false;    // the reader has moved the map: no refit on resize
  let sides = {};         // side -> {images: {slot: [ImageOverlay]}, outlines, outlinesUrl, title}
  let legend = null;

  // ---- the view outlives a remount of this page
  const memory = {
    save() {
      const c = map.getCenter();
      const view = { id: frame.id, at: [c.lat, c.lng], zoom: map.getZoom(), divider: swipe.get(), touched };
      try { sessionStorage.setItem("scinet-view", JSON.stringify(view)); } catch { /* storage refused */ }
    },
    load() {
      try { return JSON.parse(sessionStorage.getItem("scinet-view")) ?? {}; } catch { return {}; }
    },
  };

  function open(own, next) {
    map = own;
    frame = next;
    sides = {};
    const former = memory.load();
    for (const side of SIDES) sides[side] = { images: {}, outlines: null, outlinesUrl: null };
    L.control.zoom({ position: "bottomright" }).addTo(map);
    fitButton().addTo(map);
    L.control.scale({ position: "bottomright", imperial: false, maxWidth: 110 }).addTo(map);
    legend = Object.assign(L.control({ position: "bottomleft" }), {
      onAdd: () => L.DomUtil.create("div", "legend"),
    }).addTo(map);
    for (const side of SIDES) {
      sides[side].title = L.DomUtil.create("div", `side-title ${side}`, map.getContainer());
    }
    const restore = former.id === frame.id && former.touched;
    if (restore) map.setView(former.at, former.zoom, { animate: false });
    else fit();
    touched = restore;
    swipe = L.control.swipe({ at: former.divider ?? 0.5, onchange: () => swipe && fadeTitles() }).addTo(map);
    for (const name of ["mousedown", "wheel", "keydown", "touchstart"]) {
      map.getContainer().addEventListener(name, () => { touched = true; }, { passive: true });
    }
    map.on("moveend zoomend", () => { crispness(); memory.save(); });
    addEventListener("pagehide", memory.save);
    fadeTitles();
    watchSize();
  }

  function fit() {
    map.fitBounds(frame.bounds, { animate: false, padding: [6, 6] });
    map.setMaxBounds(L.latLngBounds(frame.bounds).pad(1));
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

  // A title goes when the divider leaves no room for it.
  function fadeTitles() {
    const at = swipe.get();
    sides.left.title.style.opacity = at < 0.14 ? 0 : 1;
    sides.right.title.style.opacity = at > 0.86 ? 0 : 1;
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
    overlay.addTo(map);
  }

  async function showOutlines(side, url) {
    const own = sides[side];
    if (own.outlinesUrl === url) return;
    own.outlinesUrl = url;
    const data = url ? await (await fetch(url)).json() : null;
    if (sides[side] !== own || own.outlinesUrl !== url) return;   // a later state has come in between
    if (own.outlines) own.outlines.remove();
    own.outlines = data && L.geoJSON(data, {
      pane: side,
      style: ({ properties: p }) => ({
        color: p.colour, weight: p.weight, opacity: 0.95, dashArray: p.dash ?? null,
        fill: true, fillColor: p.colour, fillOpacity: 0, className: "outline",
      }),
      onEachFeature: ({ properties: p }, layer) => {
        if (!p.title) return;
        const rows = p.rows.map(([k, v]) => `<tr><td>${escape(k)}</td><td>${escape(v)}</td></tr>`).join("");
        layer.bindTooltip(
          `<b><i style="background:${escape(p.colour)}"></i>${escape(p.title)}</b><table>${rows}</table>`,
          { sticky: true, className: "tip", opacity: 1 });
        layer.on("mouseover", () => layer.setStyle({ weight: p.weight + 1.5 }));
        layer.on("mouseout", () => layer.setStyle({ weight: p.weight }));
      },
    }).addTo(map);
  }

  function showLegend(items) {
    legend.getContainer().innerHTML = items.map(({ title, colour }) =>
      `<span><i style="background:${escape(colour)}"></i>${escape(title)}</span>`).join("");
    legend.getContainer().style.display = items.length ? "" : "none";
  }

  function show(state) {
    for (const side of SIDES) {
      sides[side].title.textContent = state[side].title;
      showImage(side, "base", state[side].base);
      showImage(side, "overlay", state[side].overlay);
      showOutlines(side, state[side].outlines).catch((error) => console.error(error));
    }
    showLegend(state.legend);
    return L.layerGroup();   // what folium adds to the map in the name of this state
  }

  function watchSize() {
    new ResizeObserver(() => {
      if (!map.getContainer().clientWidth) return;   // a page or dialog on its way in or out: no size to fit to
      map.invalidateSize({ animate: false });
      if (!touched) fit();
      swipe.clip();
    }).observe(map.getContainer());
  }

  window.scinetMap = { open, show };
})();
