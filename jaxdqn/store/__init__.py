"""The store: what lies on disk of a study, and who may write it."""
