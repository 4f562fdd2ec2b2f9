"""Clustering jobs: which items of a team are clustered together, and at which level.

`job.py` says what a job is, `filters.py` and `regex.py` what its filters may be, `filter_sql.py` what they mean;
`file.py` reads the file that holds them, `edit.py` changes it.
"""

from llma_assets.clustering_jobs.file import clustering_jobs
from llma_assets.clustering_jobs.job import DEFAULT_JOBS, ClusteringJob, enabled_jobs

__all__ = ["DEFAULT_JOBS", "ClusteringJob", "clustering_jobs", "enabled_jobs"]
