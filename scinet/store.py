"""Images in object stores, which GDAL reads in parts with the credentials of the environment."""

import os
from typing import Any
from urllib.parse import urlsplit

_GDAL_FOLDERS = {"s3": "/vsis3/", "gs": "/vsigs/", "az": "/vsiaz/"}


def is_in_store(source: object) -> bool:
    """Whether a source is the address of an object, such as s3://bucket/folder/scene.tif.

    Example:
        >>> [is_in_store(source) for source in ("s3://maps/a.tif", "GS://maps/a.tif", "https://maps/a.tif", "a.tif")]
        [True, True, False, False]
    """
    return isinstance(source, str) and source.partition("://")[0].lower() in _GDAL_FOLDERS and "://" in source


def gdal_path(address: str) -> str:
    """What GDAL calls an object.

    Example:
        >>> gdal_path("s3://maps/accra/scene.tif")
        '/vsis3/maps/accra/scene.tif'
    """
    scheme, _, place = address.partition("://")
    return _GDAL_FOLDERS[scheme.lower()] + place


def gdal_options() -> dict[str, Any]:
    """GDAL's options for another store that speaks S3, at AWS_ENDPOINT_URL: GDAL itself knows AWS_S3_ENDPOINT alone."""
    endpoint = urlsplit(os.environ.get("AWS_ENDPOINT_URL", ""))
    if not endpoint.netloc or "AWS_S3_ENDPOINT" in os.environ:
        return {}
    return {
        "AWS_S3_ENDPOINT": endpoint.netloc + endpoint.path.rstrip("/"),
        "AWS_HTTPS": endpoint.scheme != "http",
        "AWS_VIRTUAL_HOSTING": False,
    }
