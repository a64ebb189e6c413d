"""`python -m jaxdqn` is the command `jaxdqn`."""

from jaxdqn.commands import main

if __name__ == "__main__":
    main()
