"""`python -m deeptracker` is the command line."""

from deeptracker.cli import main

if __name__ == "__main__":
    main()
