"""Searches for settings: their specification (`spec`), and how they run within a budget (`run_search`)."""
