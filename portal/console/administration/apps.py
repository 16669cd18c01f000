from django.contrib.admin.apps import SimpleAdminConfig


class AdministrationConfig(SimpleAdminConfig):
    """django.contrib.admin with our site, and with the models of ours that the modules here name alone.

    What libraries bring is not looked for: rights come from memberships, a person has one address, and sessions' keys,
    second factors and clients' secrets are nobody's to look at or to change past the rules.
    """

    default_site = "portal.console.administration.site.Administration"

    def ready(self) -> None:
        super().ready()
        from portal.console.administration import people, places, records  # noqa: F401  importing registers them
