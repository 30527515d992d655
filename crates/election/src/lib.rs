//! Who leads: Raft whose log is the MySQL binlog, as a pure state machine.
