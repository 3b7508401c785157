"""Style sheets hold no dead rules: every class and id they name is used by a template or a script."""

import re
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parent.parent
STYLE_SHEETS = sorted((ROOT / "static").glob("*.css"))
# HTMX sets this class on an element while a request is running.
SET_BY_HTMX = {"htmx-request"}


def names_in(sheet: Path) -> set[str]:
    """The classes and ids that the selectors of a style sheet name."""
    rules = re.sub(r"/\*.*?\*/", "", sheet.read_text(encoding="utf-8"), flags=re.DOTALL)
    selectors = [text for text in re.findall(r"([^{}]+)\{", rules) if not text.strip().startswith("@")]
    return set(re.findall(r"[.#]([A-Za-z_][\w-]*)", " ".join(selectors)))


def is_used(name: str, source: str) -> bool:
    """Whether the name is written out, or composed of its beginning and a value, as in `status-{{ row.status }}`."""
    beginnings = [name[: match.end()] for match in re.finditer("-", name)]
    composed = any(f"{beginning}{opening}" in source for beginning in beginnings for opening in ("{{", "{%", "${"))
    return composed or re.search(rf"(?<![\w-]){re.escape(name)}(?![\w-])", source) is not None


@pytest.mark.parametrize("sheet", STYLE_SHEETS, ids=lambda sheet: sheet.name)
def test_every_class_and_id_of_a_style_sheet_is_used(sheet: Path) -> None:
    files = [*(ROOT / "templates").rglob("*.*"), *(ROOT / "static").glob("*.js")]
    source = "\n".join(path.read_text(encoding="utf-8") for path in files)
    names = names_in(sheet)
    assert names
    assert {name for name in names - SET_BY_HTMX if not is_used(name, source)} == set()
