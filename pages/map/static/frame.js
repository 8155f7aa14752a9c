// A name for screen readers: st_folium's own one for the map's frame is that of a Python function.
if (window.frameElement) window.frameElement.title = "Map (folium)";
