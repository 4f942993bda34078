"""``python -m genlab``: the same as the command ``genlab``."""

import sys

from genlab.run.cli import main

if __name__ == "__main__":
    sys.exit(main())
