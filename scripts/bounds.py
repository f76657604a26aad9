"""Print constraints for pip: ``lowest`` pins each dependency of setup.py to its lower bound, ``newest`` pins nothing.

The bounds are read from the installed package's metadata, so setup.py remains the only source.
"""

from __future__ import annotations

import sys
from importlib.metadata import requires

from packaging.requirements import Requirement


def lowest() -> list[str]:
    """Yield ``name==bound`` for every dependency without an extra."""
    lines = []
    for text in requires("genbank-assets") or []:
        requirement = Requirement(text)
        bounds = [spec.version for spec in requirement.specifier if spec.operator in {">=", "=="}]
        is_extra = requirement.marker is not None and not requirement.marker.evaluate({"extra": ""})
        if bounds and not is_extra:
            lines.append(f"{requirement.name}=={bounds[0]}")
    return sorted(lines)


if __name__ == "__main__":
    if sys.argv[1:] not in (["lowest"], ["newest"]):
        sys.exit("usage: bounds.py lowest|newest")
    print(*(lowest() if sys.argv[1] == "lowest" else ["# whatever is newest"]), sep="\n")
