"""What can go wrong with an embedded service. The messages are shown to whoever typed `make run`."""


class EmbeddedServiceError(Exception):
    """An embedded service cannot be started; the text says why and what to do."""


class StateDirUnusable(EmbeddedServiceError):
    """No socket can be made or reached at this path."""


class ServiceMissing(EmbeddedServiceError):
    """No program for this service is installed here."""


class ServiceFailed(EmbeddedServiceError):
    """The program is there, but it ended or stayed silent; the end of its log stands in the text."""
