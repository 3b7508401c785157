"""Every text of the pages can be translated: `makemessages` finds it, as a whole."""

from collections.abc import Iterator
from pathlib import Path

import pytest
from django.utils.translation.template import templatize
from jinja2 import Environment, nodes

TEMPLATES = Path(__file__).resolve().parent.parent / "templates"
DRAWN_BY_JINJA = sorted(TEMPLATES.rglob("*.jinja"))


def texts_of(source: str) -> Iterator[nodes.Expr]:
    """What is handed to `_` in a template."""
    for call in Environment(autoescape=True).parse(source).find_all(nodes.Call):
        if isinstance(call.node, nodes.Name) and call.node.name == "_":
            yield call.args[0]


@pytest.mark.parametrize("path", DRAWN_BY_JINJA, ids=lambda path: path.name)
def test_each_text_that_jinja_draws_is_found_by_makemessages(path: Path) -> None:
    source = path.read_text(encoding="utf-8")
    found = templatize(source, origin=str(path))
    for text in texts_of(source):
        assert isinstance(text, nodes.Const), "a text that is put together cannot be translated"
        assert f'_("{text.value}")' in found or f"_('{text.value}')" in found, text.value


def test_there_are_texts_to_look_at() -> None:
    assert sum(len(list(texts_of(path.read_text(encoding="utf-8")))) for path in DRAWN_BY_JINJA) > 100
