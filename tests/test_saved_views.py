"""Saved views: filters, order and page size of the customer list that an operator stores under a name, privately."""

import pytest
from django.test import Client

from customers.models import SavedView
from partnercenter.models import User
from tests.pages import htmx

LIST, SAVE, DELETE = "/customers/saved-views/", "/customers/views/", "/customers/views/delete/"


def save(client: Client, name: str = "Frozen", query: str = "status=FROZEN", **more: str):
    return client.post(SAVE, {"name": name, "query": query, **more})


def views(user: User) -> dict[str, str]:
    """The query of each saved view of this person, by name."""
    return dict(SavedView.objects.filter(operator=user).values_list("name", "query"))


def test_a_view_of_the_current_list_is_saved_and_linked(client, ann):
    page = client.get("/customers/", {"status": "FROZEN", "sort": "-usage", "size": "20", "page": "2"})
    response = save(client, "Frozen ones", page.context["view_query"])
    assert response["Location"] == "/customers/?status=FROZEN&sort=-usage&size=20"
    assert "The view Frozen ones is saved." in client.get(response["Location"]).content.decode()
    assert 'href="/customers/?status=FROZEN&amp;sort=-usage&amp;size=20"' in client.get(LIST).content.decode()
    assert views(ann) == {"Frozen ones": "status=FROZEN&sort=-usage&size=20"}


def test_a_view_holds_filters_order_and_size_and_nothing_else_of_the_address(client, ann):
    save(client, query="q=%E7%8E%8B&page=3&after=1~2&before=1~2&names=1&tag=a%26b&sort=worst&size=20")
    assert views(ann) == {"Frozen": "q=%E7%8E%8B&tag=a%26b&size=20"}


@pytest.mark.parametrize("query", ["q=a&usage_min=many", "status=nobody", "mtd_min=9&mtd_max=8"])
def test_a_view_with_an_unreadable_filter_is_refused(query, client, ann):
    response = save(client, query=query)
    assert response.status_code == 422
    assert "cannot be read" in response.content.decode()
    assert views(ann) == {}


@pytest.mark.parametrize("name", ["", "  ", "x" * 61, "a\0b"])
def test_a_view_needs_a_name_of_1_to_60_characters(name, client, ann):
    response = save(client, name, "tag=vip")
    assert response.status_code == 422
    assert 'value="tag=vip"' in response.content.decode()
    assert views(ann) == {}


def test_a_view_of_the_same_name_is_replaced_only_after_a_confirmation(client, ann):
    save(client)
    conflict = save(client, query="tag=vip")
    assert conflict.status_code == 409
    assert "You already have a view named Frozen," in conflict.content.decode()
    assert views(ann) == {"Frozen": "status=FROZEN"}
    save(client, query="tag=vip", replace="Frozen")
    assert views(ann) == {"Frozen": "tag=vip"}


def test_a_confirmation_to_replace_one_view_replaces_no_other(client, ann):
    save(client, "one")
    save(client, "other")
    assert save(client, "other", "tag=vip", replace="one").status_code == 409
    assert views(ann)["other"] == "status=FROZEN"


def test_saving_an_unchanged_view_again_needs_no_confirmation(client, ann):
    save(client)
    assert save(client).status_code == 302
    assert views(ann) == {"Frozen": "status=FROZEN"}


def test_an_operator_has_at_most_fifty_views_and_may_still_replace_one(client, ann):
    SavedView.objects.bulk_create([SavedView(operator=ann, name=f"{n}", query="") for n in range(50)])
    response = save(client)
    assert response.status_code == 422
    assert "You have 50 views already: delete one first." in response.content.decode()
    assert save(client, "7", replace="7").status_code == 302
    assert len(views(ann)) == 50


def test_a_query_that_is_too_long_is_refused(client, ann):
    assert save(client, query=f"tag={'x' * 2000}").status_code == 422
    assert views(ann) == {}


def test_operators_do_not_share_views_or_their_names(client, ann, ben, vera, sign_in):
    save(client)
    for other in (ben, vera):
        assert save(sign_in(other), query="tag=vip").status_code == 302
        saved_views = sign_in(other).get(LIST).context["saved_views"]
        assert [view.query for view in saved_views] == ["tag=vip"]
    assert views(ann) == {"Frozen": "status=FROZEN"}


def test_deleting_a_view_leads_back_to_the_same_list(client, ann):
    save(client)
    view = SavedView.objects.get()
    response = client.post(DELETE, {"view": view.pk, "query": "tag=vip&page=2\r\nx"})
    assert response["Location"].startswith("/customers/?tag=vip")
    assert "The view Frozen is deleted." in client.get(response["Location"]).content.decode()
    assert views(ann) == {}


def test_another_operators_view_does_not_exist(client, ann, ben, sign_in):
    save(client)
    key = SavedView.objects.get().pk
    responses = [sign_in(ben).post(DELETE, {"view": each}) for each in (key, "", "x", "٣", "9" * 30)]
    assert [response.status_code for response in responses] == [404] * 5
    assert views(ann) == {"Frozen": "status=FROZEN"}


def test_the_list_loads_the_menu_of_views_when_it_is_opened_and_links_to_their_page(client, ann):
    save(client)
    page = client.get("/customers/", {"tag": "vip", "page": "2"}).content.decode()
    assert "status=FROZEN" not in page
    assert f'hx-get="{LIST}"' in page
    assert f'href="{LIST}?tag=vip"' in page
    menu = client.get(LIST, headers=htmx("saved-views")).content.decode()
    assert 'hx-get="/customers/?status=FROZEN"' in menu
    assert "<html" not in menu


def test_the_page_of_views_keeps_the_query_of_the_list(client, ann):
    save(client)
    page = client.get(LIST, {"tag": "vip", "page": "2"})
    assert page.context["view_query"] == "tag=vip"
    # This page has no list that HTMX could replace.
    assert 'hx-get="/customers/' not in page.content.decode()


def test_views_are_saved_and_deleted_only_by_post_and_after_signing_in(client):
    assert [client.get(path).status_code for path in (SAVE, DELETE)] == [405, 405]
    assert Client().post(SAVE, {"name": "x"}).status_code == 302
    assert not SavedView.objects.exists()
