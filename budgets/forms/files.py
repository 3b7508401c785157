"""Forms to upload budget files and expenditure reports."""

from django import forms
from django.conf import settings
from django.core.exceptions import ValidationError
from django.core.files.uploadedfile import UploadedFile
from django.utils.translation import gettext_lazy as _

from customers.agreement import agreement_field


class MultipleFileInput(forms.ClearableFileInput):
    """A file input that allows several files."""

    allow_multiple_selected = True


class MultipleFileField(forms.FileField):
    """One or more files; its value is a list."""

    widget = MultipleFileInput

    def clean(self, data: object, initial: object = None) -> list[UploadedFile]:
        files = data if isinstance(data, list | tuple) else [data]
        return [super(MultipleFileField, self).clean(file, initial) for file in files or [None]]


class ReportForm(forms.Form):
    """The files of one expenditure report."""

    file = MultipleFileField(
        label=_("Files"),
        help_text=_("One or more files of one report."),
        error_messages={"required": _("Choose the files of the report."), "empty": _("A chosen file is empty.")},
    )

    def clean_file(self) -> list[UploadedFile]:
        files = self.cleaned_data["file"]
        if sum(file.size for file in files) > settings.UPLOAD_MAX_MEGABYTES * 1024 * 1024:
            raise ValidationError(
                _("The files are larger than %(limit)s MB together. Ask the platform to import the report.")
                % {"limit": settings.UPLOAD_MAX_MEGABYTES}
            )
        return files


class ConfirmReportForm(forms.Form):
    """The confirmation of a report whose totals differ much from the stored ones; see rule 8.3 (docs/rules.md)."""

    read = forms.BooleanField(
        label=_("I have read these figures, and they are right."),
        error_messages={"required": _("Tick that you have read the figures, or do not import the report.")},
    )


class ImportForm(forms.Form):
    """A CSV file of budgets. `leave_out_bad` goes straight to the review of the good lines."""

    file = forms.FileField(
        label=_("File"), error_messages={"required": _("Choose a file."), "empty": _("The chosen file is empty.")}
    )
    agreement = agreement_field()
    leave_out_bad = forms.BooleanField(required=False)

    def clean_file(self) -> UploadedFile:
        file = self.cleaned_data["file"]
        if file.size > settings.UPLOAD_MAX_MEGABYTES * 1024 * 1024:
            raise ValidationError(
                _("The file is larger than %(limit)s MB. Compress it with gzip, or split it into several files.")
                % {"limit": settings.UPLOAD_MAX_MEGABYTES}
            )
        return file
