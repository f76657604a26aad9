"""``python -m genbank_assets.cli``: the command where its script is not installed."""

import sys

from genbank_assets.cli.app import main

sys.exit(main())
