"""The forms by which files of budgets and of expenditure are sent."""

from typing import Any

from django import forms
from django.conf import settings
from django.core.exceptions import ValidationError
from django.utils.translation import gettext_lazy as _

from customers.agreement import agreement_field


class Files(forms.ClearableFileInput):
    """Several files of one report."""

    allow_multiple_selected = True


class FilesField(forms.FileField):
    """One or more files; gives a list."""

    widget = Files

    def clean(self, data: Any, initial: Any = None) -> list[Any]:
        files = data if isinstance(data, list | tuple) else [data]
        return [super(FilesField, self).clean(file, initial) for file in files or [None]]


class ReportForm(forms.Form):
    """The files of one expenditure report."""

    file = FilesField(
        label=_("Files"),
        help_text=_("One or more files of one report."),
        error_messages={"required": _("Choose the files of the report."), "empty": _("A chosen file is empty.")},
    )

    def clean_file(self) -> list[Any]:
        files = self.cleaned_data["file"]
        if sum(file.size for file in files) > settings.UPLOAD_MAX_MEGABYTES * 1024 * 1024:
            raise ValidationError(
                _("The files are larger than %(limit)s MB together. Ask the platform to take the report in.")
                % {"limit": settings.UPLOAD_MAX_MEGABYTES}
            )
        return files


class ImportForm(forms.Form):
    """A CSV file of budgets; whoever sends it may ask at once to leave out its bad lines."""

    file = forms.FileField(
        label=_("File"), error_messages={"required": _("Choose a file."), "empty": _("The chosen file is empty.")}
    )
    agreement = agreement_field()
    leave_out_bad = forms.BooleanField(required=False)

    def clean_file(self) -> Any:
        file = self.cleaned_data["file"]
        if file.size > settings.UPLOAD_MAX_MEGABYTES * 1024 * 1024:
            raise ValidationError(
                _("The file is larger than %(limit)s MB. Gzip it, or import it in parts.")
                % {"limit": settings.UPLOAD_MAX_MEGABYTES}
            )
        return file
