"""Why a sign-in by an identity provider did not succeed.

OpenIDRefusal
    ProviderFault (the identity provider, or how it was set up; its owner is told in detail by "Check")
        NotEncrypted, LeadsElsewhere
        Unreached
            PrivateNetwork, Unreachable, AnswersTooMuch, TooManyAtOnce
        NoConfiguration, OtherIssuer, Incomplete
        BadToken
    NoOrganization, Unavailable
    Unknown, Unconfirmed, OtherAccount, NotAskedAnew, Cancelled, NotOurs
"""

from allauth.socialaccount.providers.oauth2.client import OAuth2Error
from django.utils.translation import gettext_lazy as _

from accounts.errors import Refusal


class OpenIDRefusal(Refusal):
    """Base of all here."""

    code = "openid-refusal"
    status = 403


# --- The identity provider ---
class ProviderFault(OpenIDRefusal, OAuth2Error):
    """An OAuth2Error too, so that allauth ends the sign-in instead of failing.

    What the service says, or fails to say, is about the address that its owner typed.
    """

    code = "identity-provider-fault"
    status = 502
    field = "issuer"


class NotEncrypted(ProviderFault):
    code = "not-encrypted"
    template = _("“%(url)s” can't be used. Type an address that begins with https://.")


class Unreached(ProviderFault):
    """Whoever may try addresses must not learn from the answers what stands in the portal's own network: so all of
    these say the same. The log has their codes.
    """

    code = "unreached"
    template = _(
        "“%(host)s” does not answer in time, or not with a certificate that can be trusted, or stands in a private "
        "network. Check the address; if it is a private one, ask the platform's staff to allow its network."
    )


class PrivateNetwork(Unreached):
    code = "private-network"


class Unreachable(Unreached):
    code = "unreachable"


class LeadsElsewhere(ProviderFault):
    code = "leads-elsewhere"
    template = _("“%(url)s” leads on to another address. Type the one at which the service itself answers.")


class AnswersTooMuch(Unreached):
    """Or too slowly."""

    code = "answers-too-much"


class TooManyAtOnce(Unreached):
    """Others ask it, or other services, and wait."""

    code = "too-many-at-once"


class NoConfiguration(ProviderFault):
    code = "no-configuration"
    template = _(
        "At “%(url)s” there is no OpenID Connect configuration (HTTP status %(status)s). "
        "Check the issuer's address or the directory's tenant ID."
    )


class OtherIssuer(ProviderFault):
    code = "other-issuer"
    template = _("The service there calls itself “%(issuer)s”. Type exactly this as the issuer.")


class Incomplete(ProviderFault):
    code = "incomplete"
    template = _("The service's configuration lacks “%(name)s”, or has no usable address there.")


class BadToken(ProviderFault):
    """The identity provider's statement can't be believed: signature, issuer, audience, age, nonce or subject."""

    code = "bad-token"
    # Why stands in the log: it says nothing to people, and might say too much to others.
    template = _("The identity provider's statement is not valid.")


# --- The person ---
class NoOrganization(OpenIDRefusal):
    code = "no-organization"
    status = 404
    field = "login"
    template = _(
        "No organization signs in here with addresses at “%(domain)s”. Check the address, or sign in by password."
    )


class Unavailable(OpenIDRefusal):
    """In the place of a ProviderFault for who wants to sign in: what ails the service is its owner's business."""

    code = "organization-unavailable"
    status = 502
    field = "login"
    template = _(
        "Your organization's sign-in does not work at present. Try again later, or ask an owner of your "
        "service provider."
    )


class Unknown(OpenIDRefusal):
    """One answer for whoever may not enter, so that nobody learns which addresses exist."""

    code = "unknown-person"
    template = _(
        "Your organization knows you, but with this address you can't enter the portal. "
        "Ask your organization's administrator or your service provider for an invitation, "
        "or the administrator to allow “Sign-in by the provider” under “People”."
    )


class Unconfirmed(OpenIDRefusal):
    code = "unconfirmed-address"
    template = _(
        "Your organization has not confirmed that the email address is yours, so it can't sign you in here. "
        "Ask its administrator to confirm your address."
    )


class OtherAccount(OpenIDRefusal):
    """The address came with another account of the organization's than at earlier times."""

    code = "other-account"
    template = _(
        "You have signed in before with another account of your organization. Use that one, "
        "or ask an owner of the provider to forget it."
    )


class NotAskedAnew(OpenIDRefusal):
    """It was to confirm that the person is there, and the service sent back whoever has a session there."""

    code = "not-asked-anew"
    template = _(
        "Your organization did not ask you to sign in once more, or did not say that it did. "
        "Ask its administrator to let it state when people signed in (auth_time)."
    )


class Cancelled(OpenIDRefusal):
    code = "cancelled"
    template = _("You left your organization's sign-in before it was done.")


class NotOurs(OpenIDRefusal):
    """No sign-in was under way in this browser, or it began too long ago."""

    code = "not-under-way"
    template = _("This sign-in is over or was not begun in this browser. Begin anew.")


def reason_of(error: Exception | None) -> str:
    """For the log: in no reader's language, and with what others have written quoted, so that it forges no line.

    Of what is not ours the name only, for libraries quote the identity provider's answer, which may hold a token.
    """
    if not isinstance(error, OpenIDRefusal):
        return type(error).__name__
    return " ".join([error.code, *(f"{name}={value!r}" for name, value in error.details.items())])
