"""The command line of Holdfast: `python starter.py --help`."""

import logging
import os
import sys

from cli.app import main

if __name__ == "__main__":
    code = main()
    logging.shutdown()
    sys.stdout.flush()
    sys.stderr.flush()
    os._exit(code)  # the engine's SDK may abort in its own clean-up at interpreter exit
