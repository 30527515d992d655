//! The words shared by agent, command line and HTTP: messages, status, events.
