"""The filters of the lists: how each is typed, and how it narrows the customers.

A list is asked for by its address. Every field of a filter form is a filter, except those that only order the list. A
filter narrows by the function of its name in a table; the function also gets the person who asks, because some of
what it searches may not be that person's to see.
"""

from collections.abc import Callable, Mapping
from datetime import date, datetime, time, timedelta
from decimal import Decimal
from functools import cache
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
from customers.models import FLAG_COMBINATIONS, AccountFlags, Customer, FreezeOrigin
from customers.search import fold
from partnercenter.lib.errors import InvalidRequest
from partnercenter.lib.money import LARGEST_BUDGET, AmountField
from partnercenter.models import BudgetType, User

SIZES = (10, 20, 50, 100)
DEFAULT_SIZE = 50
LARGEST_USAGE = 10**12
EARLIEST, LATEST = date(1990, 1, 1), date(2999, 12, 31)

Narrow = Callable[[QuerySet[Customer], Any, User], QuerySet[Customer]]


# --- How values are typed ---------------------------------------------------------------------------------------------


def without_spaces(value: Any) -> Any:
    """A text without spaces around it: nothing but spaces is nothing typed."""
    return value.strip() if isinstance(value, str) else value


class AmountBound(AmountField):
    """An amount to compare others with: 0 as well."""

    default_validators = [
        MaxValueValidator(LARGEST_BUDGET, _("Enter an amount of at most 2,147,483,647.00.")),
    ]


class DayField(forms.DateField):
    """A day that no time zone can move past either end of the calendar."""

    widget = forms.DateInput(format="%Y-%m-%d", attrs={"type": "date"})
    input_formats = ["%Y-%m-%d"]

    def to_python(self, value: Any) -> date | None:
        day = super().to_python(without_spaces(value))
        if day is not None and not EARLIEST <= day <= LATEST:
            raise forms.ValidationError(self.error_messages["invalid"], code="invalid")
        return day


class PercentField(forms.IntegerField):
    """A whole percent. The browser sends what was typed as it is: a number field would send nothing for `5k`."""

    widget = forms.TextInput(attrs={"inputmode": "numeric", "autocomplete": "off"})

    def __init__(self, **more: Any) -> None:
        super().__init__(min_value=-LARGEST_USAGE, max_value=LARGEST_USAGE, **more)

    def to_python(self, value: Any) -> int | None:
        return super().to_python(without_spaces(value))


def choice_filter(label: Any, choices: Any, unset: Any = None) -> forms.ChoiceField:
    """A filter by one of these choices; `unset` is the label of the empty one."""
    return forms.ChoiceField(label=label, choices=[("", unset or _("All")), *choices], required=False)


# --- Forms ------------------------------------------------------------------------------------------------------------


class SharedFields(dict[str, Any]):
    """Form fields that are never changed, so all requests share them instead of copying them."""

    def __deepcopy__(self, _memo: Any) -> "SharedFields":
        return self


class FilterField(forms.BoundField):
    """A filter in the page. One that is not set always looks the same: drawn once in each language."""

    def as_widget(self, *given: Any, **more: Any) -> SafeString:
        if given or more or self.data:
            return self.draw(*given, **more)
        form: Any = type(self.form)
        return _unset_filter(form, self.name, get_language())

    def draw(self, *given: Any, **more: Any) -> SafeString:
        return super().as_widget(*given, **more)


@cache
def _unset_filter(form: Any, name: str, _language: str | None) -> SafeString:
    return form({})[name].draw()


class FilterForm(forms.Form):
    """The filters of a list, and what orders it.

    A filter whose value cannot be read, or whose range is upside down, is an error of its field, and the list is then
    empty. What orders the list narrows nothing: there a value that cannot be read is ignored.
    """

    ORDERS: ClassVar = frozenset({"sort", "size"})
    # The first and the last value of each range.
    RANGES: ClassVar[Mapping[str, str]] = {}

    def clean(self) -> None:
        for first, last in self.RANGES.items():
            begin, end = (self.cleaned_data.get(name) for name in (first, last))
            if begin is not None and end is not None and begin > end:
                self.add_error(last, _("The end of this range lies before its beginning."))

    @classmethod
    def filter_names(cls) -> list[str]:
        """Every filter, in the order of the form."""
        return [name for name in cls.base_fields if name not in cls.ORDERS]

    @cached_property
    def given(self) -> dict[str, Any]:
        """The values that could be read, filters and order alike; those that were left empty are not in it."""
        self.is_valid()
        return {name: value for name, value in self.cleaned_data.items() if value not in (None, "")}

    @cached_property
    def asked(self) -> dict[str, Any]:
        """The filters that are set, in the order of the form."""
        return {name: self.given[name] for name in self.filter_names() if name in self.given}

    @cached_property
    def wrong(self) -> dict[str, str]:
        """What is wrong with each filter that cannot be read, in the order of the form."""
        return {name: str(self.errors[name][0]) for name in self.filter_names() if name in self.errors}

    @property
    def wrong_fields(self) -> list[tuple[forms.BoundField, str]]:
        """Each filter that cannot be read, as a field of the page, and what is wrong with it."""
        return [(self[name], problem) for name, problem in self.wrong.items()]

    @property
    def narrows(self) -> bool:
        """Whether the list is narrowed, if only to nothing by a filter that cannot be read."""
        return bool(self.asked or self.wrong)

    def refuse_unreadable(self) -> None:
        """Raises InvalidRequest where a filter cannot be read: what is asked for is not known."""
        for name, problem in self.wrong.items():
            facts = {"label": self.fields[name].label, "problem": problem}
            raise InvalidRequest(
                _("The filter “%(label)s” cannot be read. %(problem)s Go back to the list and correct it.") % facts
            )

    @property
    def per_page(self) -> int:
        """How many rows a page has."""
        return int(self.given.get("size") or DEFAULT_SIZE)


def sort_field(keys: Any) -> forms.ChoiceField:
    """The key that sorts a list, with `-` where descending."""
    choices = [(sign + key, key) for key in keys for sign in ("", "-")]
    return forms.ChoiceField(choices=[("", ""), *choices], widget=forms.HiddenInput, required=False)


def size_field() -> forms.ChoiceField:
    """How many rows a page has."""
    return choice_filter(_("Customers a page"), [(str(size), size) for size in SIZES], _("Default"))


def search_field() -> forms.CharField:
    """What is looked for in names, account names and customer IDs."""
    return forms.CharField(label=_("Search"), max_length=200, required=False)


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
    """The filters of Customer Management. To add one: a field here, and its function in `NARROW_BY`."""

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
    """The filters of Decisions, and what orders it: the longest used up first unless another order is asked for."""

    bound_field_class = FilterField

    q = search_field()
    manager = forms.CharField(label=_("Account manager"), max_length=128, required=False)
    sort = sort_field(("since", "overspend", "per_day"))
    size = size_field()

    @property
    def sorted_by(self) -> str:
        """The key sorted by, with `-` where descending."""
        return self.given.get("sort") or "since"


for form in (CustomerFilterForm, DecisionFilterForm):
    form.base_fields = SharedFields(form.base_fields)


# --- How each filter narrows ------------------------------------------------------------------------------------------


def by_search(customers: QuerySet[Customer], text: str, _user: User) -> QuerySet[Customer]:
    """By what name and account name hold, or begin with if it is one or two characters; by customer ID exactly."""
    # The ID is looked up apart: an index of the list that holds the search text is then all that is read.
    named = Customer.objects.current().filter(customer_id=text)
    return customers.filter(Q(search__holds=fold(text)) | Q(pk=Subquery(named.values("pk"))))


def by_reseller(customers: QuerySet[Customer], account_name: str, _user: User) -> QuerySet[Customer]:
    """Of the partner that has exactly this account name."""
    return customers.filter(partner__account_name=account_name)


def usage_from(customers: QuerySet[Customer], percent: int, _user: User) -> QuerySet[Customer]:
    """By whole percents as the list shows them, this one included; without a budget there is no usage."""
    return customers.filter(OWN_BUDGET, budget__usage__gte=percent)


def usage_to(customers: QuerySet[Customer], percent: int, _user: User) -> QuerySet[Customer]:
    """The same up to this percent."""
    return customers.filter(OWN_BUDGET, budget__usage__lte=percent)


def by_automatic_freeze(customers: QuerySet[Customer], yes: str, _user: User) -> QuerySet[Customer]:
    """Frozen because the budget was used up, or not so: by a person, since association, not at all."""
    frozen = [state for state in FLAG_COMBINATIONS if state & AccountFlags.FROZEN]
    automatic = Q(state__in=frozen, freeze_origin=FreezeOrigin.BUDGET_EXHAUSTED)
    return customers.filter(automatic) if yes == "1" else customers.exclude(automatic)


def spent_from(customers: QuerySet[Customer], amount: Decimal, _user: User) -> QuerySet[Customer]:
    """By the expenditure of the current month; where none was reported it is 0."""
    if amount > 0:
        return customers.filter(Exists(_this_month(total__gte=amount)))
    return customers.filter(~Exists(_this_month(total__lt=amount)))


def spent_to(customers: QuerySet[Customer], amount: Decimal, _user: User) -> QuerySet[Customer]:
    """The same up to this amount."""
    return customers.filter(~Exists(_this_month(total__gt=amount)))


def _this_month(**total: Decimal) -> QuerySet[Expenditure]:
    return Expenditure.objects.filter(customer=OuterRef("pk"), month=month_of(timezone.now()), **total)


def runs_out_from(customers: QuerySet[Customer], day: date, _user: User) -> QuerySet[Customer]:
    """Whose budget will be used up on this day or later, as far as a day is known."""
    return customers.filter(OWN_BUDGET, budget__runs_out_on__gte=day)


def runs_out_to(customers: QuerySet[Customer], day: date, _user: User) -> QuerySet[Customer]:
    """The same until this day."""
    return customers.filter(OWN_BUDGET, budget__runs_out_on__lte=day)


def by_association_type(customers: QuerySet[Customer], kind: str, _user: User) -> QuerySet[Customer]:
    """Of the reseller or of the referral model."""
    return customers.filter(association_type=kind)


def associated_from(customers: QuerySet[Customer], day: date, _user: User) -> QuerySet[Customer]:
    """Since this day began, in the partner's time zone."""
    return customers.filter(associated_on__gte=start_of_day(day))


def associated_to(customers: QuerySet[Customer], day: date, _user: User) -> QuerySet[Customer]:
    """Until this day ended, in the partner's time zone."""
    return customers.filter(associated_on__lt=start_of_day(day + timedelta(days=1)))


def by_retention(customers: QuerySet[Customer], days: str, _user: User) -> QuerySet[Customer]:
    """Whose retention deadline is this many days away at most; 0: has passed."""
    if days == "0":
        return customers.filter(retention_until__lte=timezone.now())
    return ending_within(customers, timedelta(days=int(days)))


def by_manager(customers: QuerySet[Customer], manager: str, _user: User) -> QuerySet[Customer]:
    """Whose account manager has exactly this name."""
    return customers.filter(~Q(account_manager=""), account_manager=manager)


def by_tag(customers: QuerySet[Customer], tag: str, _user: User) -> QuerySet[Customer]:
    """Who has exactly this tag. Stated twice: for the index, and for the letter case on SQLite."""
    if ";" in tag:
        return customers.none()
    held = f";{tag};"
    exactly = GreaterThan(StrIndex(F("tags"), Value(held)), 0)
    return customers.filter(exactly, ~Q(tags=""), tags__contains=held)


def start_of_day(day: date) -> datetime:
    """The first moment of a day in the partner's time zone, which is the one in force."""
    return timezone.make_aware(datetime.combine(day, time.min))


# By the account flags, on which the indexes of the list begin; see `CustomerList`.
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


def narrow(customers: QuerySet[Customer], asked: Mapping[str, Any], user: User) -> QuerySet[Customer]:
    """The customers that match all these filters, but for the account flags."""
    for name, value in asked.items():
        if name not in BY_FLAGS:
            customers = NARROW_BY[name](customers, value, user)
    return customers
