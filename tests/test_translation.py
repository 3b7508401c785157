"""Every text in a Jinja template can be translated: `makemessages` finds it, as a whole."""

from collections.abc import Iterator
from pathlib import Path

import pytest
from django.utils.translation.template import templatize
from jinja2 import Environment, nodes

TEMPLATES = Path(__file__).resolve().parent.parent / "templates"
JINJA_TEMPLATES = sorted(TEMPLATES.rglob("*.jinja"))


def texts_of(source: str) -> Iterator[nodes.Expr]:
    """The arguments of `_` in a template."""
    for call in Environment(autoescape=True).parse(source).find_all(nodes.Call):
        if isinstance(call.node, nodes.Name) and call.node.name == "_":
            yield call.args[0]


@pytest.mark.parametrize("path", JINJA_TEMPLATES, ids=lambda path: path.name)
def test_makemessages_finds_each_text_of_a_jinja_template(path: Path) -> None:
    source = path.read_text(encoding="utf-8")
    found = templatize(source, origin=str(path))
    for text in texts_of(source):
        assert isinstance(text, nodes.Const), "a text that is put together cannot be translated"
        assert f'_("{text.value}")' in found or f"_('{text.value}')" in found, text.value


def test_jinja_templates_contain_more_than_100_texts() -> None:
    assert sum(len(list(texts_of(path.read_text(encoding="utf-8")))) for path in JINJA_TEMPLATES) > 100
