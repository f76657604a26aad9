"""``python -m genbank_assets``: the command where its script is not installed or not on the PATH."""

import sys

from genbank_assets.cli.app import main

if __name__ == "__main__":
    sys.exit(main())
