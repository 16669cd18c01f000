"""What is asked of a bucket with `requests`: whether it is fit to be a message store, and what bears names that no blob
has. The client of the store itself has no word for either, and has threads that no process may have before it forks.
"""

import logging
import secrets
from collections.abc import Iterator
from enum import StrEnum
from http import HTTPStatus
from typing import NamedTuple
from urllib.parse import quote, unquote_plus
from xml.etree import ElementTree

import requests
from requests_aws4auth import AWS4Auth

from mailboxes.errors import StoreFailed

from .access import Access

log = logging.getLogger(__name__)

SECONDS = 10  # for each answer
NAMESPACE = "{*}"  # some servers name none
# By these it says that it may do later what it was asked. Not by 500: some say so for ever of a question that they don't know.
NOT_NOW = {
    HTTPStatus.REQUEST_TIMEOUT,
    HTTPStatus.TOO_MANY_REQUESTS,
    HTTPStatus.BAD_GATEWAY,
    HTTPStatus.SERVICE_UNAVAILABLE,
    HTTPStatus.GATEWAY_TIMEOUT,
}
NOT_NOW_CODES = {"InternalError", "OperationAborted", "RequestTimeout", "ServiceUnavailable", "SlowDown"}
NO_ROOM = ("StorageFull", "QuotaExceeded")  # of MinIO, and of Ceph, whose status is 403


class Trouble(StrEnum):
    """What can be wrong with it."""

    UNREACHABLE = "unreachable"
    NOT_NOW = "not-now"  # an outage
    FULL = "full"
    STRANGE = "strange"  # whatever answers there, it is no bucket
    REFUSED = "refused"  # no such bucket, other keys, no right to write
    KEEPS = "keeps"  # what is deleted
    LOSES = "loses"  # what waits
    UNKNOWN = "unknown"  # whether it keeps or loses anything
    LEAVES_PARTS = "leaves-parts"  # of uploads that were broken off
    OVERWRITES = "overwrites"  # what must be new


class Finding(NamedTuple):
    """A trouble, and what the server said or has."""

    trouble: Trouble
    what: str


class _Refused(Exception):
    """The server's code for it."""


class _NotNow(_Refused):
    """By a server, or what stands before it, that may do it later."""


class _NoRoom(_NotNow):
    pass


class _Strange(Exception):
    """The answer is none of a bucket."""


def findings(url: str) -> list[Finding]:
    """What is wrong with the bucket of `s3://bucket/prefix`. Puts an object there and removes it."""
    bucket = _Bucket(Access.to(url))
    found: list[Finding] = []
    try:
        for question in (_tried, _versions, _rules):
            for each in question(
                bucket
            ):  # one by one: what was found before the server went away stays found
                found.append(each)
    except _NotNow as refused:
        found.append(Finding(Trouble.NOT_NOW, str(refused)))
    except _Strange as answer:
        found.append(Finding(Trouble.STRANGE, str(answer)))
    except requests.RequestException as error:
        found.append(Finding(Trouble.UNREACHABLE, type(error).__name__))
    except OSError as error:  # the file with authorities
        found.append(Finding(Trouble.UNREACHABLE, str(error)))
    return found


class _Bucket:
    """Signed requests to one bucket."""

    def __init__(self, access: Access) -> None:
        self.prefix = f"{access.prefix}/" if access.prefix else ""
        self._address = f"{access.server}/{access.bucket}"
        self._signed = AWS4Auth(access.access_key_id, access.secret_access_key, access.region, "s3")
        self._authorities: str | bool = access.ca_file or True

    def ask(self, method: str, what: str, body: bytes = b"", **headers: str) -> requests.Response:
        """`what` is `?question`, or the name of an object. Raises _Refused, requests.RequestException."""
        where = what if what.startswith("?") else f"/{self.prefix}{what}"
        answer = requests.request(
            method,
            self._address + where,
            data=body,
            headers=headers,
            auth=self._signed,
            timeout=SECONDS,
            verify=self._authorities,
            allow_redirects=False,
        )
        # Also when it sends us elsewhere: the store's client would go there, and can't be kept from it.
        if answer.status_code >= 300:
            raise _refusal(answer)
        return answer


def _refusal(answer: requests.Response) -> _Refused:
    code = _code_of(answer)
    if answer.status_code == HTTPStatus.INSUFFICIENT_STORAGE or any(words in code for words in NO_ROOM):
        return _NoRoom(code)
    return (_NotNow if answer.status_code in NOT_NOW or code in NOT_NOW_CODES else _Refused)(code)


def objects_below(access: Access, folder: str, after: str = "") -> Iterator[tuple[str, int, str]]:
    """Key, octets and time of all objects below a folder, in order and with any name. Raises StoreFailed."""
    bucket = _Bucket(access)
    question = {"list-type": "2", "encoding-type": "url", "prefix": bucket.prefix + folder}
    while True:
        start = {"start-after": bucket.prefix + after} if after else {}
        parts = (f"{name}={quote(text, safe='')}" for name, text in sorted({**question, **start}.items()))
        try:
            page = _document(bucket.ask("GET", f"?{'&'.join(parts)}"))
        except (requests.RequestException, OSError, _Refused, _Strange) as error:
            raise StoreFailed from error
        before = after
        for found in page.iterfind(f"{NAMESPACE}Contents"):
            after = unquote_plus(found.findtext(f"{NAMESPACE}Key") or "").removeprefix(bucket.prefix)
            yield after, int(_text(found, "Size")), _text(found, "LastModified")
        if _text(page, "IsTruncated") != "true":
            return
        if after == before:
            raise StoreFailed


def remove_below(access: Access, folder: str) -> None:
    """Remove all objects below a folder by their keys as they are. Raises StoreFailed, also for any that stays."""
    bucket = _Bucket(access)
    names = [name for name, _, _ in objects_below(access, folder)]
    try:
        for name in names:
            bucket.ask("DELETE", quote(name))
    except (requests.RequestException, OSError, _Refused) as error:
        log.error("an object can't be removed bucket=%s folder=%s: %r", access.bucket, folder, error)
        raise StoreFailed from error
    if left := {name for name, _, _ in objects_below(access, folder)}.intersection(names):
        log.error(
            "objects that were removed are still there bucket=%s keys=%r", access.bucket, sorted(left)[:5]
        )
        raise StoreFailed


def _tried(bucket: _Bucket) -> Iterator[Finding]:
    """Write, write again, read and remove."""
    name = f"check-{secrets.token_hex(8)}"
    is_new = {"If-None-Match": "*"}
    try:
        bucket.ask("PUT", name, b"check", **is_new)
        try:
            bucket.ask("PUT", name, b"again", **is_new)
            yield Finding(Trouble.OVERWRITES, "If-None-Match")
        except _NotNow:
            raise
        except _Refused:
            pass
        finally:
            try:
                if bucket.ask("GET", name).content not in (b"check", b"again"):
                    raise _Strange("what was put there does not come back")
            finally:
                bucket.ask("DELETE", name)
    except _NoRoom as refused:
        yield Finding(Trouble.FULL, str(refused))
    except _NotNow:
        raise
    except _Refused as refused:
        yield Finding(Trouble.REFUSED, str(refused))


def _versions(bucket: _Bucket) -> Iterator[Finding]:
    try:
        answer = bucket.ask("GET", "?versioning")
    except _NotNow:
        raise
    except _Refused as refused:
        yield Finding(Trouble.UNKNOWN, f"its versioning: {refused}")
        return
    if (status := _text(_document(answer), "Status")) in ("Enabled", "Suspended"):
        yield Finding(Trouble.KEEPS, f"versioning is {status.lower()}")


def _rules(bucket: _Bucket) -> Iterator[Finding]:
    try:
        rules = _document(bucket.ask("GET", "?lifecycle"))
    except _NotNow:
        raise
    except _Refused as refused:
        if str(refused) == "NoSuchLifecycleConfiguration":
            yield Finding(Trouble.LEAVES_PARTS, "no rule")
        else:
            yield Finding(Trouble.UNKNOWN, f"its lifecycle rules: {refused}")
        return
    ends_uploads = False
    for rule in rules.iterfind(f"{NAMESPACE}Rule"):
        if _text(rule, "Status") != "Enabled" or not _concerns(rule, bucket.prefix):
            continue
        name = _text(rule, "ID") or "without a name"
        loses = [
            *rule.iterfind(f"{NAMESPACE}Expiration/{NAMESPACE}Days"),
            *rule.iterfind(f"{NAMESPACE}Expiration/{NAMESPACE}Date"),
            *rule.iterfind(f"{NAMESPACE}Transition"),
        ]
        if loses:
            yield Finding(Trouble.LOSES, f"rule {name}")
        ends_uploads |= rule.find(f"{NAMESPACE}AbortIncompleteMultipartUpload") is not None
    if not ends_uploads:
        yield Finding(Trouble.LEAVES_PARTS, "no rule")


def _concerns(rule: ElementTree.Element, prefix: str) -> bool:
    """Whether objects of ours fall under it. They have no tags; how large they are is no matter: some are."""
    if rule.find(f".//{NAMESPACE}Tag") is not None:
        return False
    of_rule = next((found.text or "" for found in rule.iterfind(f".//{NAMESPACE}Prefix")), "")
    return of_rule.startswith(prefix) or prefix.startswith(of_rule)


def _code_of(answer: requests.Response) -> str:
    if answer.is_redirect:
        return f"{answer.status_code}, it sends us to {answer.headers['location']}"
    try:
        return _text(_document(answer), "Code") or str(answer.status_code)
    except _Strange:
        return str(answer.status_code)


def _document(answer: requests.Response) -> ElementTree.Element:
    """Raises _Strange."""
    try:
        return ElementTree.fromstring(answer.content)  # noqa: S314 - expat bounds entities, reads none from outside
    except (ElementTree.ParseError, ValueError, LookupError) as error:  # the last for an unknown encoding
        kind = answer.headers.get("Content-Type", "something without a type")
        raise _Strange(f"{kind} instead of XML") from error


def _text(element: ElementTree.Element, name: str) -> str:
    return (element.findtext(f"{NAMESPACE}{name}") or "").strip()
