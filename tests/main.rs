//! Every test that needs nothing but the library, in one binary.

mod diagnostics;
