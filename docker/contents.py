"""What an image consists of, as CycloneDX: `python docker/contents.py FOLDER VERSION`, where FOLDER is the image's root.

Read from what lies there, not from what should: Debian's packages by dpkg's own list, Python's by their metadata.
"""

import sys
from collections.abc import Iterator
from datetime import UTC, datetime
from email.parser import HeaderParser
from importlib.metadata import distributions
from os import environ
from pathlib import Path
from uuid import NAMESPACE_URL, uuid5

from cyclonedx.contrib.license.factories import LicenseFactory
from cyclonedx.model.bom import Bom
from cyclonedx.model.component import Component, ComponentType
from cyclonedx.model.license import DisjunctiveLicense, LicenseExpression
from cyclonedx.output.json import JsonV1Dot6
from packageurl import PackageURL


def contents(root: Path, version: str) -> str:
    """The list, the same for the same image. Raises ValueError for a folder that is no image's root."""
    parts = [*_debian(root), *_python(root)]
    if {part.type for part in parts} != {ComponentType.LIBRARY} or len(parts) < 2:
        raise ValueError(f"{root} is no root of an image")
    bom = Bom(
        components=parts,
        serial_number=uuid5(NAMESPACE_URL, " ".join(sorted(str(part.purl) for part in parts)) + version),
    )
    bom.metadata.component = Component(
        name="gatehouse", version=version, type=ComponentType.CONTAINER, bom_ref="image"
    )
    bom.register_dependency(bom.metadata.component, parts)
    bom.metadata.timestamp = datetime.fromtimestamp(int(environ.get("SOURCE_DATE_EPOCH", "0")), UTC)
    return JsonV1Dot6(bom).output_as_string(indent=2)


def _debian(root: Path) -> Iterator[Component]:
    status = root / "var/lib/dpkg/status"
    for paragraph in status.read_text().split("\n\n") if status.exists() else ():
        fields = HeaderParser().parsestr(paragraph.strip())
        if fields.get("Status", "").endswith(" installed"):
            name, version, of = fields["Package"], fields["Version"], fields["Architecture"]
            purl = PackageURL("deb", "debian", name, version, qualifiers={"arch": of})
            yield Component(
                name=name, version=version, type=ComponentType.LIBRARY, purl=purl, bom_ref=purl.to_string()
            )


def _python(root: Path) -> Iterator[Component]:
    folders = [
        *root.glob("app/.venv/lib/python3*/site-packages"),
        *root.glob("usr/lib/postgresql/*"),  # the package that pg_dump and pg_restore came in
    ]
    found = distributions(path=[str(path) for path in folders])
    for distribution in sorted(found, key=lambda one: one.name.lower()):
        name = distribution.name.lower().replace("_", "-")
        purl = PackageURL("pypi", None, name, distribution.version)
        yield Component(
            name=distribution.name,
            version=distribution.version,
            type=ComponentType.LIBRARY,
            purl=purl,
            bom_ref=purl.to_string(),
            licenses=_licences(distribution.metadata),
        )


def _licences(metadata: "object") -> list[LicenseExpression | DisjunctiveLicense]:
    """What a package says of itself: an SPDX expression, or what its classifiers call it."""
    make = LicenseFactory()
    if expression := metadata.get("License-Expression"):
        return [make.make_from_string(expression)]
    said = [
        line.rpartition(" :: ")[2]
        for line in metadata.get_all("Classifier", [])
        if line.startswith("License ::")
    ]
    return [make.make_with_name(name) for name in sorted(set(said) - {"OSI Approved"})]


if __name__ == "__main__":
    sys.stdout.write(contents(Path(sys.argv[1]), sys.argv[2]) + "\n")
