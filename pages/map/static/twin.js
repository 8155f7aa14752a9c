// A second Leaflet map next to the first (below it on a narrow screen); each follows the other.
(() => {
  "use strict";

  L.Twin = L.Class.extend({
    initialize(map) {
      this.first = map;
      this._box = map.getContainer().parentElement;
      this._box.classList.add("paired");
      this.second = L.map(L.DomUtil.create("div", "twin", this._box), {
        ...map.options, center: null, layers: [], zoomControl: false, attributionControl: false,
      });
      map.invalidateSize({ animate: false });
      this._align();
      this._held = false;
      this._follow(this.first, this.second);
      this._follow(this.second, this.first);
    },

    remove() {
      this.first.off(this._steps);
      this.second.remove();
      this.second.getContainer().remove();
      this._box.classList.remove("paired");
      this.first.invalidateSize({ animate: false });
    },

    // Both fly at the same time: otherwise each frame of one would stop the other's flight.
    flyToBounds(bounds, options) {
      this._held = true;
      this.first.once("moveend", () => { this._held = false; this._align(); });
      for (const map of [this.second, this.first]) map.flyToBounds(bounds, options);
    },

    _align() {
      this.second.setView(this.first.getCenter(), this.first.getZoom(), { animate: false });
    },

    _follow(from, to) {
      const steps = {
        zoomanim: ({ center, zoom }) => {
          if (from.led || this._held) return;
          to.led = true;   // its own events must not come back
          to.setView(center, zoom, { animate: true });
        },
        move: () => {
          if (from.led || this._held) return;
          to.led = true;
          to.setView(from.getCenter(), from.getZoom(), { animate: false });
          to.led = false;
        },
        moveend: () => { from.led = false; },
      };
      from.on(steps);
      if (from === this.first) this._steps = steps;
    },
  });

  L.twin = (map) => new L.Twin(map);
})();
