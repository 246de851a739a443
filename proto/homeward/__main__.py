"""`python -m homeward` is the `homeward` command."""

from homeward.command import main

if __name__ == "__main__":
    main()
