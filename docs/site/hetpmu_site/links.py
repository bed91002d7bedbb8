"""The shelves of docs/index.md, and links as the site has them: by title, and to sections."""

import re
from pathlib import Path

SHELVED = re.compile(r"^(.+) <([\w/]+)>$", re.MULTILINE)
NAMED = re.compile(r"\[([\w./]+)\]\(([\w/]+)\.(?:md|ipynb)\)")
QUOTED = re.compile(r'\]\(([\w/]+\.md)\), "([^"]+)"')


def shelves(folder: Path) -> dict[str, str]:
    """Return the title of each page in the navigation."""
    return {page: title for title, page in SHELVED.findall((folder / "index.md").read_text(encoding="utf-8"))}


def linked(text: str, titles: dict[str, str]) -> str:
    """Give links that show a file's name the page's title, and lead `[model.md](model.md), "Costs"` to its section."""
    text = QUOTED.sub(lambda found: f"]({found[1]}), [{found[2]}]({found[1]}#{slug(found[2])})", text)
    return NAMED.sub(lambda found: f"[{titles.get(found[2], found[1])}]({found[0].rpartition('(')[2]}", text)


def slug(heading: str) -> str:
    """Return the anchor of a heading, as GitHub makes it."""
    return re.sub(r"[^\w -]", "", " ".join(heading.lower().split())).replace(" ", "-")
