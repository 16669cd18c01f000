"""Files, for who presses their link and for another website's page that would like to have them unseen."""

from tests.cast import PASSWORD

FILE = "/activity/activity.csv"


def test_a_press_gets_the_file_on_a_host_that_was_never_visited_and_a_script_does_not(visit, cast):
    def story(visitor):
        page, context = visitor.page, visitor.context
        there = visitor.url(FILE, "acme")
        foreign = f"http://elsewhere.localhost:{visitor.port}/"

        def answer(route):
            link = f'<a id="link" href="{there}?q=a">Look</a>'
            script = f"<script>location.href = '{there}?q=a'</script>" if "guess" in route.request.url else ""
            route.fulfill(
                body=f"<!DOCTYPE html><title>Elsewhere</title>{link}{script}", content_type="text/html"
            )

        context.route(f"{foreign}**", answer)
        visitor.signs_in(cast.owner.email, PASSWORD)

        page.goto(foreign)
        with page.expect_download() as download:  # by way of the host where one signed in
            page.click("#link")
        assert download.value.suggested_filename.endswith(".csv")

        # Our own link, where the session is another one than at the last visit.
        page.goto(visitor.url("/activity/", "acme"))
        context.clear_cookies(name="companion", domain="acme.portal.localhost")
        with page.expect_download() as download:
            page.click(f"a[href^='{FILE}']")
        assert download.value.suggested_filename.endswith(".csv")

        unpressed = context.new_page()
        with unpressed.expect_response(f"{there}?q=a") as refused:
            unpressed.goto(f"{foreign}?guess")
        assert refused.value.status == 403
        unpressed.get_by_text("Not for another site's page").wait_for()
        assert unpressed.url == f"{there}?q=a"  # and the page that asked is gone

    visit(story)


def test_a_website_that_forbids_its_forms_our_other_hosts_does_not_stay_to_learn_of_a_redirect(visit, cast):
    """Its policy would have the browser stop at a customer's host, and tell it so."""

    def story(visitor):
        context, base = visitor.context, visitor.url("")
        foreign = f"http://elsewhere.localhost:{visitor.port}/"
        form = f'<form action="{base}/switch/"><input name="q" value="acme"></form>'
        context.route(
            foreign,
            lambda route: route.fulfill(
                body=f"<!DOCTYPE html><title>Elsewhere</title>{form}<script>document.forms[0].submit()</script>",
                headers={"Content-Type": "text/html", "Content-Security-Policy": f"form-action {base}"},
            ),
        )
        visitor.signs_in(cast.owner.email, PASSWORD)
        asking = context.new_page()
        asking.goto(foreign)
        asking.wait_for_url(visitor.url("/mailboxes/", "acme"))

    visit(story)
