"""HTML and SVG elements whose text is escaped unless it is made of elements itself."""

import html

from .summary import visible

VOID = ("meta", "link", "br")


class Markup(str):
    """Text that is markup already; every other string is escaped when it becomes part of it."""

    __slots__ = ()


def element(name: str, /, *children: str, **attributes: object) -> Markup:
    """One element.

    children    text, escaped, or Markup, taken as it is
    attributes  class_ and for_ without their underscore, aria_label with a hyphen; True is an
                attribute without a value, None and False are none
    """
    given = "".join(_attribute(key, value) for key, value in attributes.items()
                    if value is not None and value is not False)
    if name in VOID:
        return Markup(f"<{name}{given}>")
    return Markup(f"<{name}{given}>{join(*children)}</{name}>")


def join(*children: str) -> Markup:
    """Children one after the other, escaped where they are not Markup."""
    return Markup("".join(child if isinstance(child, Markup) else escape(child)
                          for child in children))


def escape(text: str) -> Markup:
    """Text as markup that shows it, control characters spelled out."""
    return Markup(html.escape(visible(text)))


def _attribute(key: str, value: object) -> str:
    # SVG tells viewBox from viewbox, so letters stay as they are.
    name = key.rstrip("_").replace("_", "-")
    return f" {name}" if value is True else f' {name}="{escape(str(value))}"'
