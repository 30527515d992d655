//! What to do to a mysqld: observed state and wanted role become steps, each with its reason.
