"""Checks the bill of materials of a bundle against CycloneDX's own JSON schema.

Run with Python 3.11 and cyclonedx-python-lib[json-validation] 11, which carries the schema: `python check_bill.py BUNDLE/sbom.cdx.json`.
"""

import pathlib
import sys

from cyclonedx.schema import SchemaVersion
from cyclonedx.validation.json import JsonStrictValidator

text = pathlib.Path(sys.argv[1]).read_text()
problem = JsonStrictValidator(SchemaVersion.V1_6).validate_str(text)
if problem is not None:
    sys.exit(f"not valid: {problem}")
print(f"{sys.argv[1]} is valid CycloneDX 1.6")
