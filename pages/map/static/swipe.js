// A Leaflet control that shows one group of panes left of a divider and another right of it.
// Drag the handle, or focus it and use the arrow keys (Shift: larger steps, Home, End).
(() => {
  "use strict";

  L.Control.Swipe = L.Control.extend({
    options: { left: "left", right: "right", at: 0.5, label: "Divider between left and right" },

    initialize(options) {
      L.setOptions(this, options);
      this._at = this.options.at;
    },

    addTo(map) {
      this._map = map;
      this._line = L.DomUtil.create("div", "swipe-line", map.getPane("mapPane"));   // below tooltips
      this._handle = L.DomUtil.create("div", "swipe-handle", this._line);
      this._handle.innerHTML = "<span aria-hidden='true'>&#x2039;&#x203A;</span>";
      for (const [name, value] of Object.entries({
        role: "slider", tabindex: "0", "aria-label": this.options.label,
        "aria-valuemin": "0", "aria-valuemax": "100", "aria-orientation": "horizontal",
      })) this._handle.setAttribute(name, value);
      // The map must not pan or zoom under the divider.
      L.DomEvent.disableClickPropagation(this._line);
      L.DomEvent.on(this._line, "pointerdown", this._grab, this);
      L.DomEvent.on(this._handle, "keydown", this._key, this);
      map.on("move zoom viewreset resize", this.clip, this);
      this.set(this._at);
      return this;
    },

    remove() {
      this._map.off("move zoom viewreset resize", this.clip, this);
      this._line.remove();
      for (const side of ["left", "right"]) this._map.getPane(this.options[side]).style.clipPath = "";
      return this;
    },

    get() { return this._at; },

    set(at) {
      this._at = Math.min(1, Math.max(0, at));
      this._handle.setAttribute("aria-valuenow", String(Math.round(100 * this._at)));
      this.clip();
      if (this.options.onchange) this.options.onchange(this._at);
    },

    // Panes move with the map, so the divider is expressed in the map's layer pixels.
    clip() {
      const size = this._map.getSize();
      const nw = this._map.containerPointToLayerPoint([0, 0]);
      const se = this._map.containerPointToLayerPoint(size);
      const x = nw.x + size.x * this._at;
      const box = (a, b) =>
        `polygon(${a}px ${nw.y}px, ${b}px ${nw.y}px, ${b}px ${se.y}px, ${a}px ${se.y}px)`;
      Object.assign(this._line.style, { left: `${x}px`, top: `${nw.y}px`, height: `${size.y}px` });
      this._map.getPane(this.options.left).style.clipPath = box(nw.x, x);
      this._map.getPane(this.options.right).style.clipPath = box(x, se.x);
    },

    _grab(event) {
      if (event.button) return;
      event.preventDefault();
      this._handle.focus({ preventScroll: true });
      this._line.setPointerCapture(event.pointerId);
      const move = (e) => {
        const box = this._map.getContainer().getBoundingClientRect();
        this.set((e.clientX - box.left) / box.width);
      };
      const drop = () => {
        this._line.removeEventListener("pointermove", move);
        this._line.removeEventListener("pointerup", drop);
        this._line.removeEventListener("pointercancel", drop);
      };
      this._line.addEventListener("pointermove", move);
      this._line.addEventListener("pointerup", drop);
      this._line.addEventListener("pointercancel", drop);
    },

    _key(event) {
      const step = event.shiftKey ? 0.1 : 0.02;
      const to = {
        ArrowLeft: this._at - step, ArrowDown: this._at - step,
        ArrowRight: this._at + step, ArrowUp: this._at + step, Home: 0, End: 1,
      }[event.key];
      if (to === undefined) return;
      event.preventDefault();
      event.stopPropagation();
      this.set(to);
    },
  });

  L.control.swipe = (options) => new L.Control.Swipe(options);
})();
