"""Customer Expenditure, the page on which an administrator imports a report about the partner's own customers.

See rule 8.5 (docs/rules.md).
"""

import gzip
from decimal import Decimal

import pytest
from django.core.files.uploadedfile import SimpleUploadedFile

from budgets.models import Expenditure, ExpenditureReport
from tests import factories

pytestmark = pytest.mark.clock("2026-09-20 04:00")

PAGE = "/customers/expenditure/"
HEADER = "customer_id,month,list_price_total\n"


def upload(client, *texts: str | bytes):
    files = [
        SimpleUploadedFile(f"part{n}.csv", text if isinstance(text, bytes) else text.encode())
        for n, text in enumerate(texts)
    ]
    return client.post(PAGE, {"file": files})


def test_a_report_is_imported_and_its_page_says_what_it_changed(acme, ann, sign_in):
    mine = factories.customer(acme, "mine")
    factories.budget(mine, ann, "100")
    client = sign_in(ann)
    response = upload(client, f"{HEADER}mine,2026-09,100\n")
    assert response.status_code == 302
    page = client.get(response["Location"]).content.decode()
    assert "1 total changed" in page
    assert "1 account is frozen" in page
    assert mine.account_name in page
    assert mine.name not in page
    assert factories.fresh(mine).is_frozen


def test_lines_about_other_customers_are_counted_and_not_stored(acme, borealis, ann, sign_in):
    factories.customer(acme, "mine")
    factories.customer(borealis, "theirs")
    upload(sign_in(ann), f"{HEADER}mine,2026-09,10\ntheirs,2026-09,10\nnobody,2026-09,10\n")
    assert list(Expenditure.objects.values_list("account", flat=True)) == ["mine"]
    summary = ExpenditureReport.objects.get().summary
    assert (summary["not_yours"], summary["unknown"], summary["customers"]) == (2, 0, 1)


def test_bad_lines_are_listed_and_nothing_is_imported(acme, ann, sign_in):
    factories.customer(acme, "mine")
    response = upload(sign_in(ann), f"{HEADER}mine,2026-09,10\nmine,September,10\n")
    assert response.status_code == 422
    assert "part0.csv, line 3: " in response.content.decode()
    assert not Expenditure.objects.exists()


def test_several_files_are_one_report_gzipped_or_not(acme, ann, sign_in):
    factories.customers(acme, 2)
    ids = sorted(acme.customers.values_list("customer_id", flat=True))
    upload(sign_in(ann), f"{HEADER}{ids[0]},2026-09,10\n", gzip.compress(f"{HEADER}{ids[1]},2026-09,5.5\n".encode()))
    assert dict(Expenditure.objects.values_list("account", "total")) == {
        ids[0]: Decimal("10.00"),
        ids[1]: Decimal("5.50"),
    }
    assert ExpenditureReport.objects.get().sources == ["part0.csv", "part1.csv"]


def test_without_a_file_the_form_asks_for_one(ann, sign_in):
    response = sign_in(ann).post(PAGE)
    assert response.status_code == 422
    assert "Choose the files of the report." in response.content.decode()


def test_an_empty_file_is_refused(ann, sign_in):
    response = upload(sign_in(ann), "")
    assert response.status_code == 422
    assert "A chosen file is empty." in response.content.decode()


def test_a_report_larger_than_the_limit_is_refused(ann, sign_in, settings):
    settings.UPLOAD_MAX_MEGABYTES = 0
    response = upload(sign_in(ann), f"{HEADER}mine,2026-09,10\n")
    assert response.status_code == 422
    assert "larger than 0 MB" in response.content.decode()


def test_a_report_that_changes_nothing_says_so_and_leaves_no_row(acme, ann, sign_in):
    client = sign_in(ann)
    response = client.post(PAGE, {"file": SimpleUploadedFile("a.csv", HEADER.encode())}, follow=True)
    assert "Nothing to update: the report has no lines." in response.content.decode()
    assert not ExpenditureReport.objects.exists()


def test_of_the_platforms_reports_a_partner_sees_only_its_own_frozen_customers(acme, borealis, ann, carl, sign_in):
    mine, theirs = factories.customer(acme, "mine"), factories.customer(borealis, "theirs")
    factories.budget(mine, ann, "10")
    factories.budget(theirs, carl, "10")
    factories.report((mine, "2026-09", "10"), (theirs, "2026-09", "12345.67"))
    client = sign_in(ann)
    report = ExpenditureReport.objects.get()
    pages = client.get(PAGE).content.decode() + client.get(f"{PAGE}{report.pk}/").content.decode()
    assert mine.account_name in pages
    assert theirs.account_name not in pages
    assert "12,345.67" not in pages
    assert "12,355.67" not in pages


def test_a_report_about_another_partners_customers_says_that_nothing_was_updated(borealis, ann, sign_in):
    factories.customer(borealis, "theirs")
    response = sign_in(ann).post(
        PAGE, {"file": SimpleUploadedFile("a.csv", f"{HEADER}theirs,2026-09,1\n".encode())}, follow=True
    )
    assert "the only line does not concern your customers (unknown IDs: 1)." in response.content.decode()


def test_another_partners_report_does_not_exist(acme, borealis, ann, carl, sign_in):
    factories.customer(borealis, "theirs")
    upload(sign_in(carl), f"{HEADER}theirs,2026-09,10\n")
    report = ExpenditureReport.objects.get()
    assert sign_in(carl).get(f"{PAGE}{report.pk}/").status_code == 200
    assert sign_in(ann).get(f"{PAGE}{report.pk}/").status_code == 404
    assert str(report.pk) not in sign_in(ann).get(PAGE).content.decode()


@pytest.mark.parametrize("person", ["ben", "vera", "dora"])
def test_only_a_partners_administrator_may_import_reports(person, request, sign_in):
    client = sign_in(request.getfixturevalue(person))
    assert client.get(PAGE).status_code == 403
    assert upload(client, HEADER).status_code == 403
