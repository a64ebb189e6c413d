"""Searches: settings that are chosen within a budget."""
