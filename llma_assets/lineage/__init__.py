"""Pure: which cluster of a run is which cluster of an earlier one."""
