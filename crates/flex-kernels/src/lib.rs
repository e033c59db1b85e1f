//! Fused CPU training kernels for Burn's flex backend.
