"""Studies: what to run (`spec`), as which compiled programs (`plan`), on this machine (`execute`)."""
