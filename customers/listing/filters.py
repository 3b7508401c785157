"""The filters of lists: form fields that read them from a query string, and functions that apply them.

Every field of a filter form is a filter, except those that set order and page size. `NARROW_BY` maps each filter of
customers to its function, which also gets the user, as a filter must not search what this person may not see.
"""

from collections.abc import Callable, Iterable, Mapping
from datetime import date, datetime, time, timedelta
from decimal import Decimal
from typing import Any, ClassVar

from django import forms
from django.core.validators import MaxValueValidator
from django.db.models import Exists, F, OuterRef, Q, QuerySet, Subquery, Value
from django.db.models.functions import StrIndex
from django.db.models.lookups import GreaterThan
from django.utils import timezone
from django.utils.functional import cached_property
from django.utils.safestring import SafeString
from django.utils.translation import get_language
from django.utils.translation import gettext_lazy as _

from budgets.models import Expenditure
from budgets.months import month_of
from customers.listing.ordering import OWN_BUDGET
from customers.listing.retention import DAY, WEEK, ending_within
from customers.listing.status import Status
from customers.models import FLAG_COMBINATIONS, AccountFlags, Customer, CustomerQuerySet, FreezeOrigin
from customers.search import fold
from partnercenter.lib.errors import InvalidRequest
from partnercenter.lib.money import LARGEST_BUDGET, AmountField
from partnercenter.models import BudgetType, User

SIZES = (10, 20, 50, 100)
DEFAULT_SIZE = 50
LARGEST_USAGE = 10**12
EARLIEST, LATEST = date(1990, 1, 1), date(2999, 12, 31)

# Gets the queryset, the value of the filter and the user.
Narrow = Callable[..., CustomerQuerySet]


# --- Form fields ------------------------------------------------------------------------------------------------------


def without_spaces(value: Any) -> Any:
    """Strip leading and trailing spaces from text; leave other values as they are."""
    return value.strip() if isinstance(value, str) else value


class AmountBound(AmountField):
    """An amount to compare with. Unlike a budget it may be 0."""

    default_validators = [
        MaxValueValidator(LARGEST_BUDGET, _("Enter an amount of at most 2,147,483,647.00.")),
    ]


class DayField(forms.DateField):
    """A date far enough from both ends of the calendar to be converted to any time zone."""

    widget = forms.DateInput(format="%Y-%m-%d", attrs={"type": "date"})
    input_formats = ["%Y-%m-%d"]

    def to_python(self, value: Any) -> date | None:
        day = super().to_python(without_spaces(value))
        if day is not None and not EARLIEST <= day <= LATEST:
            raise forms.ValidationError(self.error_messages["invalid"], code="invalid")
        return day


class PercentField(forms.IntegerField):
    """A whole percentage. It is a text input, because browsers send nothing for a number input that holds `5k`."""

    widget = forms.TextInput(attrs={"inputmode": "numeric", "autocomplete": "off"})

    def __init__(self, *, label: Any, required: bool) -> None:
        super().__init__(label=label, required=required, min_value=-LARGEST_USAGE, max_value=LARGEST_USAGE)

    def to_python(self, value: object) -> int | None:
        # Python would read 1_0 as 10.
        if "_" in str(value):
            raise forms.ValidationError(self.error_messages["invalid"], code="invalid")
        return super().to_python(without_spaces(value))


def choice_filter(label: Any, choices: Iterable, unset: Any = None) -> forms.ChoiceField:
    """A field to filter by one of these choices. `unset` labels the empty choice."""
    return forms.ChoiceField(label=label, choices=[("", unset or _("All")), *choices], required=False)


# --- Forms ------------------------------------------------------------------------------------------------------------


class SharedFields(dict[str, forms.Field]):
    """Form fields that are never modified, so that all forms share them. Django would copy them for each form."""

    def __deepcopy__(self, _memo: object) -> "SharedFields":
        return self


class FilterField(forms.BoundField):
    """A filter on the page. The HTML of a filter that is not set is rendered once per language."""

    _unset: ClassVar[dict[tuple[type[forms.BaseForm], str, str | None], SafeString]] = {}

    def as_widget(
        self, widget: forms.Widget | None = None, attrs: dict | None = None, only_initial: bool = False
    ) -> SafeString:
        if widget or attrs or only_initial or self.data:
            return super().as_widget(widget, attrs, only_initial)
        form = type(self.form)
        key = (form, self.name, get_language())
        if key not in self._unset:
            self._unset[key] = forms.BoundField.as_widget(form({})[self.name])
        return self._unset[key]


class FilterForm(forms.Form):
    """The filters of a list, with its order and page size.

    A filter that cannot be read, or a range that ends before it begins, is an error of its field, and the list is then
    empty. An order or page size that cannot be read is ignored.
    """

    # Fields that are not filters.
    ORDERS: ClassVar = frozenset({"sort", "size"})
    # The first and the last field of each range.
    RANGES: ClassVar[Mapping[str, str]] = {}

    def clean(self) -> None:
        for first, last in self.RANGES.items():
            begin, end = (self.cleaned_data.get(name) for name in (first, last))
            if begin is not None and end is not None and begin > end:
                self.add_error(last, _("The end of this range is before its beginning."))

    @classmethod
    def filter_names(cls) -> list[str]:
        """The names of all filters, in the order of the form."""
        return [name for name in cls.base_fields if name not in cls.ORDERS]

    @cached_property
    def values(self) -> dict[str, Any]:
        """All non-empty values that could be read, including order and page size."""
        self.is_valid()
        return {name: value for name, value in self.cleaned_data.items() if value not in (None, "")}

    @cached_property
    def active(self) -> dict[str, Any]:
        """The filters that are set, with their values, in the order of the form."""
        return {name: self.values[name] for name in self.filter_names() if name in self.values}

    @cached_property
    def problems(self) -> dict[str, str]:
        """The filters that cannot be read, each with its error message, in the order of the form."""
        return {name: str(self.errors[name][0]) for name in self.filter_names() if name in self.errors}

    @property
    def problem_fields(self) -> list[tuple[forms.BoundField, str]]:
        """The fields of `problems`, each with its error message."""
        return [(self[name], problem) for name, problem in self.problems.items()]

    @property
    def is_filtered(self) -> bool:
        """Whether any filter is set, readable or not."""
        return bool(self.active or self.problems)

    def refuse_unreadable(self) -> None:
        """Raise InvalidRequest if a filter cannot be read, as it is then unknown which customers are meant."""
        for name, problem in self.problems.items():
            facts = {"label": self.fields[name].label, "problem": problem}
            raise InvalidRequest(
                _("The filter “%(label)s” cannot be read. %(problem)s Go back to the list and correct it.") % facts
            )

    @property
    def per_page(self) -> int:
        """The number of rows on a page."""
        return int(self.values.get("size") or DEFAULT_SIZE)


def sort_field(keys: Iterable[str]) -> forms.ChoiceField:
    """A hidden field for the sort key; a leading `-` means descending order."""
    choices = [(sign + key, key) for key in keys for sign in ("", "-")]
    return forms.ChoiceField(choices=[("", ""), *choices], widget=forms.HiddenInput, required=False)


def size_field() -> forms.ChoiceField:
    """A field to choose the number of rows on a page."""
    return choice_filter(_("Rows per page"), [(str(size), size) for size in SIZES], _("Default"))


def search_field() -> forms.CharField:
    """A field to search names, account names and customer IDs."""
    return forms.CharField(label=_("Search"), max_length=200, required=False)


# The column of each sort key.
SORTS = {
    "name": "name",
    "account_name": "account_name",
    "usage": "budget__usage",
    "amount": "budget__amount",
    "used": "budget__used",
    "runs_out": "budget__runs_out_on",
    "associated_on": "associated_on",
}
DEFAULT_SORT = "account_name"


class CustomerFilterForm(FilterForm):
    """The filters of Customer Management. A new one needs a field here and a function in `NARROW_BY`."""

    bound_field_class = FilterField
    RANGES: ClassVar = {
        "usage_min": "usage_max",
        "mtd_min": "mtd_max",
        "runs_out_after": "runs_out_before",
        "associated_after": "associated_before",
    }

    q = search_field()
    status = choice_filter(_("Status"), Status.choices, _("All statuses"))
    budget_type = choice_filter(
        _("Budget type"), [*BudgetType.choices, ("NONE", _("No budget"))], _("All budget types")
    )
    reseller = forms.CharField(label=_("Reseller"), max_length=128, required=False)
    usage_min = PercentField(label=_("Usage from (%)"), required=False)
    usage_max = PercentField(label=_("Usage to (%)"), required=False)
    auto_frozen = choice_filter(_("Automatically frozen"), [("1", _("Yes")), ("0", _("No"))])
    mtd_min = AmountBound(label=_("Month-to-date expenditure from"), required=False)
    mtd_max = AmountBound(label=_("Month-to-date expenditure to"), required=False)
    runs_out_after = DayField(label=_("Runs out from"), required=False)
    runs_out_before = DayField(label=_("Runs out to"), required=False)
    association_type = choice_filter(_("Association type"), Customer.AssociationType.choices)
    associated_after = DayField(label=_("Associated from"), required=False)
    associated_before = DayField(label=_("Associated to"), required=False)
    retention = choice_filter(
        _("Data may be deleted"),
        [(str(WEEK.days), _("Within seven days")), (str(DAY.days), _("Within one day")), ("0", _("Already"))],
    )
    manager = forms.CharField(label=_("Account manager"), required=False)
    tag = forms.CharField(label=_("Tag"), required=False)
    sort = sort_field(SORTS)
    size = size_field()


class DecisionFilterForm(FilterForm):
    """The filters of Decisions. By default the budget that has been used up longest comes first."""

    bound_field_class = FilterField

    q = search_field()
    manager = forms.CharField(label=_("Account manager"), max_length=128, required=False)
    sort = sort_field(("since", "overspend", "per_day"))
    size = size_field()

    @property
    def sorted_by(self) -> str:
        """The sort key, with a leading `-` for descending order."""
        return self.values.get("sort") or "since"


for form in (CustomerFilterForm, DecisionFilterForm):
    form.base_fields = SharedFields(form.base_fields)


# --- How each filter is applied ---------------------------------------------------------------------------------------


def by_search(customers: CustomerQuerySet, text: str, _user: User) -> CustomerQuerySet:
    """Customers whose name or account name contains the text, or whose customer ID equals it.

    A text of only one or two characters must be at the beginning of a name.
    """
    # The ID is looked up in a subquery of its own: all other columns are then in indexes of the list.
    same_id = Customer.objects.current().filter(customer_id=text)
    return customers.filter(Q(search__holds=fold(text)) | Q(pk=Subquery(same_id.values("pk"))))


def by_reseller(customers: CustomerQuerySet, account_name: str, _user: User) -> CustomerQuerySet:
    """Customers of the partner with exactly this account name."""
    return customers.filter(partner__account_name=account_name)


def usage_from(customers: CustomerQuerySet, percent: int, _user: User) -> CustomerQuerySet:
    """Customers with at least this usage in whole percent, as the list shows it. Those without a budget never match."""
    return customers.filter(OWN_BUDGET, budget__usage__gte=percent)


def usage_to(customers: CustomerQuerySet, percent: int, _user: User) -> CustomerQuerySet:
    """Customers with at most this usage in whole percent, as the list shows it. Those without a budget never match."""
    return customers.filter(OWN_BUDGET, budget__usage__lte=percent)


def by_automatic_freeze(customers: CustomerQuerySet, yes: str, _user: User) -> CustomerQuerySet:
    """Customers frozen because their budget was exhausted ("1"), or all others ("0")."""
    frozen = [flags for flags in FLAG_COMBINATIONS if flags & AccountFlags.FROZEN]
    automatic = Q(state__in=frozen, freeze_origin=FreezeOrigin.BUDGET_EXHAUSTED)
    return customers.filter(automatic) if yes == "1" else customers.exclude(automatic)


def spent_from(customers: CustomerQuerySet, amount: Decimal, _user: User) -> CustomerQuerySet:
    """Customers whose expenditure this month is at least this amount; if none is reported, it counts as 0."""
    if amount > 0:
        return customers.filter(Exists(_this_month(total__gte=amount)))
    return customers.filter(~Exists(_this_month(total__lt=amount)))


def spent_to(customers: CustomerQuerySet, amount: Decimal, _user: User) -> CustomerQuerySet:
    """Customers whose expenditure this month is at most this amount; if none is reported, it counts as 0."""
    return customers.filter(~Exists(_this_month(total__gt=amount)))


def _this_month(**total: Decimal) -> QuerySet[Expenditure]:
    return Expenditure.objects.filter(customer=OuterRef("pk"), month=month_of(timezone.now()), **total)


def runs_out_from(customers: CustomerQuerySet, day: date, _user: User) -> CustomerQuerySet:
    """Customers whose budget runs out on this day or later. Those whose day is unknown never match."""
    return customers.filter(OWN_BUDGET, budget__runs_out_on__gte=day)


def runs_out_to(customers: CustomerQuerySet, day: date, _user: User) -> CustomerQuerySet:
    """Customers whose budget runs out on this day or earlier. Those whose day is unknown never match."""
    return customers.filter(OWN_BUDGET, budget__runs_out_on__lte=day)


def by_association_type(customers: CustomerQuerySet, kind: str, _user: User) -> CustomerQuerySet:
    """Customers of the reseller model or of the referral model."""
    return customers.filter(association_type=kind)


def associated_from(customers: CustomerQuerySet, day: date, _user: User) -> CustomerQuerySet:
    """Customers associated on this day or later, in the partner's time zone."""
    return customers.filter(associated_on__gte=start_of_day(day))


def associated_to(customers: CustomerQuerySet, day: date, _user: User) -> CustomerQuerySet:
    """Customers associated on this day or earlier, in the partner's time zone."""
    return customers.filter(associated_on__lt=start_of_day(day + timedelta(days=1)))


def by_retention(customers: CustomerQuerySet, days: str, _user: User) -> CustomerQuerySet:
    """Customers whose retention deadline is at most this many days ahead, or for "0", has passed."""
    if days == "0":
        return customers.filter(retention_until__lte=timezone.now())
    return ending_within(customers, timedelta(days=int(days)))


def by_manager(customers: CustomerQuerySet, manager: str, _user: User) -> CustomerQuerySet:
    """Customers whose account manager has exactly this name."""
    # The first condition repeats that of the partial index.
    return customers.filter(~Q(account_manager=""), account_manager=manager)


def by_tag(customers: CustomerQuerySet, tag: str, _user: User) -> CustomerQuerySet:
    """Customers with exactly this tag."""
    if ";" in tag:
        return customers.none()
    delimited = f";{tag};"
    # `contains` alone ignores letter case on SQLite; PostgreSQL has an index for it.
    same_case = GreaterThan(StrIndex(F("tags"), Value(delimited)), 0)
    return customers.filter(same_case, ~Q(tags=""), tags__contains=delimited)


def start_of_day(day: date) -> datetime:
    """Midnight at the start of a day in the active time zone, which is the partner's."""
    return timezone.make_aware(datetime.combine(day, time.min))


# Filters by account flags, which the indexes of the list begin with: `CustomerList` applies them.
BY_FLAGS = frozenset({"status", "budget_type"})
NARROW_BY: dict[str, Narrow] = {
    "q": by_search,
    "reseller": by_reseller,
    "usage_min": usage_from,
    "usage_max": usage_to,
    "auto_frozen": by_automatic_freeze,
    "mtd_min": spent_from,
    "mtd_max": spent_to,
    "runs_out_after": runs_out_from,
    "runs_out_before": runs_out_to,
    "association_type": by_association_type,
    "associated_after": associated_from,
    "associated_before": associated_to,
    "retention": by_retention,
    "manager": by_manager,
    "tag": by_tag,
}


def narrow(customers: CustomerQuerySet, filters: Mapping[str, object], user: User) -> CustomerQuerySet:
    """Apply the filters, except those by account flags, to the customers."""
    for name, value in filters.items():
        if name not in BY_FLAGS:
            customers = NARROW_BY[name](customers, value, user)
    return customers
