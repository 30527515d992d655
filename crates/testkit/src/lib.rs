//! Local clusters of real servers, and the client and checker that watch them.
