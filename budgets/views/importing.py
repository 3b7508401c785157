"""Import Budgets: a CSV file of budgets is read, its bad lines are told, the good ones become a review."""

from typing import Any

from django.conf import settings
from django.contrib import messages
from django.http import HttpResponse
from django.shortcuts import redirect, render
from django.utils.translation import ngettext
from django.views.decorators.http import require_http_methods

from budgets.actions import Imported, current_month, review_import
from budgets.actions.importing import refuse_import
from budgets.forms import ImportForm
from partnercenter.csv_files import BadFile
from partnercenter.htmx import ConsoleRequest, for_partner
from partnercenter.refusals import Busy, NotAllowed, Refusal


@require_http_methods(["GET", "HEAD", "POST"])
@for_partner
def import_budgets(request: ConsoleRequest) -> HttpResponse:
    """Import Budgets: `file`, one CSV, leads to the review of what it changes, the same as every other.

    With bad lines 422 and a page that lists them; the review of the good ones waits there behind a button.
    `leave_out_bad` leads straight to it.
    """
    current_month()
    refuse_import(request.user)
    if request.method != "POST":
        return _show(request, ImportForm())
    form = ImportForm(request.POST, request.FILES)
    if not form.is_valid():
        return _show(request, form, status=422)
    file = form.cleaned_data["file"]
    try:
        told = review_import(file.name, file, operator=request.user)
    except BadFile as bad:
        return _show(request, form, status=422, bad_lines=[_line(line) for line in bad.bad_lines])
    except (NotAllowed, Busy):
        raise
    except Refusal as error:
        form.add_error(None, error.message)
        return _show(request, form, status=error.status)
    return _lead_on(request, form, told)


def _lead_on(request: ConsoleRequest, form: ImportForm, told: Imported) -> HttpResponse:
    """To the review, or to what is wrong with the file, or to nothing to be done."""
    if told.bad and (told.operation is None or not form.cleaned_data["leave_out_bad"]):
        return _show(request, form, status=422, told=told, bad_lines=[_line(line) for line in told.bad_lines])
    if told.operation is not None:
        return redirect("operation", pk=told.operation.pk)
    said = ngettext(
        "The file was read and changes nothing: %(n)s line.",
        "The file was read and changes nothing: %(n)s lines.",
        told.lines,
    )
    messages.info(request, said % {"n": told.lines})
    return redirect("import_budgets")


def _line(bad: Any) -> dict[str, Any]:
    return {"number": bad.line, "reason": bad.reason}


def _show(
    request: ConsoleRequest,
    form: ImportForm,
    *,
    status: int = 200,
    told: Imported | None = None,
    bad_lines: list[dict[str, Any]] | None = None,
) -> HttpResponse:
    context = {
        "form": form,
        "told": told,
        "same": told.lines - told.bad - told.reviewed if told else 0,
        "bad_lines": bad_lines or [],
        "max_megabytes": settings.UPLOAD_MAX_MEGABYTES,
    }
    return render(request, "budgets/import_budgets.html", context, status=status)
