"""Run the command line as ``python -m genbank_assets``, for when the script is not on the PATH."""

import sys

from genbank_assets.cli import main

if __name__ == "__main__":
    sys.exit(main())
