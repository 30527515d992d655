//! The channel between agents and from the command line to them: JSON over HTTP over mutual TLS.
