"""Run the command line as ``python -m genbank_assets.cli``, for when the script is not on the PATH."""

import sys

from genbank_assets.cli import main

sys.exit(main())
