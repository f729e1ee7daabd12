"""`python -m deploy.command`: the same as `torchrelay`, which pyproject.toml makes of `main`."""

import sys

from deploy.command.run import main

if __name__ == "__main__":
    sys.exit(main())
