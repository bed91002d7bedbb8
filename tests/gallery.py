"""The pictures of docs/gallery.md, made by the commands that stand on the page: `python -m tests.gallery [NAME...]`."""

import os
import sys
import tempfile
from collections.abc import Iterator, Sequence
from pathlib import Path

import matplotlib

from simcore.app.cli import exit_code
from tests.examples import ROOT, Example, examples, words

PAGE = ROOT / "docs" / "gallery.md"
FOLDER = ROOT / "docs" / "images" / "gallery"
COLOURS, WIDTH = 255, 1100


def pictures() -> Iterator[tuple[str, Example]]:
    """Yield the file name of each picture with its block of commands; the last of them draws it."""
    for example in examples(PAGE):
        arguments, _ = words(example.commands[-1])
        yield arguments[arguments.index("-o") + 1], example


def draw(name: str, example: Example) -> None:
    """Run the commands of a picture in a directory of its own, and keep the picture with few colours."""
    with tempfile.TemporaryDirectory() as folder:
        os.chdir(folder)
        for directory in ("docs", "tests"):
            Path(directory).symlink_to(ROOT / directory)
        for command in example.commands:
            assert exit_code(words(command)[0]) == 0, command
        keep(Path(name), FOLDER / name)
        os.chdir(ROOT)


def keep(source: Path, target: Path) -> None:
    """Write a picture, at most WIDTH pixels wide, with COLOURS colours."""
    from PIL import Image

    with Image.open(source) as picture:
        flat = picture.convert("RGB")
    if flat.width > WIDTH:
        flat = flat.resize((WIDTH, round(flat.height * WIDTH / flat.width)), Image.Resampling.LANCZOS)
    flat.quantize(COLOURS, Image.Quantize.FASTOCTREE, dither=Image.Dither.NONE).save(target, optimize=True)


def main(wanted: Sequence[str]) -> None:
    """Make the pictures that are named, or all."""
    matplotlib.use("agg")
    FOLDER.mkdir(parents=True, exist_ok=True)
    for name, example in pictures():
        if not wanted or name in wanted:
            draw(name, example)
            print(f"{name}: {(FOLDER / name).stat().st_size // 1000} kB", file=sys.stderr)


if __name__ == "__main__":
    main(sys.argv[1:])
