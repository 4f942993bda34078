"""``python -m genlab``: the same as the command ``genlab``."""

import sys

from genlab.run.cli import main

sys.exit(main())
