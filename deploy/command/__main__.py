"""`python -m deploy.command`, and the script `torchrelay`."""

import sys

from deploy.command.run import main

if __name__ == "__main__":
    sys.exit(main())
