"""Saved views: an operator keeps filters, order and size of the list under a name, for nobody else."""

import pytest
from django.test import Client

from customers.models import SavedView
from partnercenter.models import User

LIST, SAVE, DELETE = "/customers/saved-views/", "/customers/views/", "/customers/views/delete/"


def save(client: Client, name: str = "Frozen", query: str = "status=FROZEN", **more: str):
    return client.post(SAVE, {"name": name, "query": query, **more})


def views(user: User) -> dict[str, str]:
    return dict(SavedView.objects.filter(operator=user).values_list("name", "query"))


def test_what_the_list_shows_is_kept_and_linked(client, ann):
    shown = client.get("/customers/", {"status": "FROZEN", "sort": "-usage", "size": "20", "page": "2"})
    answer = save(client, "Frozen ones", shown.context["view_query"])
    assert answer["Location"] == "/customers/?status=FROZEN&sort=-usage&size=20"
    assert "The view Frozen ones is saved." in client.get(answer["Location"]).content.decode()
    assert 'href="/customers/?status=FROZEN&amp;sort=-usage&amp;size=20"' in client.get(LIST).content.decode()
    assert views(ann) == {"Frozen ones": "status=FROZEN&sort=-usage&size=20"}


def test_filters_order_and_size_are_kept_and_nothing_else_of_the_address(client, ann):
    save(client, query="q=%E7%8E%8B&page=3&after=1~2&before=1~2&names=1&tag=a%26b&sort=worst&size=20")
    assert views(ann) == {"Frozen": "q=%E7%8E%8B&tag=a%26b&size=20"}


@pytest.mark.parametrize("query", ["q=a&usage_min=many", "status=nobody", "mtd_min=9&mtd_max=8"])
def test_a_filter_that_cannot_be_read_is_not_saved_as_if_it_were_not_there(query, client, ann):
    answer = save(client, query=query)
    assert answer.status_code == 422
    assert "cannot be read" in answer.content.decode()
    assert views(ann) == {}


@pytest.mark.parametrize("name", ["", "  ", "x" * 61, "a\0b"])
def test_a_name_of_1_to_60_characters_is_asked_for(name, client, ann):
    answer = save(client, name, "tag=vip")
    assert answer.status_code == 422
    assert 'value="tag=vip"' in answer.content.decode()
    assert views(ann) == {}


def test_the_same_name_replaces_only_after_saying_so(client, ann):
    save(client)
    told = save(client, query="tag=vip")
    assert told.status_code == 409
    assert "You already have a view named Frozen," in told.content.decode()
    assert views(ann) == {"Frozen": "status=FROZEN"}
    save(client, query="tag=vip", replace="Frozen")
    assert views(ann) == {"Frozen": "tag=vip"}


def test_the_consent_to_replace_one_view_replaces_no_other(client, ann):
    save(client, "one")
    save(client, "other")
    assert save(client, "other", "tag=vip", replace="one").status_code == 409
    assert views(ann)["other"] == "status=FROZEN"


def test_saving_the_same_again_asks_nothing(client, ann):
    save(client)
    assert save(client).status_code == 302
    assert views(ann) == {"Frozen": "status=FROZEN"}


def test_no_more_than_fifty_are_kept_but_the_last_can_be_replaced(client, ann):
    SavedView.objects.bulk_create([SavedView(operator=ann, name=f"{n}", query="") for n in range(50)])
    answer = save(client)
    assert answer.status_code == 422
    assert "You have 50 views already: delete one first." in answer.content.decode()
    assert save(client, "7", replace="7").status_code == 302
    assert len(views(ann)) == 50


def test_filters_too_long_for_a_view_are_refused(client, ann):
    assert save(client, query=f"tag={'x' * 2000}").status_code == 422
    assert views(ann) == {}


def test_each_operator_has_views_of_their_own_of_any_name(client, ann, ben, vera, sign_in):
    save(client)
    for other in (ben, vera):
        assert save(sign_in(other), query="tag=vip").status_code == 302
        shown = sign_in(other).get(LIST).context["saved_views"]
        assert [view.query for view in shown] == ["tag=vip"]
    assert views(ann) == {"Frozen": "status=FROZEN"}


def test_a_view_is_deleted_and_the_list_stays_as_it_was(client, ann):
    save(client)
    view = SavedView.objects.get()
    answer = client.post(DELETE, {"view": view.pk, "query": "tag=vip&page=2\r\nx"})
    assert answer["Location"].startswith("/customers/?tag=vip")
    assert "The view Frozen is deleted." in client.get(answer["Location"]).content.decode()
    assert views(ann) == {}


def test_another_operators_view_does_not_exist(client, ann, ben, sign_in):
    save(client)
    key = SavedView.objects.get().pk
    assert [sign_in(ben).post(DELETE, {"view": each}).status_code for each in (key, "", "x", "٣", "9" * 30)] == [
        404
    ] * 5
    assert views(ann) == {"Frozen": "status=FROZEN"}


def test_the_menu_of_the_list_loads_the_views_and_links_to_their_page(client, ann):
    save(client)
    page = client.get("/customers/", {"tag": "vip", "page": "2"}).content.decode()
    assert "status=FROZEN" not in page
    assert f'hx-get="{LIST}"' in page
    assert f'href="{LIST}?tag=vip"' in page
    part = client.get(LIST, headers={"HX-Request": "true", "HX-Target": "saved-views"}).content.decode()
    assert 'hx-get="/customers/?status=FROZEN"' in part
    assert "<html" not in part


def test_the_page_of_views_links_to_each_and_deletes_one_back_to_the_list_as_it_was(client, ann):
    save(client)
    page = client.get(LIST, {"tag": "vip", "page": "2"})
    assert page.context["view_query"] == "tag=vip"
    # On this page there is no list that HTMX could replace.
    assert 'hx-get="/customers/' not in page.content.decode()


def test_views_are_saved_and_deleted_by_post_alone_and_after_signing_in(client):
    assert [client.get(path).status_code for path in (SAVE, DELETE)] == [405, 405]
    assert Client().post(SAVE, {"name": "x"}).status_code == 302
    assert not SavedView.objects.exists()
