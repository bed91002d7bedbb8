"""The Sphinx extension: what is put into pages while they are read, and source files that pages link to, as pages."""

from collections.abc import Iterator
from html import escape
from pathlib import Path
from typing import Any

from docutils import nodes
from sphinx import addnodes
from sphinx.application import Sphinx
from sphinx.transforms import SphinxTransform

from hetpmu_site import commands, links, names, notebooks
from simcore.app.cli import cli

ROOT = Path(__file__).resolve().parents[3]
MADE = {"commands": lambda: commands.page(cli, "hetpmu"), "python": names.page}
LANGUAGES = {".py": "python", ".toml": "toml", ".json": "json", ".c": "c", ".sh": "sh"}
SOURCES = "source"


def setup(app: Sphinx) -> dict[str, Any]:
    """Register with Sphinx."""
    app.connect("source-read", put_in)
    app.connect("html-collect-pages", source_pages)
    app.add_transform(SourceLinks)
    return {"parallel_read_safe": False}


def put_in(app: Sphinx, name: str, source: list[str]) -> None:
    """Make a page of what stands in its file: the Markdown of a notebook, what is made of the code, titles in links."""
    text = source[0]
    if app.env.doc2path(name).suffix == ".ipynb":
        text = notebooks.as_markdown(text)
    if name in MADE:
        text += "\n" + MADE[name]()
    source[0] = links.linked(text, links.shelves(Path(app.srcdir)))


class SourceLinks(SphinxTransform):
    """A link to a source file leads to a page that shows it, instead of to a download."""

    default_priority = 500

    def apply(self, **options: object) -> None:
        """Replace the links of one page."""
        for node in list(self.document.findall(addnodes.download_reference)):
            path = Path(self.env.relfn2path(node["reftarget"], self.env.docname)[1]).resolve().relative_to(ROOT)
            linked_sources(self.env).add(path.as_posix())
            up = "../" * self.env.docname.count("/")
            link = nodes.reference("", "", *node.children, internal=True, refuri=f"{up}{SOURCES}/{path}.html")
            node.replace_self(link)


def linked_sources(env: Any) -> set[str]:
    """Return the source files that pages link to, kept with the environment."""
    if not hasattr(env, "linked_sources"):
        env.linked_sources = set()
    found: set[str] = env.linked_sources
    return found


def source_pages(app: Sphinx) -> Iterator[tuple[str, dict[str, Any], str]]:
    """Yield a page for each source file that is linked to."""
    for name in sorted(linked_sources(app.env)):
        path = ROOT / name
        code = path.read_text(encoding="utf-8")
        language = LANGUAGES.get(path.suffix, "text")
        body = app.builder.highlighter.highlight_block(code, language, linenos=False)
        yield f"{SOURCES}/{name}", {"title": name, "body": f"<h1>{escape(name)}</h1>{body}"}, "page.html"
