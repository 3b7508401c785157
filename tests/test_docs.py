"""The documents are true: settings, commands, files and layers are as README.md and docs/ say."""

import re
import subprocess
import tomllib
from functools import cache
from io import StringIO
from pathlib import Path
from typing import Any

import pytest
from django.core.management import call_command, get_commands, load_command_class

from budgets.management.commands.seed_demo import accounts_table
from customers.models import Customer, FreezeOrigin
from partnercenter.models import User
from tests import factories
from tests.screenshots.__main__ import SHOWN_IN_DOCUMENTS

ROOT = Path(__file__).resolve().parent.parent
PAGES = [
    *(ROOT / name for name in ("README.md", "CHANGELOG.md", "CONTRIBUTING.md")),
    *sorted((ROOT / "docs").glob("*.md")),
]
ROOMS = ("partnercenter", "customers", "budgets")
# Paths that exist only once the console was set up or has run, and a time zone.
NOT_IN_THE_TREE = ("var/", ".venv", "Asia/", "exports/")
# Folders named by Django, inside those that docs/architecture.md names.
NAMED_BY_DJANGO = {"migrations", "commands", "templatetags"}
A_FILE = re.compile(r"\.?[\w-]+(/[\w.-]+)+/?|[\w-]+/|[\w.-]+\.(py|md|toml|txt|html|js|css)|\.env\.example")


@cache
def text(path: str) -> str:
    return (ROOT / path).read_text(encoding="utf-8")


@cache
def all_pages() -> str:
    return "\n".join(page.read_text(encoding="utf-8") for page in PAGES)


def settings_read() -> set[str]:
    return set(re.findall(r"""env\.\w+\(\s*["']([A-Z_]+)["']""", text("partnercenter/settings.py")))


def own_commands() -> set[str]:
    return {name for name, app in get_commands().items() if app in ROOMS}


def make_targets() -> set[str]:
    return set(re.findall(r"^([a-z-]+):.*## ", text("Makefile"), re.MULTILINE))


def test_operating_lists_exactly_the_settings_that_are_read():
    documented = re.findall(r"^\| `([A-Z_]+)` \|", text("docs/operating.md"), re.MULTILINE)
    assert len(documented) == len(set(documented))
    assert set(documented) == settings_read() != set()


def test_the_example_environment_lists_exactly_the_settings_that_are_read():
    example = re.findall(r"^#([A-Z_]+)=", text(".env.example"), re.MULTILINE)
    assert len(example) == len(set(example))
    assert set(example) == settings_read()


def test_every_own_command_is_documented():
    documented = set(re.findall(r"manage\.py ([a-z_]+)", text("README.md") + text("docs/operating.md")))
    assert own_commands() - documented == set()
    assert len(own_commands()) == 11


@pytest.mark.parametrize("name", sorted(set(re.findall(r"manage\.py ([a-z_]+)", all_pages()))))
def test_a_documented_command_exists_with_the_options_shown(name):
    app: Any = get_commands().get(name)
    assert app is not None, f"no such command: {name}"
    command = load_command_class(app, name) if isinstance(app, str) else app
    help_text = command.create_parser("manage.py", name).format_help()
    for line in re.findall(rf"manage\.py {name}\b([^\n`|]*)", all_pages()):
        for option in re.findall(r"(?<!\S)--[a-z-]+", line):
            assert option in help_text, f"manage.py {name} has no {option}"


def test_every_make_target_is_documented_and_every_documented_one_exists():
    documented = set(re.findall(r"\bmake ([a-z-]+)`", all_pages())) | set(
        re.findall(r"^make (\w+)$", all_pages(), re.MULTILINE)
    )
    assert documented == make_targets() != set()


def test_the_documented_variables_of_make_exist():
    for name in ("PORT", "ARGS", "WORKERS"):
        assert re.search(rf"^{name} \?=", text("Makefile"), re.MULTILINE)
    for name in ("POSTGRES_URL", "WORKERS"):
        assert f"${{{name}:-" in text(".ci/run")


@pytest.mark.parametrize("document", PAGES, ids=lambda document: document.name)
def test_named_files_exist(document):
    prose = re.sub(r"^ *```.*?^ *```", "", document.read_text(encoding="utf-8"), flags=re.DOTALL | re.MULTILINE)
    named = [name for name in re.findall(r"`([^`\s]+)`", prose) if A_FILE.fullmatch(name)]
    # A bare name such as `models/` exists in at least one room.
    places = [ROOT, *(ROOT / room for room in ROOMS)]
    missing = [name for name in named if not any((place / name).exists() for place in places)]
    assert [name for name in missing if not name.startswith(NOT_IN_THE_TREE)] == []


@pytest.mark.parametrize("document", PAGES, ids=lambda document: document.name)
def test_links_lead_to_files(document):
    targets = re.findall(r"\]\(([^)#]+)[^)]*\)", document.read_text(encoding="utf-8"))
    assert [each for each in targets if "://" not in each and not (document.parent / each).exists()] == []


def test_the_documents_show_exactly_the_screenshots_kept_for_them():
    screenshots = {path.stem for path in (ROOT / "docs/screenshots").iterdir()}
    assert screenshots == set(SHOWN_IN_DOCUMENTS) == set(re.findall(r"screenshots/([\w-]+)\.png\)", all_pages()))


def test_architecture_names_every_folder_of_the_rooms():
    modules = {path for room in ROOMS for path in (ROOT / room).rglob("*.py") if path.name != "__init__.py"}
    folders = {folder for path in modules for folder in path.relative_to(ROOT).parent.parts}
    assert {
        folder for folder in folders if f"`{folder}/`" not in text("docs/architecture.md")
    } - NAMED_BY_DJANGO == set()


def test_architecture_shows_the_layers_that_are_checked():
    contract = tomllib.loads(text("pyproject.toml"))["tool"]["importlinter"]["contracts"][0]
    shown = re.search(r"```layers\n(.*?)```", text("docs/architecture.md"), re.DOTALL)
    assert shown is not None
    assert shown[1].splitlines() == [" ".join(line.split()) for line in contract["layers"]]


def test_the_readme_shows_the_demo_accounts():
    rows = [[cell.strip() for cell in line.strip("|").split("|")] for line in text("README.md").splitlines()]
    documented = [row[:4] for row in rows if len(row) == 5 and row[3] == "partner-center"]
    assert documented == [line.split() for line in accounts_table().splitlines()[1:]]


def test_the_walkthrough_of_the_readme_works_as_described(db, settings, tmp_path):
    settings.DEBUG, settings.VAR = True, tmp_path
    call_command("seed_demo", customers=1, stdout=StringIO())
    errand = re.search(
        r"Search for `(\d+)`.*?\n +(printf .*?) > (var/\S+)\n +\.venv/bin/python manage\.py (\w+) \3\n",
        text("README.md"),
        re.DOTALL,
    )
    assert errand is not None
    customer = Customer.objects.get(customer_id=errand[1], partner__account_name="acme-reseller")
    assert (customer.freeze_origin, hasattr(customer, "budget")) == (FreezeOrigin.ASSOCIATION, False)
    ann = User.objects.get(username="ann")
    factories.budget(customer, ann, "1000")
    assert not factories.fresh(customer).is_frozen
    report = tmp_path / "report.csv"
    report.write_bytes(subprocess.run(["bash", "-c", errand[2]], check=True, capture_output=True).stdout)
    call_command(errand[4], report, stdout=StringIO())
    assert factories.fresh(customer).freeze_origin == FreezeOrigin.BUDGET_EXHAUSTED
    factories.budget(customer, ann, "2000")
    assert not factories.fresh(customer).is_frozen
