"""What this OpenID provider says of people: by default the truth, else what the test told it to say."""

import json
import time
from typing import Any

from allauth.idp.oidc.adapter import DefaultOIDCAdapter
from django.contrib.auth.models import User


class Adapter(DefaultOIDCAdapter):
    def get_user_sub(self, client: Any, user: User) -> str:
        return said_of(user).get("sub", f"subject-{user.pk}")

    def get_user_by_sub(self, client: Any, sub: str) -> User | None:
        return next((user for user in User.objects.all() if self.get_user_sub(client, user) == sub), None)

    def get_claims(self, purpose: str, user: User, client: Any, scopes: Any, **kwargs: Any) -> dict[str, Any]:
        said = said_of(user)
        claims = {"sub": self.get_user_sub(client, user), "email": user.email, "email_verified": True}
        if said.get("address_in_userinfo_only") and purpose == "id_token":
            claims = {"sub": claims["sub"]}
        if purpose == "userinfo":
            return claims | said.get("userinfo", {})
        return claims | {"said_of": user.pk}

    def populate_id_token(self, id_token: dict[str, Any], client: Any, scopes: Any, **kwargs: Any) -> None:
        said = said_of(User.objects.get(pk=id_token.pop("said_of")))
        id_token["auth_time"] = int(time.time()) - said.get("asked_ago", 0)
        id_token.update(said.get("id_token", {}))
        for name in said.get("id_token_without", []):
            id_token.pop(name, None)
        if "age" in said:
            id_token.update({"iat": time.time() - said["age"] - 300, "exp": time.time() - said["age"]})


def said_of(user: User) -> dict[str, Any]:
    """Kept in the field for the last name, of which this site has no other use."""
    return json.loads(user.last_name) if user.last_name else {}
