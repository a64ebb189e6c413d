"""Training: the loop that plays, stores and learns, and the evaluation beside it."""
