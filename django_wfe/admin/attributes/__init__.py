"""What Jobs are found by, in the admin: the filter of lists, the facts of a Job, the Jobs of a row of the project."""
