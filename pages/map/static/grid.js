// Several Leaflet maps of one size, in step: what one shows, all show. The first is the app's own; the others are
// copies of it, added and removed as needed.
(() => {
  "use strict";

  L.Grid = L.Class.extend({
    initialize(first) {
      this.maps = [first];
      this.box = first.getContainer().parentElement;
      this._held = false;
      this._follow(first);
    },

    // Have `count` maps, each prepared by `prepare` when it is new.
    resize(count, prepare) {
      while (this.maps.length > count) {
        const map = this.maps.pop();
        const container = map.getContainer();
        map.remove();
        container.remove();
      }
      const [first] = this.maps;
      while (this.maps.length < count) {
        const map = L.map(L.DomUtil.create("div", "cell", this.box), {
          ...first.options, center: null, layers: [], zoomControl: false, attributionControl: false,
        });
        map.getContainer().tabIndex = -1;  // one stop of the Tab key moves all
        this.maps.push(map);
        this._align(map);
        this._follow(map);
        prepare(map);
      }
    },

    // Leaflet measures its containers again, all before any of them moves the others.
    measure() {
      this._held = true;
      for (const map of this.maps) map.invalidateSize({ animate: false });
      this._held = false;
      this.align();
    },

    align() {
      this.maps.slice(1).forEach(this._align, this);
    },

    // All fly at the same time: otherwise each frame of one would stop the others' flight.
    flyToBounds(bounds, options) {
      const [first] = this.maps;
      this._held = this.maps.length > 1;
      first.once("moveend", () => { this._held = false; this.align(); });
      for (const map of this.maps.toReversed()) map.flyToBounds(bounds, options);
    },

    _align(map) {
      if (!this.maps[0]._loaded) return;
      this._held = true;
      map.setView(this.maps[0].getCenter(), this.maps[0].getZoom(), { animate: false });
      this._held = false;
    },

    _follow(from) {
      const others = () => this.maps.filter((map) => map !== from);
      from.on({
        zoomanim: ({ center, zoom }) => {
          if (from.led || this._held) return;
          for (const map of others()) {
            map.led = true;   // its own events must not come back
            map.setView(center, zoom, { animate: true });
          }
        },
        move: () => {
          if (from.led || this._held) return;
          for (const map of others()) {
            map.led = true;
            map.setView(from.getCenter(), from.getZoom(), { animate: false });
            map.led = false;
          }
        },
        moveend: () => { from.led = false; },
      });
    },
  });

  // The number of columns in which `count` pictures of an aspect (width / height) are largest in a box.
  L.Grid.columns = (count, width, height, aspect, captionPx) => {
    let best = 1;
    let widest = 0;
    for (let columns = 1; columns <= count; columns += 1) {
      const rows = Math.ceil(count / columns);
      const shown = Math.min(width / columns, (height / rows - captionPx) * aspect);
      if (shown > widest + 1) [best, widest] = [columns, shown];
    }
    return best;
  };
})();
