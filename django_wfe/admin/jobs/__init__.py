"""Jobs: their list and their page, with step runs, history, logs and graph."""
