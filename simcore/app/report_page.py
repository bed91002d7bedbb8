"""A report as one HTML page that contains all it needs: the only module that knows jinja2.

Every text is escaped by the templates. What is not escaped is the product's own style sheet and script, of which the
page's Content-Security-Policy has the digests, so that nothing else is ever run, and the data of the plot, in which
no character can end its element.
"""

import base64
import hashlib
import json
import re
from collections.abc import Mapping
from importlib.resources import files
from pathlib import Path
from typing import Any

from jinja2 import Environment, FileSystemLoader, StrictUndefined
from markupsafe import Markup, escape

from simcore.app.report_blocks import Page

FOLDER = Path(str(files("simcore"))) / "data" / "report"
STYLES = ("uPlot.min.css", "report.css")
SCRIPTS = ("uPlot.iife.min.js", "report.js")
BREAKS = re.compile(r"[:@_/]+|(?<=[a-z0-9])\.(?=[a-z])")
ESCAPES = {ord(char): f"\\u{ord(char):04x}" for char in "<>&'\u2028\u2029"}


def page_html(page: Page) -> str:
    """Return a page; equal pages give equal text."""
    style, script = (_joined(names) for names in (STYLES, SCRIPTS))
    return (
        _environment()
        .get_template("page.html")
        .render(
            page=page, style=Markup(style), script=Markup(script), style_hash=_hash(style), script_hash=_hash(script)
        )
    )


def _environment() -> Environment:
    made = Environment(
        loader=FileSystemLoader(FOLDER),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    made.filters |= {"embedded": _embedded, "breakable": _breakable, "named": _named}
    return made


def _embedded(data: Mapping[str, Any]) -> Markup:
    """Return data as JSON that stays within its element whatever texts it has."""
    return Markup(json.dumps(data, separators=(",", ":"), ensure_ascii=False).translate(ESCAPES))


def _breakable(text: str) -> Markup:
    """Return a text that may be broken behind the marks within a name."""
    return Markup(BREAKS.sub(r"\g<0><wbr>", str(escape(text))))


def _named(text: str) -> Markup:
    """Return a sentence in which the names of policies stand out."""
    return Markup(" ").join(_name(word) if "@" in word else escape(word) for word in text.split(" "))


def _name(word: str) -> Markup:
    bare = word.rstrip(".,;:)")
    return Markup("<code>{}</code>{}").format(_breakable(bare), word[len(bare) :])


def _joined(names: tuple[str, ...]) -> str:
    return "\n".join((FOLDER / name).read_text(encoding="utf-8") for name in names)


def _hash(text: str) -> str:
    return f"sha256-{base64.b64encode(hashlib.sha256(text.encode()).digest()).decode()}"
