//! A server's log in miniature, for tests.
