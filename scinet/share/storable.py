"""Texts that every file can hold, whatever the names of images and models are."""

import re

# XML holds no other characters, and UTF-8 no halves of pairs, which stand for bytes of names that are not text
_NOT_STORABLE = re.compile(r"[^\t\n\r\x20-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")


def storable(text: str) -> str:
    """A text without the characters that XML and UTF-8 cannot hold.

    >>> storable("roof\\x00.tif") == "roof\\N{REPLACEMENT CHARACTER}.tif"
    True
    """
    return _NOT_STORABLE.sub("\N{REPLACEMENT CHARACTER}", text)
