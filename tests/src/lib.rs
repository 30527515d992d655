//! Real servers, end to end.
