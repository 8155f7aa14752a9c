"""Text from files within Markdown: shown as it is, without images, links or formatting."""

import re


def escaped(text: str) -> str:
    r"""A text for Markdown, on one line, in which no character has a meaning of its own.

    >>> print(escaped("CC-BY ![x](http://host/x.png)"))
    CC\-BY \!\[x\]\(http\:\/\/host\/x\.png\)
    """
    return re.sub(r"([!-/:-@\[-`{-~])", r"\\\1", " ".join(text.split()))


def sentence(text: str) -> str:
    r"""A message that may hold names from files, for Markdown: without images, links, icons or formatting.

    >>> print(sentence("![x](http://host/x.png) is damaged."))
    !\[x\](http\://host/x.png) is damaged.
    """
    return re.sub(r"([\\`*\[\]<>$~#|]|:(?=[A-Za-z/]))", r"\\\1", " ".join(text.split()))
