"""python -m sasakit.cli: the same as the command sasakit."""

from .main import main

if __name__ == "__main__":
    main()
