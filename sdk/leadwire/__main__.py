"""`python -m leadwire`."""

from leadwire.cli import main

if __name__ == "__main__":
    main()
