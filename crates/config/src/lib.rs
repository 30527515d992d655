//! The configuration file xenon.json: parse, defaults, old keys, findings with line and cure.
