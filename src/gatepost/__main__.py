"""`python -m gatepost`: the command line, where its script is not in the PATH."""

from gatepost.cli.main import main

if __name__ == "__main__":
    main()
