"""Studies: their specification (`spec`), their compiled programs (`plan`), and how they run here (`execute`)."""
