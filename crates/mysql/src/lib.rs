//! The door to one MySQL server: dialects, probes with deadlines, the mysqld process.
