"""Team and People: the pages as people use them, and as others try to."""

from urllib.parse import parse_qs, urlsplit

import pytest
from allauth.mfa.models import Authenticator
from django.db import connection
from django.test.utils import CaptureQueriesContext
from django.utils.formats import date_format

from accounts.actors import SYSTEM
from accounts.services import create_person
from tenants import services
from tenants.models import Customer, Invitation, Membership, Provider
from tenants.services.authority import limit_to
from tests.cast import customer, provider
from tests.pages import follows, presses, read, text_of
from tests.tenants.kit import text

TEAM, PEOPLE = "/team/", "/people/"
INVITE, SAVE, AGAIN, WITHDRAW = "Send the invitation", "Save changes", "Send again", "Withdraw"
REQUIRE = "Require a second factor"


def names(answer):
    """Who stands in the list, in its order."""
    rows = read(answer).xpath("//table[@aria-label='People']//tbody//th")
    return [text_of(row).rpartition(" ")[2] for row in rows]


def invited(answer):
    return [text_of(row) for row in read(answer).xpath("//table[@aria-labelledby='invited']//tbody//th")]


def row_of(answer, email):
    (row,) = (row for row in read(answer).xpath("//tbody/tr") if email in text_of(row))
    return text_of(row)


# --- The list ---
def test_the_list_shows_role_last_sign_in_second_factor_and_reach(cast, team, northwind, acme):
    Authenticator.objects.create(user=cast.auditor, type=Authenticator.Type.WEBAUTHN, data={})
    limit_to(cast.auditor.memberships.get(), [acme])
    page = team(cast.owner).get(TEAM)
    mine, other = row_of(page, cast.owner.email), row_of(page, cast.auditor.email)
    assert "(you)" in mine
    assert mine.endswith(" no")
    assert " all " in mine
    assert "just now" in mine
    assert other.endswith(" yes")
    assert "Auditor" in other
    assert "not yet" in other
    assert "Acme" in other
    assert cast.rival.email not in text(page)
    assert cast.admin.email not in text(page)


def test_who_is_limited_to_some_customers_reads_no_names_of_others(cast, team, northwind, acme, globex):
    membership = services.add_membership(cast.stranger, provider=northwind, role="operator", by=SYSTEM)
    limit_to(membership, [globex])
    limit_to(cast.auditor.memberships.get(), [acme, globex])
    services.invite(northwind, "for-acme@x.example", role="auditor", customers=[acme], by=cast.owner)
    page = team(cast.stranger).get(TEAM)
    assert "Globex, others" in row_of(page, cast.auditor.email)
    assert "others" in row_of(page, "for-acme@x.example")
    assert "Acme" not in text(page)
    everything = team(cast.owner).get(TEAM)
    assert "Acme, Globex" in row_of(everything, cast.auditor.email)
    assert "Acme" in row_of(everything, "for-acme@x.example")


def test_a_row_names_three_customers_and_folds_the_others_away(cast, team, northwind):
    shops = [
        Customer.objects.create(
            slug=f"shop-{n}", name=f"Shop {n}", schema_name=f"shop_{n}", provider=northwind
        )
        for n in range(1, 6)
    ]
    services.invite(northwind, "four@x.example", role="auditor", customers=shops[:4], by=cast.owner)
    services.invite(northwind, "five@x.example", role="auditor", customers=shops, by=cast.owner)
    page = team(cast.owner).get(TEAM)
    assert "Shop 1, Shop 2, Shop 3, Shop 4 " in row_of(page, "four@x.example")
    assert "more" not in row_of(page, "four@x.example")
    assert "Shop 1, Shop 2, Shop 3 and 2 more customers Shop 4, Shop 5 " in row_of(page, "five@x.example")


def test_a_limit_of_which_no_customer_is_left_is_not_shown_as_all(cast, team):
    limit_to(cast.auditor.memberships.get(), [])
    row = row_of(team(cast.owner).get(TEAM), cast.auditor.email)
    assert "no customer" in row
    assert "all" not in row.split()


def test_each_time_is_on_the_readers_clock_and_names_its_zone(cast, team, northwind):
    cast.owner.time_zone = "Asia/Kolkata"
    cast.owner.save()
    services.invite(northwind, "soon@northwind.example", role="auditor", by=cast.owner)
    client = team(cast.owner)
    page = client.get(TEAM)
    for answer in (page, follows(page, cast.owner.get_display_name())):
        times = [time.get("title") for time in read(answer).xpath("//main//time[@tabindex=0]")]
        assert len(times) == 2, "signed in and invited; signed in and here since"
        assert all(time.endswith(" IST") for time in times), times


def test_people_shows_the_customers_people_only(cast, client_for):
    page = client_for(cast.admin).get(PEOPLE)
    assert names(page) == [cast.admin.email, cast.viewer.email]
    assert "Northwind IT, serves you" in text(page)
    assert names(client_for(cast.owner).get(PEOPLE)) == names(page)


def test_the_invited_stand_below_with_expiry_until_they_come(cast, team, northwind):
    invitation = services.invite(northwind, "soon@northwind.example", role="auditor", by=cast.owner)
    page = team(cast.owner).get(TEAM)
    assert "soon@northwind.example" in row_of(page, "soon@northwind.example")
    assert f"{date_format(invitation.expires_at, 'SHORT_DATETIME_FORMAT')} UTC" in text(page)
    assert "Expired" not in text(page)
    (who,) = read(page).xpath("//table[@aria-labelledby='invited']//bdi[@class='who']")
    assert (text_of(who), who.get("title")) == ("Owner", cast.owner.email)
    Invitation.objects.update(expires_at=invitation.created_at)
    assert "Expired" in text(team(cast.owner).get(TEAM))
    services.withdraw_invitation(northwind, invitation.pk, by=cast.owner)
    assert "soon@northwind.example" not in text(team(cast.owner).get(TEAM))


def test_the_list_searches_sorts_and_pages(cast, team, northwind):
    for number in range(50):
        user, _ = create_person(f"p{number:02}@northwind.example", name=f"Person {number:02}", by=SYSTEM)
        Membership.objects.create(user=user, provider=northwind, role="operator")
    client = team(cast.owner)
    assert len(names(client.get(TEAM))) == 50
    assert len(names(client.get(TEAM, {"page": 2}))) == 2
    assert names(client.get(TEAM, {"q": "person 07"})) == ["p07@northwind.example"]
    assert names(client.get(TEAM, {"q": "P07@NORTH"})) == ["p07@northwind.example"]
    assert names(client.get(TEAM, {"sort": "-email"}))[0] == "p49@northwind.example"
    assert names(client.get(TEAM, {"sort": "-last_login"}))[0] == cast.owner.email
    assert names(client.get(TEAM, {"sort": "nonsense"}))[0] == cast.auditor.email
    nobody = client.get(TEAM, {"q": "<script>"})
    assert "Nobody found" in text(nobody)
    assert "<script>”" not in text(nobody)
    assert client.get(TEAM, {"q": "x", "page": "x", "invited": "x"}).status_code == 200


def test_a_search_that_finds_only_who_is_invited_does_not_say_that_there_is_nobody(cast, team, northwind):
    services.invite(northwind, "soon@elsewhere.example", role="auditor", by=cast.owner)
    page = text(team(cast.owner).get(TEAM, {"q": "elsewhere"}))
    assert "soon@elsewhere.example" in page
    assert "Nobody found" not in page


def test_the_invited_have_pages_too(cast, team, northwind):
    Invitation.objects.bulk_create(
        Invitation(
            email=f"i{n:02}@northwind.example",
            provider=northwind,
            role="auditor",
            token_hash=f"{n:064}",
            expires_at=cast.owner.date_joined,
        )
        for n in range(51)
    )
    client = team(cast.owner)
    first = client.get(TEAM, {"sort": "email", "page": 1})
    assert len(invited(first)) == 50
    assert len(invited(follows(first, "Next"))) == 1
    (onward,) = read(first).xpath("//nav[@aria-label='Pages of invitations']//a/@href")
    assert onward == "?sort=email&page=1&page-invited=2#invited"
    second = client.get(TEAM, {"sort": "email", "page": 2, "page-invited": 2})
    sorting = read(second).xpath("//th/a[@id='by-last_login']/@href")
    assert sorting == ["?sort=last_login"]  # in another order, and for another search, lists begin anew
    searched = read(second).xpath("//form[@role='search']//input[@type='hidden']")
    assert [(one.get("name"), one.get("value")) for one in searched] == [("sort", "email")]
    assert invited(client.get(TEAM, {"q": "i07"})) == ["i07@northwind.example"]


def test_the_number_of_queries_does_not_grow_with_the_people(cast, team, northwind):
    client = team(cast.owner)
    client.get(TEAM)
    with CaptureQueriesContext(connection) as few:
        client.get(TEAM)
    for number in range(20):
        user, _ = create_person(f"p{number}@northwind.example", by=SYSTEM)
        Membership.objects.create(user=user, provider=northwind, role="operator")
    with CaptureQueriesContext(connection) as many:
        client.get(TEAM)
    assert len(many) == len(few)


# --- Several providers ---
def test_who_works_for_several_providers_picks_one(cast, team, northwind):
    fabrikam = provider("fabrikam")
    services.add_membership(cast.owner, provider=fabrikam, role="auditor", by=SYSTEM)
    client = team(cast.owner)
    assert "Team of Fabrikam Services" in text(client.get(TEAM))
    page = text(client.get(TEAM, {"provider": "northwind"}))
    assert "Team of Northwind IT" in page
    assert "/team/invite/?provider=northwind" in page
    assert client.get("/team/invite/?provider=fabrikam").status_code == 403
    invite = client.get("/team/invite/?provider=northwind")
    answer = presses(invite, INVITE, email="x@y.example", role="auditor", reach="all")
    assert answer["Location"] == "/team/?provider=northwind"
    assert Invitation.objects.get().provider == northwind
    rival = cast.rival.memberships.get()
    assert client.get(f"/team/{rival.pk}/?provider=northwind").status_code == 404


def test_providers_that_are_not_mine_do_not_exist(cast, team):
    client = team(cast.owner)
    for slug in ("fabrikam", "nobody", ""):
        assert client.get(TEAM, {"provider": slug}).status_code == 404


# --- Inviting ---
def test_an_owner_invites_an_operator_for_some_customers(cast, team, northwind, acme, mailoutbox):
    client = team(cast.owner)
    page = client.get("/team/invite/")
    assert "Initech" not in text(page)
    chosen = {"role": "operator", "reach": "some", "customers": [str(acme.pk)]}
    answer = presses(page, INVITE, email="New@Northwind.example", **chosen)
    assert answer["Location"] == TEAM
    invitation = Invitation.objects.get()
    assert (invitation.provider, invitation.role) == (northwind, "operator")
    assert list(invitation.customers.all()) == [acme]
    assert mailoutbox[0].to == ["new@northwind.example"]
    said = client.get(TEAM)
    assert "new@northwind.example has been invited." in text(said)
    assert "new<wbr>@northwind<wbr>.example has been invited." in said.content.decode()


def test_an_administrator_invites_into_the_own_customer(cast, client_for, acme, mailoutbox):
    client = client_for(cast.admin)
    answer = presses(client.get("/people/invite/"), INVITE, email="v@acme.example", role="viewer")
    assert answer["Location"] == PEOPLE
    invitation = Invitation.objects.get()
    assert (invitation.customer, invitation.provider) == (acme, None)
    assert "Your role there will be: Viewer." in " ".join(mailoutbox[0].body.split())


@pytest.mark.parametrize(
    ("form", "field"),
    [
        ({"email": "nobody"}, "email"),
        ({"email": ""}, "email"),
        ({"email": "auditor@northwind.example"}, "email"),
        ({"role": "admin"}, "role"),
        ({"role": ""}, "role"),
        ({"reach": ""}, "reach"),
        ({"reach": "some"}, "customers"),
        ({"reach": "some", "customers": ["not-a-customer"]}, "customers"),
        ({"reach": "some", "role": "owner"}, "role"),
    ],
)
def test_what_can_not_be_is_said_beside_its_field(cast, team, mailoutbox, form, field):
    whole = {"email": "new@northwind.example", "role": "operator", "reach": "all"} | form
    answer = team(cast.owner).post("/team/invite/", whole)
    assert answer.status_code == 200
    assert list(answer.context["form"].errors) == [field]
    assert not Invitation.objects.exists()
    assert not mailoutbox


def test_another_providers_customer_is_no_choice(cast, team):
    form = {
        "email": "n@northwind.example",
        "role": "operator",
        "reach": "some",
        "customers": [str(customer("initech").pk)],
    }
    assert list(team(cast.owner).post("/team/invite/", form).context["form"].errors) == ["customers"]


def test_without_customers_there_is_nothing_to_choose_among(cast, team, northwind):
    tailspin = services.create_provider("tailspin", "Tailspin", by=SYSTEM)
    services.add_membership(cast.stranger, provider=tailspin, role="owner", by=SYSTEM)
    client = team(cast.stranger)
    assert "Only these customers" not in text(client.get("/team/invite/"))
    presses(client.get("/team/invite/"), INVITE, email="new@tailspin.example", role="operator")
    assert not Invitation.objects.get(provider=tailspin).customers.exists()


def test_a_second_click_invites_nobody_twice(cast, team, mailoutbox):
    form = {"email": "new@northwind.example", "role": "operator", "reach": "all"}
    page = team(cast.owner).get("/team/invite/")
    presses(page, INVITE, **form)
    assert "has been invited already" in text(presses(page, INVITE, **form))
    assert len(mailoutbox) == 1


def test_a_mail_server_that_is_down_is_said(cast, team, settings):
    settings.EMAIL_BACKEND = "django.core.mail.backends.smtp.EmailBackend"
    settings.EMAIL_HOST, settings.EMAIL_PORT = "127.0.0.1", 1
    client = team(cast.owner)
    page = client.get("/team/invite/")
    presses(page, INVITE, email="n@northwind.example", role="operator", reach="all")
    assert "could not be sent" in text(client.get(TEAM))


def test_an_invitation_is_sent_again_and_withdrawn_from_the_list(cast, client_for, acme, mailoutbox):
    invitation = services.invite(acme, "v@acme.example", role="viewer", by=cast.admin)
    client = client_for(cast.admin)
    presses(client.get(PEOPLE), AGAIN, beside=invitation.email)
    assert "was sent just now" in text(client.get(PEOPLE))
    Invitation.objects.update(expires_at=invitation.created_at)
    page = client.get(PEOPLE)
    presses(page, AGAIN, beside=invitation.email)
    assert "was sent again" in text(client.get(PEOPLE))
    assert len(mailoutbox) == 2
    presses(page, WITHDRAW, beside=invitation.email)
    assert "is withdrawn" in text(client.get(PEOPLE))
    assert presses(page, WITHDRAW, beside=invitation.email).status_code == 404


def test_who_comes_back_to_a_button_after_a_new_sign_in_finds_the_page_that_has_it(cast, client_for, acme):
    invitation = services.invite(acme, "v@acme.example", role="viewer", by=cast.admin)
    client = client_for(cast.admin)
    page = client.get(PEOPLE)
    del client.cookies["sessionid"]
    onward = parse_qs(urlsplit(presses(page, WITHDRAW, beside=invitation.email)["Location"]).query)["next"][0]
    assert Invitation.objects.filter(pk=invitation.pk).exists()
    client.force_login(cast.admin)
    assert client.get(onward)["Location"] == PEOPLE


# --- Changing and removing ---
def test_an_owner_changes_role_and_reach(cast, team, acme):
    membership = cast.auditor.memberships.get()
    client = team(cast.owner)
    page = f"/team/{membership.pk}/"
    assert client.get(page).context["form"].initial["reach"] == "all"
    form = {"role": "operator", "reach": "some", "customers": [str(acme.pk)]}
    assert presses(client.get(page), SAVE, **form)["Location"] == TEAM
    membership.refresh_from_db()
    assert (membership.role, list(membership.customers.all())) == ("operator", [acme])
    assert client.get(page).context["form"].initial["customers"] == [acme]


def test_an_empty_choice_of_customers_does_not_mean_all(cast, team, acme):
    membership = cast.auditor.memberships.get()
    limit_to(membership, [acme])
    page = team(cast.owner).get(f"/team/{membership.pk}/")
    presses(page, SAVE, role="operator", reach="some", customers=[])
    assert list(membership.customers.all()) == [acme]


def test_removing_asks_first_and_ends_access_at_the_next_request(cast, client_for):
    viewer, admin = client_for(cast.viewer), client_for(cast.admin)
    page = f"/people/{cast.viewer.memberships.get().pk}/remove/"
    asked = admin.get(page)
    assert "loses access at once" in text(asked)
    assert viewer.get("/mailboxes/").status_code == 200
    assert presses(asked, "Remove")["Location"] == PEOPLE
    assert viewer.get("/mailboxes/").status_code == 404
    second_click = presses(asked, "Remove")
    assert second_click.status_code == 404
    assert "has been removed" in text(second_click)  # so that it does not look like a failure


def test_who_leaves_lands_where_they_still_may_be(cast, client_for):
    admin = client_for(cast.admin)
    page = f"/people/{cast.admin.memberships.get().pk}/remove/"
    asked = admin.get(page)
    assert "This is you" in text(asked)
    assert presses(asked, "Remove")["Location"] == "http://portal.localhost/"


def test_the_last_owner_is_offered_nothing_and_told_why_they_stay(cast, team, northwind):
    page = f"/team/{cast.owner.memberships.get().pk}/"
    client = team(cast.owner)
    other = services.add_membership(cast.stranger, provider=northwind, role="owner", by=SYSTEM)
    form, question = client.get(page), follows(client.get(page), "Remove…")
    services.remove_member(northwind, other.pk, by=cast.owner)
    # Whoever has had the pages open since there was another is answered by the verb, in the same words.
    for answer in (presses(form, SAVE, role="auditor", reach="all"), presses(question, "Remove")):
        assert "This is the last owner" in text_of(read(answer).xpath("//main//*[@role='alert']")[0])
    assert cast.owner.memberships.get().role == "owner"
    for path in (page, f"{page}remove/"):
        shown = client.get(path)
        assert "The role can't be taken away or changed, nor the account switched off. Make" in text_of(
            read(shown)
        )
        assert not read(shown).xpath("//main//form") and "Remove…" not in text(shown)
        assert follows(shown, "Back").status_code == 200


# --- The security policy ---
def test_an_owner_without_a_second_factor_is_led_to_one_before_requiring_it(cast, team):
    page = team(cast.owner).get(TEAM)
    assert "You have no second factor yourself" in text(page)
    assert REQUIRE not in [text_of(button) for button in read(page).iter("button")]
    assert follows(page, "Set up a second factor").request["PATH_INFO"] == "/settings/security/"
    assert "can sign in with an organization's OpenID Connect service" in text(page)
    there = follows(page, "Sign-in with your identity provider")
    assert there.request["PATH_INFO"] == "/team/identity-provider/"


def test_an_owner_with_a_second_factor_requires_it_of_everybody(cast, team):
    factor = Authenticator.objects.create(user=cast.owner, type=Authenticator.Type.TOTP, data={})
    client = team(cast.owner)
    page = client.get(TEAM)
    assert "You have no second factor yourself" not in text(page)
    factor.delete()  # while the page stands open
    presses(page, REQUIRE)
    assert "You have no second factor yourself" in text(client.get(TEAM))
    assert not provider("northwind").require_second_factor
    Authenticator.objects.create(user=cast.owner, type=Authenticator.Type.TOTP, data={})
    client = team(cast.owner)
    assert presses(client.get(TEAM), REQUIRE)["Location"] == TEAM
    assert provider("northwind").require_second_factor
    assert "were changed: a second factor is required." in text(client.get("/activity/"))


def test_requiring_it_no_longer_asks_first_and_says_of_how_many_people(cast, team, northwind):
    Authenticator.objects.create(user=cast.owner, type=Authenticator.Type.TOTP, data={})
    client = team(cast.owner)
    assert client.get("/team/security/")["Location"] == TEAM  # nothing to weaken
    Provider.objects.filter(pk=northwind.pk).update(require_second_factor=True)
    asked = follows(client.get(TEAM), "No longer require a second factor…")
    # Owner, auditor, and a person or two of each customer: whoever has two roles is one person.
    services.add_membership(cast.auditor, customer=customer("acme"), role="viewer", by=SYSTEM)
    again = follows(client.get(TEAM), "No longer require a second factor…")
    for page in (asked, again):
        assert "the sign-in of 5 people at Northwind IT and its customers" in text(page)
        assert provider("northwind").require_second_factor
    assert presses(again, "No longer require a second factor")["Location"] == TEAM
    assert not provider("northwind").require_second_factor
    assert "no longer required" in text(client.get(TEAM))
    assert "were changed: a second factor is no longer required." in text(client.get("/activity/"))
