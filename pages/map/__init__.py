"""The map: layers on Leaflet, served by the app itself."""
