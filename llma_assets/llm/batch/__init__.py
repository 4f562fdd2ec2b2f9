"""Summaries through the Batch API: submitted, waited for and collected."""
