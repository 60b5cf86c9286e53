//! Domains that are made, changed and destroyed at run time.
