"""The agreement to freezing resources: a wording that people were shown never changes (rule 4.4 (docs/rules.md))."""

from hashlib import sha256

from django.utils.translation import override

from customers.agreement import CURRENT_VERSION, WORDINGS, agreement_field

# The hash of each version that was ever current. To change the wording, add a version, and its hash here.
HASHES = {"2026-11": "6f47086a07bb6b618c6a70389b3739b706c7b2c1be49832482aa68f522c542ef"}


def test_a_wording_that_was_shown_is_never_altered():
    with override("en"):
        assert {version: sha256(str(text).encode()).hexdigest() for version, text in WORDINGS.items()} == HASHES


def test_the_checkbox_shows_the_current_wording_and_names_its_version():
    field = agreement_field()
    assert (field.help_text, CURRENT_VERSION in str(field.label)) == (WORDINGS[CURRENT_VERSION], True)
