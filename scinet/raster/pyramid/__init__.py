"""Images that are stored as small tiles of several zooms: GeoPackage, MBTiles, PMTiles, folders and services."""
