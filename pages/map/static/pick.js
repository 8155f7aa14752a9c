// A plain map in a dialog, which opens without a size: it fits its bounds until the user moves it.
(() => {
  "use strict";

  // Folium's markers start with Leaflet's default icon, a file, before they get theirs.
  L.Icon.Default.prototype._getIconUrl = () => "data:image/gif;base64,R0lGODlhAQABAAAAACwAAAAAAQABAAA=";

  function fit(map, bounds, padding, least) {
    let touched = false;
    for (const name of ["mousedown", "wheel", "keydown", "touchstart"]) {
      map.getContainer().addEventListener(name, () => { touched = true; }, { passive: true });
    }
    const refit = () => {
      map.invalidateSize({ animate: false });
      const { x, y } = map.getSize();
      if (touched || x < 50 || y < 50) return;
      const [left, top, right, bottom] = padding;
      map.fitBounds(bounds, { animate: false, paddingTopLeft: [left, top], paddingBottomRight: [right, bottom] });
      if (map.getZoom() < least) map.setZoom(least, { animate: false });
    };
    refit();
    new ResizeObserver(refit).observe(map.getContainer());
  }

  window.scinetPick = { fit };
})();
