"""``python -m gradwright``: the command line, for those whose path does not hold it."""

from gradwright.cli import main

if __name__ == "__main__":
    main()
