"""An uploaded report with implausible totals: an administrator reads the figures and confirms it, or does not.

See rules 8.3, 8.5 (docs/rules.md).
"""

from decimal import Decimal

import pytest
from django.core.files.storage import default_storage
from django.core.files.uploadedfile import SimpleUploadedFile
from django.core.management import call_command
from django.core.management.base import CommandError
from django.http import HttpResponse

from budgets.actions.report_imports import expire_unconfirmed
from budgets.models import Expenditure, ReportImport
from customers.models import Customer
from tests import factories

pytestmark = pytest.mark.clock("2026-09-20 04:00")

PAGE = "/customers/expenditure/"


@pytest.fixture
def customers(acme, ann) -> list[Customer]:
    """Thirty customers with an automatic budget of 100, of which 10 is used."""
    made = factories.customers(acme, 30)
    factories.budget(made, ann, "100")
    factories.report(*[(each, "2026-09", "10") for each in made])
    return made


def upload(client, customers: list[Customer], total: str, name: str = "september.csv") -> HttpResponse:
    text = "customer_id,month,list_price_total\n"
    text += "".join(f"{each.customer_id},2026-09,{total}\n" for each in customers)
    return client.post(PAGE, {"file": SimpleUploadedFile(name, text.encode())})


def waiting() -> ReportImport:
    return ReportImport.objects.get(state=ReportImport.State.NEEDS_CONFIRMATION)


def totals() -> set[Decimal]:
    return set(Expenditure.objects.values_list("total", flat=True))


def test_the_page_shows_both_sums_what_would_be_frozen_and_the_largest_changes(customers, ann, sign_in):
    client = sign_in(ann)
    response = upload(client, customers, "100.01")
    page = client.get(response["Location"]).content.decode()
    for text in ("300.00", "3,000.30", "much higher than the stored ones", customers[0].customer_id, "100.01"):
        assert text in page
    assert customers[0].name not in page
    assert "Needs confirmation" in client.get(PAGE).content.decode()
    assert totals() == {Decimal("10.00")}
    assert not Customer.objects.frozen().exists()


def test_after_confirming_it_is_imported_and_freezes(customers, ann, sign_in):
    client = sign_in(ann)
    path = upload(client, customers, "100.01")["Location"]
    response = client.post(path, {"read": "on"}, follow=True)
    page = response.content.decode()
    assert "30 totals changed" in page
    assert "Confirmed by" in page
    assert totals() == {Decimal("100.01")}
    assert Customer.objects.frozen().count() == 30
    report_import = ReportImport.objects.get(sources=["september.csv"])
    assert (report_import.state, report_import.confirmed_by, report_import.files) == ("IMPORTED", "ann", [])


def test_without_the_tick_nothing_is_imported(customers, ann, sign_in):
    client = sign_in(ann)
    response = client.post(upload(client, customers, "100.01")["Location"])
    assert response.status_code == 422
    assert "Tick that you have read the figures" in response.content.decode()
    assert totals() == {Decimal("10.00")}


def test_not_importing_it_refuses_it_and_deletes_its_files(customers, ann, sign_in):
    client = sign_in(ann)
    path = upload(client, customers, "1")["Location"]
    [(_name, stored)] = waiting().files
    assert default_storage.exists(stored)
    response = client.post(path, {"refuse": "1"}, follow=True)
    assert "The report was not imported." in response.content.decode()
    assert not default_storage.exists(stored)
    assert "ann decided not to import it." in client.get(path).content.decode()
    assert "no longer waits for a confirmation" in client.post(path, {"read": "on"}, follow=True).content.decode()
    assert totals() == {Decimal("10.00")}


def test_after_a_day_it_is_refused(customers, ann, sign_in, clock):
    path = upload(sign_in(ann), customers, "1")["Location"]
    [(_name, stored)] = waiting().files
    clock.move_to(factories.moment("2026-09-21 04:01"))
    response = sign_in(ann).post(path, {"read": "on"}, follow=True)
    assert "no longer waits for a confirmation" in response.content.decode()
    assert totals() == {Decimal("10.00")}
    assert expire_unconfirmed() == 1
    assert not default_storage.exists(stored)
    assert "Nobody confirmed this report within 24 hours." in sign_in(ann).get(path).content.decode()


def test_another_partners_report_cannot_be_confirmed(customers, ann, carl, sign_in):
    path = upload(sign_in(ann), customers, "1")["Location"]
    assert sign_in(carl).get(path).status_code == 404
    assert sign_in(carl).post(path, {"read": "on"}).status_code == 404
    assert totals() == {Decimal("10.00")}


@pytest.mark.parametrize("person", ["ben", "vera"])
def test_only_administrators_confirm(customers, ann, person, request, sign_in):
    path = upload(sign_in(ann), customers, "1")["Location"]
    assert sign_in(request.getfixturevalue(person)).post(path, {"read": "on"}).status_code == 403
    assert totals() == {Decimal("10.00")}


def test_a_partner_sees_that_the_platforms_report_waits_but_neither_its_figures_nor_its_ids(
    customers, borealis, ann, sign_in, tmp_path
):
    theirs = factories.customers(borealis, 30)
    factories.report(*[(each, "2026-09", "77") for each in theirs])
    file = tmp_path / "platform.csv"
    lines = (f"{each.customer_id},2026-09,1.23\n" for each in theirs)
    file.write_text("customer_id,month,list_price_total\n" + "".join(lines))
    with pytest.raises(CommandError):
        call_command("import_expenditure", str(file))
    client = sign_in(ann)
    pages = client.get(PAGE).content.decode() + client.get(f"{PAGE}{waiting().pk}/").content.decode()
    assert "Needs confirmation" in pages
    for text in (theirs[0].customer_id, "2,310.00", "36.90", "platform.csv", waiting().content_hash):
        assert text not in pages
    assert "no longer waits" in client.post(f"{PAGE}{waiting().pk}/", {"read": "on"}, follow=True).content.decode()
    assert waiting().content_hash


def test_the_platform_sees_the_whole_of_it_in_the_administration(customers, admin_client, tmp_path):
    file = tmp_path / "platform.csv"
    lines = (f"{each.customer_id},2026-09,1\n" for each in customers)
    file.write_text("customer_id,month,list_price_total\n" + "".join(lines))
    with pytest.raises(CommandError):
        call_command("import_expenditure", str(file))
    page = admin_client.get(f"/admin/budgets/reportimport/{waiting().pk}/change/").content.decode()
    assert customers[0].customer_id in page
    assert waiting().content_hash in page


def test_the_list_shows_how_many_totals_rose_and_fell(customers, ann, sign_in, clock):
    clock.move_to(factories.moment("2026-09-20 04:10"))
    factories.report(*[(each, "2026-09", str(5 + n)) for n, each in enumerate(customers)])
    page = sign_in(ann).get(PAGE).content.decode()
    cells = page.partition("<tbody>")[2].partition("</tr>")[0]
    for text in ("585.00", "300.00", ">24<", ">5<"):
        assert text in cells
