"""A certificate is believed when it is whole, unaltered and ours, and only then."""

import base64
import copy
import json
import re
import shutil
import subprocess
from datetime import UTC, datetime, timedelta, timezone
from io import StringIO
from pathlib import Path
from uuid import uuid4

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.kdf.hkdf import HKDF
from django.core.management import CommandError, call_command
from django.test import override_settings
from django.utils import translation

from accounts.actors import SYSTEM
from mailboxes import services
from mailboxes.errors import NoSuchCertificate
from mailboxes.services.certificates import (
    ACTION,
    FACTS,
    NOT_COVERED,
    CertificateForeign,
    CertificateForged,
    CertificateIncomplete,
    CertificateInvalid,
    CertificateUnreadable,
    PublicKeyInvalid,
    certificate_of,
    facts_of,
    sign,
    signed_octets,
    verify_certificate,
)
from tenants import audit

DOCUMENT = Path(__file__).resolve().parents[2] / "docs/formats/deletion-certificate.md"


@pytest.fixture
def facts(acme, acme_mailbox):
    acme_mailbox.mailbox.name = 'Jürgens „Post“ \\ "№ 1" 𝄞'  # whatever JSON can write in more than one way
    return facts_of(
        customer=acme,
        mailbox=acme_mailbox.mailbox,
        requested_by="operator@northwind.example",
        requested_at=datetime(2026, 11, 24, 10, 30, 0, 999_999, timezone(timedelta(hours=1))),
        finished_at=datetime(2026, 11, 24, 9, 30, 12, tzinfo=UTC),
        messages=1200,
        octets=2**53 - 1,
        fingerprints=["6f1a", "b07c"],
    )


@pytest.fixture
def text(facts):
    return json.dumps(sign(facts))


def with_fields(text, **changes):
    """The certificate with some fields of its facts changed (or removed, by None), the signature as it was."""
    parts = json.loads(text)
    for field, value in changes.items():
        if value is None:
            del parts["certificate"][field]
        else:
            parts["certificate"][field] = value
    return json.dumps(parts)


# --- Issuing ---
def test_it_states_who_asked_for_what_when_and_what_it_does_not_cover(facts, acme_mailbox):
    assert facts == {
        "format": "gatehouse/v1/deletion-certificate",
        "provider": "Northwind IT",
        "customer": "Acme",
        "mailbox": {
            "id": str(acme_mailbox.mailbox.pk),
            "name": 'Jürgens „Post“ \\ "№ 1" 𝄞',
            "address": acme_mailbox.address,
        },
        "requested_by": "operator@northwind.example",
        "requested_at": "2026-11-24T09:30:00Z",
        "finished_at": "2026-11-24T09:30:12Z",
        "messages": 1200,
        "octets": 2**53 - 1,
        "keys": ["6f1a", "b07c"],
        "not_covered": list(NOT_COVERED),
    }


def test_what_is_not_covered_is_stated_in_english_whoever_asks(facts, acme, acme_mailbox):
    with translation.override("de"):
        again = facts_of(
            customer=acme,
            mailbox=acme_mailbox.mailbox,
            requested_by="",
            requested_at=datetime.now(UTC),
            finished_at=datetime.now(UTC),
            messages=0,
            octets=0,
            fingerprints=[],
        )
    assert again["not_covered"] == facts["not_covered"]
    assert any("Backups" in sentence for sentence in again["not_covered"])


def test_the_signature_is_that_of_the_document(facts, settings):
    """Built anew from the document, by other means."""
    signed = sign(facts)
    mailbox = facts["mailbox"]
    canonical = (
        '{"customer":"Acme","finished_at":"2026-11-24T09:30:12Z","format":"gatehouse/v1/deletion-certificate",'
        '"keys":["6f1a","b07c"],'
        f'"mailbox":{{"address":"{mailbox["address"]}","id":"{mailbox["id"]}",'
        '"name":"Jürgens „Post“ \\\\ \\"№ 1\\" 𝄞"},'
        '"messages":1200,"not_covered":['
        + ",".join(f'"{sentence}"' for sentence in NOT_COVERED)
        + '],"octets":9007199254740991,"provider":"Northwind IT","requested_at":"2026-11-24T09:30:00Z",'
        '"requested_by":"operator@northwind.example"}'
    )
    seed = HKDF(SHA256(), 32, None, b"gatehouse/v1/certificate-key").derive(settings.SECRET_KEY.encode())
    key = Ed25519PrivateKey.from_private_bytes(seed)
    octets = b"gatehouse/v1/deletion-certificate\n" + canonical.encode()
    assert base64.b64decode(signed["signature"]) == key.sign(octets)
    assert base64.b64decode(signed["public_key"]) == key.public_key().public_bytes_raw()


# --- Verifying ---
def test_what_was_signed_here_is_valid(text, facts):
    certificate = verify_certificate(text)
    assert (certificate.valid, certificate.facts) == (True, facts)


def test_order_and_indentation_do_not_matter(text):
    parts = json.loads(text)
    turned = {field: parts[field] for field in reversed(parts)}
    turned["certificate"] = dict(reversed(parts["certificate"].items()))
    assert verify_certificate(json.dumps(turned, indent=4)).valid


def test_what_people_download_can_be_verified(text):
    downloaded = verify_certificate(text).as_json()
    assert "Jürgens" in downloaded
    assert verify_certificate(downloaded).as_json() == downloaded


@pytest.mark.parametrize(
    "changes",
    [
        {"messages": 1201},
        {"octets": 2**53},
        {"customer": "Globex"},
        {"provider": ""},
        {"mailbox": {"id": str(uuid4()), "name": "X", "address": "x@y"}},
        {"requested_by": "mallory@globex.example"},
        {"requested_at": "2026-11-25T09:30:00Z"},
        {"finished_at": "2026-11-25T09:30:12Z"},
        {"keys": []},
        {"keys": ["b07c", "6f1a"]},
        {"not_covered": []},
    ],
    ids=lambda changes: next(iter(changes)),
)
def test_whatever_is_altered_is_noticed(text, changes):
    with pytest.raises(CertificateForged):
        verify_certificate(with_fields(text, **changes))


def test_another_signature_does_not_do(text, facts):
    parts = json.loads(text)
    parts["signature"] = sign({**facts, "messages": 1})["signature"]
    with pytest.raises(CertificateForged):
        verify_certificate(json.dumps(parts))


@pytest.mark.parametrize("field", [*FACTS])
def test_a_fact_that_is_missing_or_of_another_kind_is_named(text, field):
    for wrong in (None, True, ["x", 1], 1.5):
        with pytest.raises(CertificateIncomplete) as refused:
            verify_certificate(with_fields(text, **{field: wrong}))
        assert field in refused.value.message or "1.5" in refused.value.message


@pytest.mark.parametrize(
    ("wrong", "field"),
    [
        ("[]", "certificate"),
        ("1", "certificate"),
        ("{}", "certificate"),
        ('{"certificate": {}}', "signature"),
        ('{"certificate": {}, "signature": "", "public_key": ""}', "format"),
        ('{"certificate": {"messages": 1, "messages": 1}}', "messages"),
        ('{"certificate": {"messages": NaN}}', "NaN"),
    ],
)
def test_what_is_no_whole_certificate_says_what_is_wrong(db, wrong, field):
    with pytest.raises(CertificateIncomplete) as refused:
        verify_certificate(wrong)
    assert field in refused.value.message


@pytest.mark.parametrize("wrong", ["", "no", '{"certificate": ', "[" * 100_000, "1" * 10_000])
def test_what_is_no_json_says_so(db, wrong):
    with pytest.raises(CertificateUnreadable):
        verify_certificate(wrong)


def test_what_is_not_signed_can_not_be_slipped_in(text):
    parts = json.loads(text)
    with pytest.raises(CertificateIncomplete):
        verify_certificate(json.dumps({**parts, "note": "Backups were deleted too."}))
    with pytest.raises(CertificateIncomplete):
        verify_certificate(with_fields(text, note="Backups were deleted too."))
    twice = text.replace('"messages": 1200', '"messages": 9999, "messages": 1200')
    assert twice != text
    with pytest.raises(CertificateIncomplete):
        verify_certificate(twice)


@pytest.mark.parametrize("field", ["signature", "public_key"])
@pytest.mark.parametrize("wrong", ["", "AAAA", "no base64!", "é", "A" * 87, "with a line feed"])
def test_a_signature_or_key_that_is_none_is_named(text, field, wrong):
    parts = json.loads(text)
    parts[field] = "\n" + parts[field] if wrong == "with a line feed" else wrong
    with pytest.raises(CertificateIncomplete) as refused:
        verify_certificate(json.dumps(parts))
    assert field in refused.value.message


def test_text_that_is_no_unicode_is_no_certificate_of_ours(text):
    with pytest.raises(CertificateForged):
        verify_certificate(with_fields(text, customer="\ud800"))


def test_another_installation_is_told_from_a_forgery(text, facts):
    with override_settings(SECRET_KEY="another installation's"):
        theirs = sign(facts)
        with pytest.raises(CertificateForeign):
            verify_certificate(text)
    with pytest.raises(CertificateForeign):
        verify_certificate(json.dumps(theirs))
    assert verify_certificate(json.dumps(theirs), theirs["public_key"]).valid
    with pytest.raises(CertificateForeign):
        verify_certificate(text, theirs["public_key"])  # who names a key trusts that one only
    forged = copy.deepcopy(theirs)
    forged["certificate"]["messages"] = 0
    with pytest.raises(CertificateForged):
        verify_certificate(json.dumps(forged), theirs["public_key"])


def test_the_key_inside_is_not_believed(facts):
    """Whoever makes a key can make a certificate that fits it."""
    own = Ed25519PrivateKey.generate()
    forged = {
        "certificate": facts,
        "signature": base64.b64encode(own.sign(signed_octets(facts))).decode(),
        "public_key": base64.b64encode(own.public_key().public_bytes_raw()).decode(),
    }
    with pytest.raises(CertificateForeign):
        verify_certificate(json.dumps(forged))


def test_a_new_secret_key_leaves_earlier_certificates_valid(text, settings):
    with override_settings(SECRET_KEY="new", SECRET_KEY_FALLBACKS=[settings.SECRET_KEY]):
        assert verify_certificate(text).valid


@pytest.mark.parametrize("key", ["", "no", "AAAA"])
def test_a_public_key_that_is_none_is_told(text, key):
    with pytest.raises(PublicKeyInvalid):
        verify_certificate(text, key)


def test_every_reason_has_a_code_of_its_own():
    reasons = [CertificateInvalid, *CertificateInvalid.__subclasses__()]
    assert len({reason.code for reason in reasons}) == len(reasons) == 6


@pytest.mark.skipif(not (shutil.which("openssl") and shutil.which("jq")), reason="needs openssl and jq")
def test_the_document_suffices_to_verify_one_without_us(text, tmp_path):
    (recipe,) = re.findall(r"```sh\n(.*?)```", DOCUMENT.read_text(), re.DOTALL)

    def follow(certificate):
        (tmp_path / "deletion.json").write_text(certificate)
        return subprocess.run(
            ["bash", "-euc", recipe], cwd=tmp_path, capture_output=True, text=True, check=False
        )

    followed = follow(verify_certificate(text).as_json())
    assert (followed.returncode, followed.stdout) == (0, "Signature Verified Successfully\n")
    assert follow(with_fields(text, messages=0)).returncode != 0


# --- Finding ---
def delete(mailbox, work, acme, by=SYSTEM):
    services.suspend_mailbox(acme, mailbox.mailbox, by=by)
    job = services.start_deletion(acme, mailbox.mailbox, by=by)
    assert work(job).state == "done"


def test_a_deletion_leaves_a_valid_certificate(acme, acme_mailbox, fill, work, cast, keys):
    fill(b"12345", b"1234567890")
    before = datetime.now(UTC).replace(microsecond=0)
    delete(acme_mailbox, work, acme, by=cast.owner)
    certificate = certificate_of(acme, acme_mailbox.mailbox.pk, by=SYSTEM)
    assert certificate.valid
    facts = certificate.facts
    assert facts["mailbox"] == {
        "id": str(acme_mailbox.mailbox.pk),
        "name": "Office 365 Journal",
        "address": acme_mailbox.address,
    }
    assert (facts["messages"], facts["octets"]) == (2, 15)
    assert facts["requested_by"] == "operator@northwind.example"
    assert before.strftime("%Y-%m-%dT%H:%M:%SZ") <= facts["requested_at"] <= facts["finished_at"]
    assert [len(fingerprint) for fingerprint in facts["keys"]] == [32]
    assert verify_certificate(certificate.as_json()) == certificate


def test_each_customer_has_its_own_newest_first_or_as_asked_for(acme, globex, make_mailbox, work):
    for name in ("First", "Second"):
        delete(make_mailbox(name), work, acme)
    found = list(services.certificates(acme, by=SYSTEM))
    assert [certificate.facts["mailbox"]["name"] for certificate in found] == ["Second", "First"]
    assert all(certificate.valid for certificate in found)
    assert list(services.certificates(acme, by=SYSTEM, search="FIRST mbx-")) == found[1:]
    assert list(services.certificates(acme, by=SYSTEM, search="third")) == []
    for sort, names in (
        ("name", ["First", "Second"]),
        ("-name", ["Second", "First"]),
        ("x", ["Second", "First"]),
    ):
        again = services.certificates(acme, by=SYSTEM, sort=sort)
        assert [certificate.facts["mailbox"]["name"] for certificate in again] == names
    assert list(services.certificates(globex, by=SYSTEM)) == []
    first = found[1].facts["mailbox"]["id"]
    assert certificate_of(acme, first, by=SYSTEM) == found[1]
    with pytest.raises(NoSuchCertificate):
        certificate_of(globex, first, by=SYSTEM)
    with pytest.raises(NoSuchCertificate):
        certificate_of(acme, uuid4(), by=SYSTEM)


@pytest.fixture
def deleted_as(acme, facts):
    """As the end of a deletion records it, with these facts."""

    def deleted_as(name="X", address="mbx-1@gateway.example", altered=None, **changes):
        pk = str(uuid4())
        data = sign(facts | {"mailbox": {"id": pk, "name": name, "address": address}} | changes)
        data["certificate"] |= altered or {}
        audit.record(ACTION, customer=acme, target=("mailbox", pk, name), data=data, by=SYSTEM)

    return deleted_as


def names(found):
    return [certificate.facts["mailbox"]["name"] for certificate in found]


def test_only_what_is_taken_is_read_and_verified(acme, deleted_as, monkeypatch, django_assert_num_queries):
    for number in range(120):
        deleted_as(f"Mailbox {number:03}", messages=number)
    verified, read_key = [], Ed25519PublicKey.from_public_bytes
    monkeypatch.setattr(
        Ed25519PublicKey, "from_public_bytes", lambda octets: verified.append(octets) or read_key(octets)
    )
    for asked in ({}, {"search": "mailbox"}, {"sort": "name"}, {"sort": "-messages", "search": "mbx-"}):
        verified.clear()
        found = services.certificates(acme, by=SYSTEM, **asked)
        with django_assert_num_queries(2) as statements:
            assert len(found) == 120
            page = found[50:100]
        assert "LIMIT 50" in statements[-1]["sql"]
        assert len(page) == len(verified) == 50
        assert all(certificate.valid for certificate in page)


def test_they_are_sorted_by_what_they_state_whatever_its_case(acme, deleted_as):
    deleted_as("zug", requested_by="Bea@acme.example", messages=9, octets=10**10)
    deleted_as("Ägeri", requested_by="", messages=10, octets=9)
    deleted_as("Aarau", requested_by="anna@acme.example", messages=9, octets=10)

    def sorted_by(sort):
        return names(services.certificates(acme, by=SYSTEM, sort=sort))

    assert sorted_by("name") == ["Aarau", "Ägeri", "zug"]
    assert sorted_by("-name") == ["zug", "Ägeri", "Aarau"]
    assert sorted_by("requested_by") == ["Ägeri", "Aarau", "zug"]
    assert sorted_by("messages") == ["Aarau", "zug", "Ägeri"], "as numbers, and newest first among equals"
    assert sorted_by("-messages") == ["Ägeri", "Aarau", "zug"]
    assert sorted_by("octets") == ["Ägeri", "Aarau", "zug"]
    assert sorted_by("finished_at") == sorted_by("nonsense") == ["Aarau", "Ägeri", "zug"]


def test_each_word_is_looked_for_in_name_address_and_person(acme, deleted_as):
    deleted_as("Büro „Ost“ 100%", requested_by="anna@acme.example")
    deleted_as("Buero West", address="mbx-2@gateway.example", requested_by="bea@acme.example")

    def found_by(search):
        return names(services.certificates(acme, by=SYSTEM, search=search))

    assert found_by("BÜRO „ost“") == found_by("anna mbx-1") == found_by("0%") == ["Büro „Ost“ 100%"]
    assert found_by("west anna") == found_by("b_ro") == found_by("northwind") == []
    assert found_by("mbx- acme.example") == ["Buero West", "Büro „Ost“ 100%"]


def test_a_list_shows_an_altered_one_for_what_it_is(acme, deleted_as):
    deleted_as("Whole")
    deleted_as("Altered", altered={"messages": "none", "octets": None})
    for sort in ("finished_at", "messages", "-octets"):
        found = services.certificates(acme, by=SYSTEM, sort=sort)
        assert {each.facts["mailbox"]["name"]: each.valid for each in found} == {
            "Whole": True,
            "Altered": False,
        }


@pytest.mark.parametrize("where", ["its own mailbox", "another mailbox"])
def test_a_certificate_is_valid_only_unaltered_and_where_it_belongs(acme, facts, where):
    data = sign(facts)
    mailbox_id = facts["mailbox"]["id"]
    if where == "another mailbox":
        mailbox_id = str(uuid4())
    else:
        data["certificate"] = {**facts, "messages": 0}
    audit.record(ACTION, customer=acme, target=("mailbox", mailbox_id, "X"), data=data, by=SYSTEM)
    certificate = certificate_of(acme, mailbox_id, by=SYSTEM)
    assert not certificate.valid
    assert certificate.facts == data["certificate"]


# --- The command ---
def run(*arguments):
    """What it prints, and the complaint with which it ends."""
    out = StringIO()
    try:
        call_command("verify_certificate", *arguments, stdout=out)
    except CommandError as error:
        return out.getvalue(), str(error)
    return out.getvalue(), None


@pytest.fixture
def file(text, tmp_path):
    (tmp_path / "deletion.json").write_text(text)
    return tmp_path / "deletion.json"


def test_the_command_prints_what_a_valid_one_certifies(file, facts, acme_mailbox):
    told, complaint = run(str(file))
    assert complaint is None
    assert told.endswith("The certificate is valid.\n")
    for words in (acme_mailbox.address, "Acme, of Northwind IT", "1200 messages", "6f1a, b07c", "- Backups"):
        assert words in told
    told, complaint = run(str(file), "--json")
    assert complaint is None
    assert json.loads(told)["valid"] is True
    assert json.loads(told)["certificate"] == facts


def test_the_command_says_why_one_is_not_valid(file, text):
    file.write_text(with_fields(text, messages=0))
    told, complaint = run(str(file))
    assert told == ""
    assert complaint == "The signature does not fit: the certificate was altered, or never issued."
    told, complaint = run(str(file), "--json")
    assert complaint
    assert json.loads(told) == {"valid": False, "code": "certificate-forged", "reason": complaint}


def test_the_command_takes_what_other_programs_make_of_a_file(file, text):
    file.write_bytes(b"\xef\xbb\xbf" + text.replace("\n", "\r\n").encode())
    assert run(str(file))[1] is None
    file.write_bytes(b"\xff\xfe{")
    assert run(str(file))[1].endswith("is no text in UTF-8.")
    assert "can't be read" in run(str(file.with_name("none")))[1]


def test_the_command_reads_no_file_without_end():
    assert run("/dev/zero")[1] == "/dev/zero is larger than any deletion certificate."


def test_the_command_trusts_the_key_that_it_is_given(file, facts):
    with override_settings(SECRET_KEY="another installation's"):
        theirs = sign(facts)
    file.write_text(json.dumps(theirs))
    assert "another installation" in run(str(file))[1]
    assert run(str(file), "--public-key", theirs["public_key"])[1] is None
    assert "32 octets" in run(str(file), "--public-key", "x")[1]
