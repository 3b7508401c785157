"""How names, e-mail addresses and mobile numbers are masked; see rule 7.4 (docs/rules.md)."""

import pytest

from customers.masking import mask_email, mask_mobile, mask_name

ACCENTED_E = "e\u0301"
FAMILY = "\U0001f468\u200d\U0001f469\u200d\U0001f467"
FLAG = "\U0001f1e8\U0001f1ed"
WAVING = "\U0001f44b\U0001f3fd"
HINDI_NI = "\u0928\u093f"


@pytest.mark.parametrize(
    ("name", "masked"),
    [
        ("Tailspin 0", "T****0"),
        ("Acme", "A****e"),
        ("Bob", "B****b"),
        ("王小明", "王****明"),
        ("  Acme  ", "A****e"),
        ("Nord Wind", "N****d"),
    ],
)
def test_a_name_shows_its_first_and_last_character(name: str, masked: str) -> None:
    assert mask_name(name) == masked


@pytest.mark.parametrize(("name", "masked"), [("Al", "A****"), ("王秀", "王****"), ("X", "X****"), (" X ", "X****")])
def test_a_name_of_two_characters_or_fewer_shows_only_the_first(name: str, masked: str) -> None:
    assert mask_name(name) == masked


@pytest.mark.parametrize("name", ["", "   "])
def test_an_empty_name_stays_empty(name: str) -> None:
    assert mask_name(name) == ""


@pytest.mark.parametrize("character", [ACCENTED_E, FAMILY, FLAG, WAVING, HINDI_NI])
def test_a_combined_character_is_never_split(character: str) -> None:
    assert mask_name(f"{character}bc{character}") == f"{character}****{character}"


@pytest.mark.parametrize("character", [ACCENTED_E, FAMILY, FLAG, WAVING, HINDI_NI])
def test_a_combined_character_counts_as_one(character: str) -> None:
    assert mask_name(character) == f"{character}****"
    assert mask_name(character * 2) == f"{character}****"


@pytest.mark.parametrize("name", ["Tailspin Toys", "王小明", f"Ann{FAMILY}a"])
def test_a_masked_name_reveals_neither_its_length_nor_its_middle(name: str) -> None:
    masked = mask_name(name)
    assert masked.count("*") == 4
    assert name[1:-1] not in masked


@pytest.mark.parametrize(
    ("address", "masked"),
    [
        ("operator@acme.example", "o****@acme.example"),
        ("o@acme.example", "o****@acme.example"),
        ("first.last+tag@mail.acme.example", "f****@mail.acme.example"),
        ("", ""),
    ],
)
def test_an_email_address_shows_its_first_character_and_domain(address: str, masked: str) -> None:
    assert mask_email(address) == masked


def test_an_email_address_never_splits_a_combined_character() -> None:
    assert mask_email(f"{ACCENTED_E}mile@acme.example") == f"{ACCENTED_E}****@acme.example"


@pytest.mark.parametrize(
    ("number", "masked"),
    [("13800138021", "138****21"), ("+4915112345678", "+49****78"), ("138021", "138****21"), ("", "")],
)
def test_a_mobile_number_shows_its_first_three_and_last_two_digits(number: str, masked: str) -> None:
    assert mask_mobile(number) == masked


@pytest.mark.parametrize(("number", "masked"), [("12345", "1****"), ("1", "1****")])
def test_a_mobile_number_of_five_digits_or_fewer_shows_only_the_first(number: str, masked: str) -> None:
    assert mask_mobile(number) == masked
