"""One module a stage: read partitions, call the pure core, write one partition, report. No Dagster.

An asset is a stage plus Dagster's words for it; `llma` and the tests can call a stage without Dagster.
"""
