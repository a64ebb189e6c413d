"""`python -m jaxdqn` is the command `jaxdqn`."""

from jaxdqn.cli import main

if __name__ == "__main__":
    main()
